import { Fault } from '../../lib/faults.ts'

/** What a failed attempt means for the request, and for the target. */
export interface Verdict {
  /**
   * Who may be asked now. `others`: anybody else. `larger`: those that take more tokens. `nobody`: the request would fail everywhere, or
   * has run already.
   */
  readonly asks: 'others' | 'larger' | 'nobody'
  /** `answered`: it lives. `unknown`: nothing was learnt of it. */
  readonly target: 'answered' | 'failed' | 'limited' | 'unknown'
  /** How long the target wants to be left alone; undefined when it does not say. */
  readonly afterMs?: number
}

const onlyHere: Verdict = { asks: 'nobody', target: 'unknown' }
const refused: Verdict = { asks: 'nobody', target: 'answered' }

/** Faults of ours, by status and code: what an upstream calls its own errors means nothing here. */
const ours: Readonly<Record<string, Verdict>> = {
  '503 shutting_down': onlyHere,
  '503 model_closed': onlyHere,
  '503 engine_overloaded': { asks: 'others', target: 'unknown' },
  /** A status of 401 or 403: for the operator. The request is not sent elsewhere, but the next ones do not come here. */
  '502 upstream_refused_key': { asks: 'nobody', target: 'failed' },
}

/**
 * Judges what an engine threw before the first byte of its reply. A request goes on after connection errors, timeouts, 408, 429 and
 * 5xx; after a context that was too small to larger ones; after any other 4xx nowhere, because it would be refused everywhere.
 * @param nowMs Unix time, for a `retry-after` that is a date
 */
export function verdictOf(error: unknown, nowMs: number): Verdict {
  if (!(error instanceof Fault)) return onlyHere
  const { status, code } = error
  const known = code === null ? undefined : ours[`${status} ${code}`]
  if (known !== undefined) return known
  if (isTooLong(error)) return { asks: 'larger', target: 'answered' }
  if (status === 500 && code === null) return onlyHere // a mistake of ours, not of the target
  const afterMs = retryAfterMs(error, nowMs)
  const told = afterMs === undefined ? {} : { afterMs }
  if (status === 429) return { asks: 'others', target: afterMs === undefined ? 'failed' : 'limited', ...told }
  if (status === 408 || status >= 500) return { asks: 'others', target: 'failed', ...told }
  return refused
}

/** As OpenAI says it, llama.cpp and vLLM. */
const tooLong = /maximum context length|exceeds? the (?:available |model's )?context (?:size|length|window)/i

const isTooLong = ({ status, code, type, message }: Fault): boolean =>
  status === 400 &&
  (code === 'context_length_exceeded' || type === 'exceed_context_size_error' || tooLong.test(message))

/** Nobody is believed who wants to be left alone for longer. */
const afterMsMax = 600_000

function retryAfterMs({ headers }: Fault, nowMs: number): number | undefined {
  const exact = headers['retry-after-ms']
  const after = headers['retry-after']
  const ms =
    exact !== undefined
      ? Number(exact)
      : after === undefined
        ? Number.NaN
        : /^\d+$/.test(after)
          ? Number(after) * 1000
          : Date.parse(after) - nowMs
  return Number.isNaN(ms) ? undefined : Math.min(afterMsMax, Math.max(0, ms))
}
