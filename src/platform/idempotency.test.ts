import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { manualClock } from '../lib/clock.ts'
import { Fault } from '../lib/faults.ts'
import { silentLog } from '../lib/log.ts'
import { openStore, type Store } from '../store/store.ts'
import { testCaller } from './caller.fixture.ts'
import { type Idempotency, type Kept, makeIdempotency } from './idempotency.ts'

const clock = manualClock()
let folder = ''
let store: Store
let idempotency: Idempotency

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parlance-once-'))
  store = await openStore({ dataDir: folder, clock, log: silentLog })
  idempotency = makeIdempotency({ store, clock, log: silentLog })
})
after(async () => {
  idempotency.close()
  await store.close()
  rmSync(folder, { recursive: true })
})

let runs = 0
const reply = (more: Partial<Kept & { keep: boolean }> = {}) => {
  runs++
  return Promise.resolve({
    status: 200,
    headers: ['x-run', String(runs)],
    body: `{"run":${runs}}`,
    keep: true,
    ...more,
  })
}
const asked = (name: string, request = 'body') => ({
  caller: testCaller(),
  name,
  operation: 'files.create',
  request: [request],
})
const refused = (status: number, code: string) => (error: unknown) =>
  error instanceof Fault && error.status === status && error.code === code

test('the first request runs, later ones get its reply to the byte', async () => {
  const first = await idempotency.once(asked('a'), reply)
  const again = await idempotency.once(asked('a'), reply)
  assert.deepEqual({ ...again, replayed: false }, first)
  assert.deepEqual([first.replayed, again.replayed, runs], [false, true, 1])
})

test('errors are replayed too, but not those that never began or ask to be tried again', async () => {
  const failed = { status: 500, body: '{"error":{}}' }
  await idempotency.once(asked('fails'), () => reply(failed))
  const again = await idempotency.once(asked('fails'), reply)
  assert.deepEqual([again.status, again.body, again.replayed], [500, '{"error":{}}', true])
  await idempotency.once(asked('busy'), () => reply({ status: 429, keep: false }))
  assert.equal((await idempotency.once(asked('busy'), reply)).replayed, false)
  await assert.rejects(
    idempotency.once(asked('cut'), () => Promise.reject(new Error('cut'))),
    /cut/,
  )
  assert.equal((await idempotency.once(asked('cut'), reply)).replayed, false)
})

test('a key stands for one request of one caller', async () => {
  await idempotency.once(asked('b'), reply)
  await assert.rejects(idempotency.once(asked('b', 'other'), reply), refused(400, 'idempotency_key_reused'))
  const other = { ...asked('b'), operation: 'uploads.create' }
  await assert.rejects(idempotency.once(other, reply), refused(400, 'idempotency_key_reused'))
  for (const caller of [testCaller({ keyId: 'key_2' }), testCaller({ projectId: 'proj_2' })])
    assert.equal((await idempotency.once({ ...asked('b', 'other'), caller }, reply)).replayed, false)
  for (const name of ['', 'x'.repeat(256), 'two words', 'ü'])
    await assert.rejects(idempotency.once(asked(name), reply), refused(400, 'invalid_idempotency_key'))
})

test('of a hundred at once one runs, the others are told to wait', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const before = runs
  const work = async () => {
    await promise
    return reply()
  }
  const all = Array.from({ length: 100 }, () => idempotency.once(asked('crowd'), work))
  const settled = Promise.allSettled(all)
  resolve()
  const outcomes = await settled
  assert.equal(runs - before, 1)
  assert.equal(outcomes.filter(one => one.status === 'fulfilled').length, 1)
  for (const one of outcomes)
    if (one.status === 'rejected') assert.ok(refused(409, 'idempotency_key_in_use')(one.reason))
})

test('a request that was killed in the middle can be sent again, by the next process', async () => {
  const row = { status: null, headers: null, body: null, created_at: clock.now() }
  const place = { project_id: 'proj_1', key_id: 'key_1', name: 'killed' }
  await idempotency.once(asked('model'), reply)
  const { request_hash } = await store.read
    .selectFrom('idempotency')
    .select('request_hash')
    .where('name', '=', 'model')
    .executeTakeFirstOrThrow()
  const unfinished = { ...place, operation: 'files.create', request_hash, ...row }
  await store.write(store.build.insertInto('idempotency').values(unfinished))
  assert.equal((await idempotency.once(asked('killed'), reply)).replayed, false)
})

test('a reply is kept for 24 hours, and too large a one not at all', async () => {
  await idempotency.once(asked('day'), reply)
  clock.advance(86_399_000)
  assert.equal((await idempotency.once(asked('day'), reply)).replayed, true)
  clock.advance(2000)
  assert.equal((await idempotency.once(asked('day'), reply)).replayed, false)
  clock.advance(86_401_000)
  await idempotency.sweep()
  assert.deepEqual(await store.read.selectFrom('idempotency').select('name').execute(), [])
  await idempotency.once(asked('large'), () => reply({ body: 'x'.repeat(5_000_000) }))
  await assert.rejects(idempotency.once(asked('large'), reply), refused(400, 'idempotency_reply_not_kept'))
})

test('a secret is not kept: its request does not run again, and its refusal is replayed as any other', async () => {
  const secret = (name: string) => ({ ...asked(name), showsSecret: true })
  await idempotency.once(secret('key'), () => reply({ body: '{"value":"sk-secret"}' }))
  const ran = runs
  await assert.rejects(idempotency.once(secret('key'), reply), refused(400, 'idempotency_reply_not_kept'))
  assert.equal(runs, ran)
  const rows = await store.read.selectFrom('idempotency').selectAll().execute()
  assert.ok(rows.length > 0 && !JSON.stringify(rows).includes('sk-secret'))
  await idempotency.once(secret('refused'), () => reply({ status: 400, body: '{"error":{}}' }))
  assert.equal((await idempotency.once(secret('refused'), reply)).replayed, true)
})
