import { describe, test } from 'node:test'
import { assertLedgerIsTrue } from './assertions.ts'
import { oneAfterAnother, trials } from './budget.ts'

/** 100,000 take a quarter of an hour or more: call this file by itself then, without the time limit of the group. */
const requests = Number(process.env.PARLANCE_MONEY_REQUESTS ?? 20_000)
const seed = Number(process.env.PARLANCE_MONEY_SEED ?? 20_230_614)

describe('money, at length', () => {
  test('fifty budgets for ten are never overspent by 200 requests at once each', async t => {
    const found = await trials({ seed, trials: 50 })
    const sum = (of: (trial: (typeof found)[number]) => number) => found.reduce((total, trial) => total + of(trial), 0)
    t.diagnostic(`at once ${sum(({ admitted }) => admitted)} let in and ${sum(({ refused }) => refused)} refused`)
  })

  test('twenty budgets for ten serve exactly ten, one after another', () => oneAfterAnother({ seed, trials: 20 }))

  test('the strict ledger equals the truth to the token', t =>
    assertLedgerIsTrue(t, { seed, requests, ledger: 'strict' }))
})
