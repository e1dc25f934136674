import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { silentLog } from '../lib/log.ts'
import { watchRows } from './changes.ts'

/** A table that counts how often it is read; `value` is what it holds. */
function table() {
  const state = { value: 1, reads: [] as number[], fails: false, errors: [] as string[] }
  const watching = () =>
    watchRows({
      name: 'things',
      mark: async () => String(state.value),
      read: async () => {
        if (state.fails) throw new Error('the disk is gone')
        state.reads.push(state.value)
      },
      log: { ...silentLog, error: event => void state.errors.push(event) },
    })
  return { state, watching }
}

test('rows are read at the start, when they have changed, and when they are said to have changed', async () => {
  const { state, watching } = table()
  const rows = await watching()
  await rows.look()
  state.value = 2
  await rows.look()
  await rows.look()
  await rows.changed()
  await rows.look()
  rows.close()
  assert.deepEqual(state.reads, [1, 2, 2])
})

test('a change that comes while rows are read is not missed', async () => {
  const reads: number[] = []
  let value = 1
  let during = () => {}
  const rows = await watchRows({
    name: 'things',
    mark: async () => String(value),
    read: async () => {
      const seen = value
      during()
      await null
      reads.push(seen)
    },
    log: silentLog,
  })
  during = () => {
    value = 3
    during = () => {}
  }
  value = 2
  await rows.look()
  await rows.look()
  rows.close()
  assert.deepEqual(reads, [1, 2, 3])
})

test('reading never happens twice at once, and who asks for it gets a reading that began afterwards', async () => {
  let running = 0
  let most = 0
  let value = 0
  let read = -1
  const rows = await watchRows({
    name: 'things',
    mark: async () => String(value),
    read: async () => {
      most = Math.max(most, ++running)
      const seen = value
      for (let turn = 0; turn < 5; turn++) await null
      read = seen
      running--
    },
    log: silentLog,
  })
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      for (let turn = 0; turn < index; turn++) await null
      const mine = ++value
      await rows.changed()
      assert.ok(read >= mine)
    }),
  )
  rows.close()
  assert.equal(most, 1)
})

test('a failure is told to whoever asked, and does not stand in the way of the next reading', async () => {
  const { state, watching } = table()
  const rows = await watching()
  state.fails = true
  await assert.rejects(rows.changed(), /the disk is gone/)
  state.fails = false
  state.value = 2
  await rows.changed()
  rows.close()
  assert.deepEqual(state.reads, [1, 2])
  state.fails = true
  await assert.rejects(watching(), /the disk is gone/, 'at the start as well')
})

test('by itself it looks within two seconds, tells the log what fails, and ends when it is closed', async t => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.after(() => mock.timers.reset())
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await null
  }
  const { state, watching } = table()
  const rows = await watching()
  state.value = 2
  mock.timers.tick(1500)
  await settle()
  assert.deepEqual(state.reads, [1, 2])
  state.value = 3
  state.fails = true
  mock.timers.tick(500)
  await settle()
  assert.deepEqual(state.errors, ['things.unread'])
  rows.close()
  mock.timers.tick(10_000)
  await settle()
  assert.deepEqual([state.reads.length, state.errors.length], [2, 1])
})
