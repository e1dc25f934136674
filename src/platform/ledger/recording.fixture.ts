import type { Intent, Ledger, Outcome } from './types.ts'

/** A ledger that lets everybody spend, and what was settled with it. For tests of what operations tell the ledger. */
export function recordingLedger(): Ledger & { settlements: (Intent & Outcome)[] } {
  const settlements: (Intent & Outcome)[] = []
  return {
    settlements,
    strict: false,
    reserve: intent => ({ outputMax: null, settle: outcome => void settlements.push({ ...intent, ...outcome }) }),
    changed: () => Promise.resolve(),
    settled: () => Promise.resolve(0),
  }
}
