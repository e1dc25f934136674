import type { Health } from '../types.ts'

/** What is told of an upstream, one finding after another: pure. */

export const unknownHealth: Health = { state: 'unknown', checkedAt: null, latencyMs: null, detail: null }

/** It answered as it should. @param latencyMs undefined: as before, because it was not measured */
export function ready(before: Health, nowMs: number, latencyMs: number | null = before.latencyMs): Health {
  return { state: 'ready', checkedAt: nowMs, latencyMs, detail: null }
}

export function failed(before: Health, nowMs: number, detail: string): Health {
  return { state: 'failed', checkedAt: nowMs, latencyMs: before.latencyMs, detail }
}

/** It answers requests, but has no list to read: some servers have none. */
export function unlisted(before: Health, nowMs: number, detail: string): Health {
  return before.state === 'ready' ? { ...before, checkedAt: nowMs, detail } : failed(before, nowMs, detail)
}

/** The first wait after a failure; each further one doubles it. */
const firstWaitMs = 5000

/**
 * How long until an upstream is looked at again: `everyMs`, and sooner after failures, so that one that comes back is seen soon and one
 * that does not is left in peace.
 * @param failures in a row
 * @param random an integer from 0 to 2^32 - 1: up to a tenth more or less, so that many are not looked at together
 */
export function waitMs(everyMs: number, failures: number, random: number): number {
  const wait = failures === 0 ? everyMs : Math.min(everyMs, firstWaitMs * 2 ** Math.min(failures - 1, 20))
  return Math.max(1, Math.round(wait * (0.9 + (0.2 * random) / 2 ** 32)))
}
