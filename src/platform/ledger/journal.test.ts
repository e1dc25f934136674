import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Fault } from '../../lib/faults.ts'
import { type Log, silentLog } from '../../lib/log.ts'
import { intent, type LedgerWorld, ledgerWorld, november20, outcome, worst } from './ledger.fixture.ts'

const coded = (code: string) => (error: unknown) => error instanceof Fault && error.code === code

/** Another program that keeps the database for itself. */
function locked(world: LedgerWorld): () => void {
  const other = new DatabaseSync(join(world.dataDir, 'parlance.db'))
  other.exec('begin immediate')
  return () => {
    other.exec('rollback')
    other.close()
  }
}

test('a request that goes on has an open row after five to ten milliseconds, which its end makes final', async t => {
  const world = await ledgerWorld()
  t.after(() => world.close())
  await world.limit({ subject: 'organization', hard: 100_000 })
  const ledger = await world.open()
  const long = await ledger.reserve(intent(worst(10, 5)))
  world.time.advance(4)
  const short = await ledger.reserve(intent(worst(1, 1)))
  world.time.advance(1)
  short.settle(outcome(1, 1))
  await world.store.flush()
  const early = await world.store.read.selectFrom('usage').select('status').execute()
  assert.deepEqual(early, [{ status: 'ok' }], 'the other one is too young')
  const [open, done, ...more] = (await world.rows()).sort((a, b) => (a.status > b.status ? -1 : 1))
  assert.equal(more.length, 0)
  assert.deepEqual([done?.status, done?.cost_nano], ['ok', 3000])
  assert.deepEqual(
    [open?.status, open?.reserved_nano, open?.cost_nano, open?.input_tokens, open?.created_at],
    ['open', 20_000, 0, 0, november20 + 10],
  )
  world.time.advance(1000)
  long.settle(outcome(10, 2))
  const final = (await world.rows()).find(row => row.id === open?.id)
  assert.deepEqual(
    [final?.status, final?.reserved_nano, final?.cost_nano, final?.output_tokens],
    ['ok', 20_000, 14_000, 2],
  )
  assert.ok((final?.created_at ?? 0) >= november20 + 1000, 'it counts when it ends')
  assert.equal((await world.rows()).length, 2)
})

test('one timer for all requests, and none when nothing goes on', async t => {
  const world = await ledgerWorld()
  t.after(() => world.close())
  const ledger = await world.open()
  assert.equal(world.time.pending(), 0)
  const held = await Promise.all(Array.from({ length: 50 }, () => ledger.reserve(intent(worst(1, 1)))))
  assert.equal(world.time.pending(), 1)
  await world.stored()
  await turn()
  assert.equal(world.time.pending(), 0, 'all have their rows: nothing is to be done until they end')
  for (const each of held) each.settle(outcome(1, 1))
  assert.equal(world.time.pending(), 1)
  await world.stored()
  await turn()
  assert.equal(world.time.pending(), 0)
  assert.equal((await world.rows()).filter(row => row.status === 'ok').length, 50)
})

test('what a process before left open is interrupted, and charged as it was reserved, to the credit as well', async t => {
  const day = 86_400_000
  const world = await ledgerWorld()
  t.after(() => world.close())
  await world.organization('org-1', 1)
  await world.grant({ id: 'soon', amount: 30_000, expiresAt: november20 + day })
  await world.grant({ id: 'ever', amount: 100_000 })
  const killed = await world.open()
  await world.limit({ subject: 'organization', hard: 1_000_000 })
  await killed.changed()
  for (let i = 0; i < 2; i++) await killed.reserve(intent(worst(10, 5)))
  ;(await killed.reserve(intent(worst(10, 5)))).settle(outcome(1, 0))
  await world.stored()
  world.time.advance(2 * day)

  const beside = await world.open({ reconcile: false })
  assert.equal(
    beside.standing('org-1', 'organization', 'org-1')?.spentNano,
    1000,
    'whoever does not serve settles nothing',
  )
  const lines: unknown[] = []
  const log: Log = { ...silentLog, warn: (event, fields) => lines.push([event, fields]) }
  const next = await world.open({}, log)
  assert.deepEqual(lines, [['ledger.interrupted', { requests: 2, chargedNano: 40_000 }]])
  assert.equal(next.standing('org-1', 'organization', 'org-1')?.spentNano, 41_000)
  assert.deepEqual(await world.used(), { soon: 30_000, ever: 11_000 })
  const rows = (await world.rows()).filter(row => row.status === 'interrupted')
  assert.deepEqual(
    rows.map(row => [row.cost_nano, row.reserved_nano, row.created_at < november20 + 100]),
    [
      [20_000, 20_000, true],
      [20_000, 20_000, true],
    ],
  )
  await world.open()
  assert.deepEqual(await world.used(), { soon: 30_000, ever: 11_000 }, 'once')
})

