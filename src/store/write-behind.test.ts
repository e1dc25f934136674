import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Fault } from '../lib/faults.ts'
import { startCondition } from './condition.ts'
import type { Failure } from './failure.ts'
import type { Call } from './group-commit.ts'
import { quiet } from './store.contract.ts'
import { WriteBehind } from './write-behind.ts'
import type { Outcome } from './writer-messages.ts'

const row = (i: number): Call => [{ sql: 'insert', selects: false, parameters: [i] }]
const full: Failure = { kind: 'full', message: 'disk full' }

/** A store whose disk can be full. `stored` is what arrived, in order. */
function setUp({ maxRows = 4, flushMs = 60_000 } = {}) {
  const state = { full: false, stored: [] as unknown[], refusals: 0 }
  const condition = startCondition(quiet)
  const rows = new WriteBehind({
    maxRows,
    flushMs,
    condition,
    onRefused: () => {
      state.refusals++
    },
    async submit(calls) {
      await turn()
      if (condition.state === 'failed') return calls.map(() => ({ ok: false, failure: { kind: 'sync', message: '' } }))
      if (state.full) condition.failing(full)
      return calls.map((call): Outcome => {
        if (state.full) return { ok: false, failure: full }
        state.stored.push(call[0]?.parameters[0])
        return { ok: true, ran: [] }
      })
    },
  })
  return { state, condition, rows }
}

test('callers are held back when many rows wait, and refused when twice as many do; no row is lost', async () => {
  const { rows, state } = setUp()
  const settled: number[] = []
  const waits = Array.from({ length: 8 }, (_, i) => rows.add(row(i)).then(() => settled.push(i)))
  await assert.rejects(rows.add(row(8)), error => error instanceof Fault && error.code === 'store_busy')
  await turn()
  assert.deepEqual(settled, [0, 1, 2, 3])
  await rows.flush()
  await Promise.all(waits)
  assert.deepEqual(state.stored, [0, 1, 2, 3, 4, 5, 6, 7])
})

test('while the disk is full the rows wait in their order, and are stored when it recovers', async () => {
  const { rows, state, condition } = setUp()
  state.full = true
  await rows.add(row(0))
  const flushed = rows.flush()
  await rows.add(row(1))
  while (condition.state === 'ok') await turn()
  assert.equal(rows.size, 2)
  state.full = false
  condition.worked()
  await flushed
  await rows.add(row(2))
  await rows.flush()
  assert.deepEqual(state.stored, [0, 1, 2])
})

test('closing while the disk is full says how many rows are left', async () => {
  const { rows, state } = setUp()
  state.full = true
  await rows.add(row(0))
  await rows.add(row(1))
  assert.equal(await rows.close(5), 2)
})

test('when the store has failed, flush rejects and so does every further row', async () => {
  const { rows, condition } = setUp()
  await rows.add(row(0))
  condition.fail({ kind: 'sync', message: 'fsync failed' })
  await assert.rejects(rows.flush(), Fault)
  await assert.rejects(rows.add(row(1)), Fault)
  assert.equal(await rows.close(5), 1)
})

test('rows that come during a flush share the next commit', async () => {
  const { rows, state } = setUp({ flushMs: 1, maxRows: 100 })
  for (let i = 0; i < 10; i++) await rows.add(row(i))
  const flushed = rows.flush()
  for (let i = 10; i < 20; i++) await rows.add(row(i))
  await flushed
  assert.equal(state.stored.length, 10)
  while (rows.size > 0) await turn()
  assert.equal(state.stored.length, 20)
})
