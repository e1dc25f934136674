import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Asked, run, summary, wrong } from './run.ts'
import { kinds } from './traffic.ts'

/** A reply and its row are at most so far apart in the grouped ledger, on a busy machine too. */
const groupedBehindMs = 2000

const enoughForAllKinds = 3000

/** Sends the traffic, and holds every row against what client and upstream saw. */
export async function assertLedgerIsTrue(t: TestContext, asked: Asked): Promise<void> {
  const findings = await run(asked)
  t.diagnostic(summary(findings))
  const behindMs = asked.ledger === 'strict' ? 0 : groupedBehindMs
  const mistakes = findings.accounts.flatMap(account => {
    const mistake = wrong(account, behindMs)
    return mistake === undefined ? [] : [`${account.plan.tag} (${account.plan.kind}) ${mistake}`]
  })
  assert.deepEqual(mistakes.slice(0, 20), [], `${mistakes.length} of ${asked.requests}`)
  assert.deepEqual(findings.strangers, [])
  assert.equal(findings.accounts.length, asked.requests)
  // In a short run, kills may cut off all requests of a rare kind.
  for (const [kind] of asked.requests < enoughForAllKinds ? [] : kinds)
    assert.ok(
      findings.accounts.some(({ plan, seen }) => plan.kind === kind && seen.outcome !== 'cut'),
      `none ${kind}`,
    )
  if (asked.ledger === 'strict') return
  const late = findings.accounts.filter(
    ({ seen, rows }) => seen.outcome === 'whole' && !rows.some(({ status }) => status === 'ok'),
  )
  const latestMs = Math.max(0, ...late.map(({ beforeKillMs }) => beforeKillMs))
  t.diagnostic(
    `${late.length} whole replies have no final row; the first of them ended ${latestMs.toFixed(1)} ms before the kill`,
  )
}