test('while the store is failing, everybody is served, limits hold, and nothing is lost when it is well again', async t => {
  const world = await ledgerWorld({ busyTimeoutMs: 20 })
  t.after(() => world.close())
  await world.limit({ subject: 'key', id: 'key_1', hard: 40_000 })
  const ledger = await world.open()
  const free = { ...intent(worst(1, 1)).caller, keyId: 'key_2' }
  const unlock = locked(world)
  const long = await ledger.reserve(intent(worst(10, 5)))
  world.time.advance(10)
  ;(await ledger.reserve(intent(worst(10, 5)))).settle(outcome(10, 5))
  for (let i = 0; i < 30; i++) {
    ;(await ledger.reserve(intent(worst(1, 1), { caller: free }))).settle(outcome(1, 1))
    world.time.advance(5)
  }
  while (world.store.health().state === 'ok') await turn()
  assert.throws(() => ledger.reserve(intent(worst(1, 1))), coded('insufficient_quota'))
  long.settle(outcome(10, 0))
  assert.equal((await ledger.reserve(intent(worst(4, 3)))).outputMax, null, 'exactly what is left')
  unlock()
  const rows = await world.rows()
  const costs = rows.map(row => [row.status, row.cost_nano])
  assert.equal(costs.filter(([status]) => status === 'ok').length, 32)
  assert.equal(
    rows.reduce((sum, row) => sum + row.cost_nano, 0),
    30 * 3000 + 20_000 + 10_000,
  )
  const again = await world.open({ reconcile: false })
  assert.equal(again.standing('org-1', 'key', 'key_1')?.spentNano, 30_000)
})

test('when too many rows wait, new work is refused before it begins, and that of running requests is not lost', async t => {
  const world = await ledgerWorld({ busyTimeoutMs: 20, maxSoonRows: 10 })
  t.after(() => world.close())
  const ledger = await world.open({ maxWaitingRows: 10 })
  const unlock = locked(world)
  const running = await Promise.all(Array.from({ length: 40 }, () => ledger.reserve(intent(worst(1, 1)))))
  for (const held of running) held.settle(outcome(1, 1)) // twice as many as the store takes
  await turn()
  assert.throws(() => ledger.reserve(intent(() => assert.fail('not asked'))), coded('store_busy'))
  unlock()
  while ((await world.rows()).length < 40) {
    world.time.advance(250)
    await turn()
  }
  ;(await ledger.reserve(intent(worst(1, 1)))).settle(outcome(1, 1))
  assert.equal((await world.rows()).length, 41)
})

test('at the end, rows that the store does not take are told to the log', async t => {
  const world = await ledgerWorld({ busyTimeoutMs: 20, maxSoonRows: 10 })
  t.after(() => world.close())
  const lost: unknown[] = []
  const log: Log = { ...silentLog, error: (event, fields) => lost.push([event, fields?.cost_nano]) }
  const ledger = await world.open({ maxWaitingRows: 10 }, log)
  const unlock = locked(world)
  const running = await Promise.all(Array.from({ length: 22 }, () => ledger.reserve(intent(worst(1, 1)))))
  for (const held of running) held.settle(outcome(1, 1))
  await turn()
  assert.deepEqual(lost, [])
  ledger.close()
  await turn()
  assert.deepEqual(lost, [
    ['ledger.row_lost', 3000],
    ['ledger.row_lost', 3000],
  ])
  unlock()
  assert.equal((await world.rows()).length, 20)
})

test('strict: what is reserved is on the disk before the work begins, and what it cost before it ends', async t => {
  const world = await ledgerWorld()
  t.after(() => world.close())
  await world.limit({ subject: 'organization', hard: 50_000 })
  await world.organization('org-1', 1)
  await world.grant({ id: 'a', amount: 100_000 })
  const ledger = await world.open({ mode: 'strict' })
  const stored = () => world.store.read.selectFrom('usage').select(['status', 'cost_nano', 'reserved_nano']).execute()
  const reserving = ledger.reserve(intent(worst(10, 5)))
  assert.ok(reserving instanceof Promise)
  const held = await reserving
  assert.deepEqual(await stored(), [{ status: 'open', cost_nano: 0, reserved_nano: 20_000 }])
  await held.settle(outcome(10, 1))
  assert.deepEqual(await stored(), [{ status: 'ok', cost_nano: 12_000, reserved_nano: 20_000 }])
  const grants = await world.store.read.selectFrom('credit_grants').select('used_nano').execute()
  assert.deepEqual(grants, [{ used_nano: 12_000 }])
})

test('strict: what cannot be stored does not begin, and is not told to be done', async t => {
  const world = await ledgerWorld({ busyTimeoutMs: 20 })
  t.after(() => world.close())
  await world.limit({ subject: 'organization', hard: 50_000 })
  const ledger = await world.open({ mode: 'strict' })
  const [done, left] = [await ledger.reserve(intent(worst(1, 1))), await ledger.reserve(intent(worst(1, 1)))]
  const unlock = locked(world)
  await assert.rejects(async () => ledger.reserve(intent(worst(10, 5))), coded('store_busy'))
  await assert.rejects(async () => done.settle(outcome(1, 1)), coded('store_busy'))
  await left.settle(outcome(1, 0, 'cancelled'))
  assert.deepEqual(ledger.standing('org-1', 'organization', 'org-1'), {
    limitNano: 50_000,
    spentNano: 4000,
    heldNano: 0,
  })
  assert.equal(await ledger.settled(0), 0)
  unlock()
  const rows = await world.rows()
  assert.deepEqual(
    rows.map(row => [row.status, row.cost_nano]),
    [
      ['ok', 3000],
      ['cancelled', 1000],
    ],
  )
})
