import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { manualClock } from '../lib/clock.ts'
import { Fault } from '../lib/faults.ts'
import { makeIds } from '../lib/ids.ts'
import { silentLog } from '../lib/log.ts'
import { seededRandom } from '../lib/random.ts'
import { openStore, type Store } from '../store/store.ts'
import { type Keys, makeKeys, masked } from './keys.ts'

const clock = manualClock()
let folder = ''
let store: Store
let keys: Keys

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parlance-keys-'))
  store = await openStore({ dataDir: folder, clock, log: silentLog })
  keys = makeKeys({ store, clock, ids: makeIds(seededRandom(7)), log: silentLog })
})
after(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

const refused = (code: string | null) => (error: unknown) =>
  error instanceof Fault && error.status === 401 && error.code === code

test('a new key is found and belongs to the default organisation', async () => {
  const { secret, row } = await keys.create({ name: 'mine' })
  assert.match(secret, /^sk-[0-9A-Za-z]{48}$/)
  const caller = await keys.find(secret)
  assert.equal(caller.keyId, row.id)
  assert.equal(caller.organizationName, 'default')
})

test('the secret is nowhere in the data folder, only its hash', async () => {
  const { secret } = await keys.create({ name: 'hidden' })
  for (const name of readdirSync(folder)) assert.equal(readFileSync(join(folder, name)).includes(secret), false, name)
})

test('no key, an unknown key and an endless key are three ways of 401', async () => {
  await assert.rejects(keys.find(undefined), refused(null))
  await assert.rejects(keys.find('sk-unknown-000000000000'), refused('invalid_api_key'))
  await assert.rejects(keys.find('x'.repeat(512)), refused('invalid_api_key'))
})

test('a revoked key is refused within a second, also where it was just used', async () => {
  const { secret, row } = await keys.create({ name: 'leaves' })
  await keys.find(secret)
  assert.equal(await keys.revoke(row.id), true)
  clock.advance(1001)
  assert.equal(keys.recall(secret), undefined)
  await assert.rejects(keys.find(secret), refused('invalid_api_key'))
  assert.equal(keys.recall(secret), undefined)
  assert.equal(await keys.revoke(row.id), false)
})

test('ensure makes a key once, and a revoked one stays revoked', async () => {
  await keys.ensure('bootstrap', 'sk-bootstrap-000000001')
  await keys.ensure('bootstrap', 'sk-bootstrap-000000001')
  const rows = (await keys.list()).filter(row => row.name === 'bootstrap')
  assert.equal(rows.length, 1)
  await keys.revoke(rows[0]!.id)
  clock.advance(1001)
  await keys.ensure('bootstrap', 'sk-bootstrap-000000001')
  await assert.rejects(keys.find('sk-bootstrap-000000001'), refused('invalid_api_key'))
})

test('a key is shown by so little that it cannot be guessed', () => {
  assert.equal(masked('sk-abcdefghijklmnopqrstuvwxyz'), 'sk-ab***wxyz')
  assert.equal(masked('short-secret'), '********')
  assert.equal(masked('sk-\n\u0000abcdefghijklmnopq'), 'sk-??***nopq')
})
