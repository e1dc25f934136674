import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Fault } from '../lib/faults.ts'
import { jsonLog } from '../lib/log.ts'
import { names, quiet, setting, usage, usageColumns, usageIds, usageRow } from './store.contract.ts'
import { openStore, preparedInsert } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'parlance-faults-'))
after(() => rmSync(folder, { recursive: true }))

const coded = (code: string) => (error: unknown) => error instanceof Fault && error.code === code

test('a full disk: writes reject, reads go on, rows written soon are kept, and it heals when there is room', async () => {
  const lines: string[] = []
  const store = await openStore({
    ...quiet,
    log: jsonLog(line => lines.push(line), quiet.clock.now),
    dataDir: join(folder, 'full'),
    maxSizeBytes: 600_000,
    flushMs: 1,
  })
  const big = (i: number) => setting(store, `big${i}`, 'x'.repeat(50_000))
  let stored = 0
  await assert.rejects(async () => {
    for (; stored < 40; stored++) await store.write(big(stored))
  }, coded('insufficient_storage'))
  assert.ok(stored >= 2 && stored < 12, `${stored} were stored`)
  assert.equal(store.health().state, 'failing')
  assert.match(store.health().reason ?? '', /^full: .*full/)
  await assert.rejects(store.write([setting(store, 'small'), big(98)]), coded('insufficient_storage'))
  assert.equal((await names(store)).length, stored, 'what was acknowledged is there and nothing else')

  const rows = 400 // more than the free pages take
  const insert = preparedInsert(store.build, 'usage', usageColumns)
  for (let i = 0; i < rows; i++)
    await store.writeSoon(i % 2 === 0 ? usage(store, `use_${i}`) : insert(usageRow(`use_${i}`)))
  while (store.health().state !== 'failing') await turn()
  assert.equal(store.health().soon.refused, 0)

  await store.write(store.build.deleteFrom('settings'))
  await store.flush()
  assert.equal((await usageIds(store)).length, rows)
  await store.write(setting(store, 'small'))
  assert.equal(store.health().state, 'ok')
  assert.ok(lines.filter(line => line.includes('store.failing')).length === 1, 'the log is not flooded')
  await store.close()
})

test('a database locked by another program: writes reject, rows written soon are kept, and it heals without traffic', async () => {
  const dataDir = join(folder, 'locked')
  const store = await openStore({ ...quiet, dataDir, busyTimeoutMs: 20, flushMs: 1 })
  const other = new DatabaseSync(join(dataDir, 'parlance.db'))
  other.exec('begin immediate')
  await assert.rejects(store.write(setting(store, 'a')), coded('store_busy'))
  await store.writeSoon(usage(store, 'use_1'))
  const flushed = store.flush()
  while (store.health().state === 'ok') await turn()
  assert.deepEqual(await names(store), [], 'reads go on')
  other.exec('rollback')
  other.close()
  while (store.health().state === 'failing') await turn()
  await flushed
  assert.deepEqual(await usageIds(store), ['use_1'])
  await store.close()
})

test('a statement that would end the shared transaction hurts nobody for good', async () => {
  const store = await openStore({ ...quiet, dataDir: join(folder, 'rollback') })
  await store.write(setting(store, 'a'))
  await assert.rejects(store.write(setting(store, 'a').orRollback()), coded('store_failed'))
  await store.write(setting(store, 'b'))
  assert.deepEqual(await names(store), ['a', 'b'])
  assert.equal(store.health().state, 'ok')
  await store.close()
})
