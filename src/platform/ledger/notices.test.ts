import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { intent, type LedgerWorld, ledgerWorld, november20, outcome, worst } from './ledger.fixture.ts'
import type { OpenLedger } from './types.ts'

let world: LedgerWorld
before(async () => {
  world = await ledgerWorld()
})
after(() => world.close())
beforeEach(() => world.empty())

async function spend(ledger: OpenLedger, tokens: number) {
  const held = await ledger.reserve(intent(worst(tokens, 0)))
  held.settle(outcome(tokens, 0))
  await world.told()
}

test('whoever spends more than the soft limit is told of once in a month', async () => {
  await world.limit({ subject: 'project', id: 'proj_1', soft: 10_000 })
  const ledger = await world.open()
  await spend(ledger, 10)
  assert.deepEqual(world.notices, [], 'exactly the limit is not more')
  await spend(ledger, 5)
  const notice = {
    organizationId: 'org-1',
    subject: 'project',
    subjectId: 'proj_1',
    month: '2026-11',
    thresholdNano: 10_000,
    spentNano: 15_000,
  }
  assert.deepEqual(world.notices.splice(0), [notice])
  await spend(ledger, 5)
  const again = await world.open()
  await spend(again, 5)
  assert.deepEqual(world.notices, [], 'neither again nor by another process')

  world.time.advance(Date.UTC(2026, 11, 1) - november20)
  await spend(again, 11)
  assert.deepEqual(world.notices, [{ ...notice, month: '2026-12', spentNano: 11_000 }])
})

test('a soft limit that is lowered below what was spent tells at once, and each limit by itself', async () => {
  await world.limit({ subject: 'key', id: 'key_1', soft: 50_000 })
  await world.limit({ subject: 'organization', soft: 20_000 })
  const ledger = await world.open()
  await spend(ledger, 30)
  assert.deepEqual(
    world.notices.splice(0).map(({ subject }) => subject),
    ['organization'],
  )
  await world.limit({ subject: 'key', id: 'key_1', soft: 25_000 })
  await ledger.changed()
  await world.told()
  assert.deepEqual(
    world.notices.map(({ subject, thresholdNano }) => [subject, thresholdNano]),
    [['key', 25_000]],
  )
})

test('credit that is used up is told of once in a month; what nothing fits into is used up', async () => {
  await world.organization('org-1', 1)
  await world.grant({ id: 'a', amount: 10_500 })
  const ledger = await world.open()
  await spend(ledger, 10)
  assert.deepEqual(world.notices, [])
  await assert.rejects(spend(ledger, 1))
  await world.told()
  assert.deepEqual(world.notices.splice(0), [
    {
      organizationId: 'org-1',
      subject: 'credit',
      subjectId: 'org-1',
      month: '2026-11',
      thresholdNano: 0,
      spentNano: 10_000,
    },
  ])
  await assert.rejects(spend(ledger, 1))
  await world.stored()
  await assert.rejects(spend(await world.open(), 1))
  await world.told()
  assert.deepEqual(world.notices, [])
})

test('credit that running requests hold is not used up', async () => {
  await world.organization('org-1', 1)
  await world.grant({ id: 'a', amount: 10_000 })
  const ledger = await world.open()
  const held = await ledger.reserve(intent(worst(10, 0)))
  await assert.rejects(spend(ledger, 1))
  await world.told()
  assert.deepEqual(world.notices, [])
  held.settle(outcome(10, 0))
  await world.told()
  assert.equal(world.notices.length, 1)
})
