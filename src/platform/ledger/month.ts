/** A calendar month, UTC. */
export interface Month {
  /** `2026-11`. */
  readonly name: string
  readonly startMs: number
  /** When the next one begins. */
  readonly endMs: number
}

/** @param atMs unix milliseconds */
export function monthOf(atMs: number): Month {
  const at = new Date(atMs)
  const startMs = Date.UTC(at.getUTCFullYear(), at.getUTCMonth())
  const endMs = Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1)
  return { name: new Date(startMs).toISOString().slice(0, 7), startMs, endMs }
}
