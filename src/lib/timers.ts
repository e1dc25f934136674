import type { Clock } from './clock.ts'

/** What happens later, so that a test need not wait for it. */
export interface Timers {
  /** Runs this once, so many milliseconds from now (at most 2^31 - 1). Keeps no process alive. @returns what prevents it */
  after(delayMs: number, run: () => void): () => void
}

export const systemTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

export interface ManualTime extends Clock, Timers {
  advance(ms: number): void
  /** How much is still to happen. */
  pending(): number
}

/** Time that stands still until it is moved; what falls due on the way happens in its order. For tests. */
export function manualTime(startMs = 1_700_000_000_000): ManualTime {
  let nowMs = startMs
  const due = new Set<{ atMs: number; run: () => void }>()
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    pending: () => due.size,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run }
      due.add(timer)
      return () => due.delete(timer)
    },
    advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        const [next] = [...due].filter(({ atMs }) => atMs <= untilMs).sort((one, other) => one.atMs - other.atMs)
        if (next === undefined) break
        due.delete(next)
        nowMs = next.atMs
        next.run()
      }
      nowMs = untilMs
    },
  }
}
