/** Where time comes from, so that a test can move it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Milliseconds on a clock that never goes back; only differences mean something. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}

/** Unix time in whole seconds, as every `created` and `created_at` on the wire. */
export const seconds = (clock: Clock): number => Math.floor(clock.now() / 1000)

/** A clock that stands still until it is moved. For tests. */
export function manualClock(startMs = 1_700_000_000_000): Clock & { advance(ms: number): void } {
  let nowMs = startMs
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    advance(ms) {
      nowMs += ms
    },
  }
}
