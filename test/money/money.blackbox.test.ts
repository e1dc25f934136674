import { describe, test } from 'node:test'
import { assertLedgerIsTrue } from './assertions.ts'
import { oneAfterAnother, trials } from './budget.ts'

describe('money, through the real server and an upstream that knows the truth', { timeout: 300_000 }, () => {
  test('a budget for ten is never overspent by 200 requests at once, and leaves nobody out for whom it has room', () =>
    trials({ seed: 1, trials: 5 }).then(() => {}))

  test('a budget for ten serves exactly ten, one after another', () => oneAfterAnother({ seed: 2, trials: 3 }))

  test('the strict ledger equals the truth to the token, also after kill -9', t =>
    assertLedgerIsTrue(t, { seed: 3, requests: 3000, ledger: 'strict' }))

  test('the grouped ledger loses at most the rows of the last moment before a kill -9', t =>
    assertLedgerIsTrue(t, { seed: 4, requests: 1000, ledger: 'grouped' }))
})
