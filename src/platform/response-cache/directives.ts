/** What the `Cache-Control` of a request asks for (RFC 9111, section 5.2.1). Ages in milliseconds. */
export interface Directives {
  /** A reply that was kept may be the answer. */
  readonly reads: boolean
  /** The reply may be kept. */
  readonly keeps: boolean
  /** Nothing but a reply that was kept may be the answer. */
  readonly onlyKept: boolean
  /** A kept reply must not be older. */
  readonly maxAgeMs: number
  /** A kept reply must stay fresh for at least so long. */
  readonly minFreshMs: number
}

const usual: Directives = {
  reads: true,
  keeps: true,
  onlyKept: false,
  maxAgeMs: Number.POSITIVE_INFINITY,
  minFreshMs: 0,
}

/**
 * Reads the header. Directives that are not known say nothing, as the RFC has it (`max-stale` neither: nothing stale is ever served);
 * an age that is no number is taken for the wish to have a new reply.
 */
export function directivesOf(header: string | undefined): Directives {
  if (header === undefined) return usual
  let { reads, keeps, onlyKept, maxAgeMs, minFreshMs } = usual
  for (const [, name = '', quoted, plain] of header.matchAll(directive)) {
    const ageMs = millisecondsOf(quoted ?? plain)
    switch (name.toLowerCase()) {
      case 'no-cache':
        reads = false
        break
      case 'no-store':
        reads = false
        keeps = false
        break
      case 'only-if-cached':
        onlyKept = true
        break
      case 'max-age':
        if (ageMs === undefined) reads = false
        else maxAgeMs = Math.min(maxAgeMs, ageMs)
        break
      case 'min-fresh':
        if (ageMs === undefined) reads = false
        else minFreshMs = Math.max(minFreshMs, ageMs)
        break
    }
  }
  return { reads, keeps, onlyKept, maxAgeMs, minFreshMs }
}

const directive = /([\w-]+)(?:=(?:"([^"]*)"|([^\s,;]*)))?/g

const millisecondsOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) * 1000 : undefined
