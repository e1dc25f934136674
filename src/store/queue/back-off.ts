import type { Random } from '../../lib/random.ts'

/** Milliseconds before another attempt: twice as long each time, from a second to an hour. */
export const usualRetryMs: readonly number[] = Array.from({ length: 13 }, (_, attempt) =>
  Math.min(3_600_000, 1000 * 2 ** attempt),
)

/**
 * How long to wait after so many attempts: between four fifths and all of what is named, so that many that failed together do not come
 * back together.
 * @param retryMs after the first attempt, the second …; the last also for all that follow
 */
export function backOffMs(attempts: number, random: Random, retryMs: readonly number[] = usualRetryMs): number {
  const mostMs = retryMs[Math.min(Math.max(1, attempts), retryMs.length) - 1] ?? 0
  return Math.round(mostMs * (0.8 + 0.2 * (random.uint32() / 2 ** 32)))
}
