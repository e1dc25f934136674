import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { terminal } from '../audit.ts'
import { makeModels } from '../models.ts'
import { testServices } from '../services.fixture.ts'
import { makeVault, secretKeys, type Vault } from '../vault/index.ts'
import { resealed } from '../vault/reseal.ts'
import { newKey, testUpstreams } from './upstreams.fixture.ts'

const secret = 'sk-0123456789abcdefghijklmnop'
const header = { 'x-team-key': 'k-0123456789' }
const base_url = 'http://127.0.0.1:9/v1'
const isFault = (code: string) => (error: unknown) => error instanceof Fault && error.code === code

/** Upstreams over one database, opened again and again with keys that a test chooses. */
async function setting(t: TestContext) {
  const services = await testServices(makeModels([], {}))
  t.after(() => services.close())
  const acting = { ...services, caller: await services.keys.operator(), from: terminal }
  const vaultOf = (key: string, old: string[] = []): Vault =>
    makeVault({
      keys: secretKeys({ dataDir: services.dataDir, key, old, random: systemRandom, log: silentLog }),
      random: systemRandom,
    })
  const opened = async (vault: Vault) => {
    const reaching = await testUpstreams(services, { vault })
    t.after(() => reaching.close())
    return reaching
  }
  /** With one upstream and one route that have secrets. */
  const filled = async (vault: Vault) => {
    const reaching = await opened(vault)
    await reaching.upstreams.create(acting, 'east', { base_url, api_key: secret })
    await reaching.upstreams.create(acting, 'west', { base_url: 'http://127.0.0.2:9/v1', api_key: `${secret}-west` })
    await reaching.routes.create(acting, 'team', { targets: [{ upstream: 'east', headers: header }] })
    return reaching
  }
  return { ...services, acting, vaultOf, opened, filled }
}

test('with another key everything is listed, nothing is used, and both say why', async t => {
  const { vaultOf, opened, filled, acting } = await setting(t)
  await filled(vaultOf(newKey()))
  const { upstreams, routes } = await opened(vaultOf(newKey()))
  const east = upstreams.get('east')
  assert.equal(east.settings.api_key, undefined)
  assert.equal(east.shown.api_key, 'sk-…mnop')
  assert.match(east.problem ?? '', /another key \(\w+\).*PARLANCE_SECRET_KEYS_OLD/)
  assert.deepEqual(
    [upstreams.findings('east').health.state, upstreams.findings('east').health.detail],
    ['failed', east.problem],
  )
  assert.throws(() => upstreams.line('east'), isFault('upstream_unusable'))
  assert.match(routes.problemOf(routes.get('team')) ?? '', /another key/)
  await assert.rejects(upstreams.update(acting, 'east', { expose: 'all' }), isFault('secrets_unreadable'))
})

test('a change that names its secrets mends an upstream whose key is lost', async t => {
  const { vaultOf, opened, filled, acting } = await setting(t)
  await filled(vaultOf(newKey()))
  const { upstreams, routes } = await opened(vaultOf(newKey()))
  const mended = await upstreams.update(acting, 'east', { api_key: 'sk-new-new-new-new-new-new' })
  assert.deepEqual([mended.problem, mended.settings], [undefined, { base_url, api_key: 'sk-new-new-new-new-new-new' }])
  const team = await routes.update(acting, 'team', { targets: [{ upstream: 'east' }] })
  assert.equal(routes.problemOf(team), undefined)
  await upstreams.remove(acting, 'west')
})

test('the text of one row does not open in another: a swapped address gets no key', async t => {
  const { vaultOf, opened, filled, store } = await setting(t)
  const vault = vaultOf(newKey())
  await filled(vault)
  const rows = await store.read.selectFrom('upstreams').select(['name', 'secrets']).orderBy('name').execute()
  const [east, west] = rows
  await store.write([
    store.build
      .updateTable('upstreams')
      .set({ secrets: west?.secrets ?? '' })
      .where('name', '=', 'east'),
    store.build
      .updateTable('upstreams')
      .set({ secrets: east?.secrets ?? '' })
      .where('name', '=', 'west'),
  ])
  const { upstreams } = await opened(vault)
  for (const name of ['east', 'west']) {
    assert.match(upstreams.get(name).problem ?? '', /changed in the database, or moved/)
    assert.equal(upstreams.get(name).settings.api_key, undefined)
  }
})

test('rows that somebody else has written are passed over or told of, and stop nothing', async t => {
  const { vaultOf, opened, filled, store } = await setting(t)
  const vault = vaultOf(newKey())
  await filled(vault)
  await store.write([
    store.build.updateTable('upstreams').set({ settings: '{"base_url":5}' }).where('name', '=', 'west'),
    store.build.updateTable('upstreams').set({ secrets: 'nonsense' }).where('name', '=', 'east'),
    store.build.updateTable('routes').set({ settings: 'no json' }),
  ])
  const { upstreams, routes } = await opened(vault)
  assert.equal(upstreams.find('west'), undefined)
  assert.match(upstreams.get('east').problem ?? '', /does not know/)
  assert.deepEqual(routes.list(), [])
})

test('at a start what a key of before has encrypted is encrypted anew, and then that key is needed no more', async t => {
  const { vaultOf, opened, filled, store } = await setting(t)
  const [before, now] = [newKey(), newKey()]
  await filled(vaultOf(before))
  const old = await store.read.selectFrom('upstreams').selectAll().execute()
  const told: unknown[] = []
  const log = { ...silentLog, info: (...line: unknown[]) => told.push(line) }
  const vault = vaultOf(now, [before])
  await resealed({ store, vault, log })
  await resealed({ store, vault, log })
  assert.deepEqual(told, [['secrets.encrypted_anew', { rows: 3 }]])
  const next = await store.read.selectFrom('upstreams').selectAll().execute()
  for (const [place, row] of next.entries()) {
    assert.notEqual(row.secrets, old[place]?.secrets)
    assert.deepEqual({ ...row, secrets: '' }, { ...old[place], secrets: '' })
  }
  const { upstreams, routes } = await opened(vaultOf(now))
  assert.deepEqual([upstreams.get('east').problem, upstreams.get('east').settings.api_key], [undefined, secret])
  const { settings } = routes.get('team')
  assert.deepEqual('targets' in settings && settings.targets[0]?.headers, header)
})

test('what cannot be read stays as it is, for the day on which its key is found', async t => {
  const { vaultOf, opened, filled, store } = await setting(t)
  const [lost, now] = [newKey(), newKey()]
  await filled(vaultOf(lost))
  const rows = await store.read.selectFrom('upstreams').selectAll().execute()
  await resealed({ store, vault: vaultOf(now), log: silentLog })
  assert.deepEqual(await store.read.selectFrom('upstreams').selectAll().execute(), rows)
  const { upstreams } = await opened(vaultOf(now, [lost]))
  assert.equal(upstreams.get('east').settings.api_key, secret)
})

test('without a key that can be made nothing is written', async t => {
  const services = await testServices(makeModels([], {}))
  t.after(() => services.close())
  const keys = secretKeys({ dataDir: '/nowhere/at/all', random: systemRandom, log: silentLog })
  const reaching = await testUpstreams(services, { vault: makeVault({ keys, random: systemRandom }) })
  t.after(() => reaching.close())
  const acting = { ...services, caller: await services.keys.operator(), from: terminal }
  await assert.rejects(
    reaching.upstreams.create(acting, 'east', { base_url, api_key: secret }),
    (error: unknown) => error instanceof Fault && error.status === 500 && !error.message.includes(secret),
  )
  assert.deepEqual(reaching.upstreams.list(), [])
  // One without secrets needs no key.
  await reaching.upstreams.create(acting, 'open', { base_url })
})

test('findings belong to the settings they were made with', async t => {
  const { vaultOf, filled, acting } = await setting(t)
  const { upstreams } = await filled(vaultOf(newKey()))
  const before = upstreams.get('east')
  upstreams.note(before, { models: ['a'] })
  assert.deepEqual(upstreams.findings('east').models, ['a'])
  await upstreams.update(acting, 'east', { idle_timeout_ms: 5 })
  upstreams.note(before, { models: ['b'] })
  assert.equal(upstreams.findings('east').models, null)
})

test('listeners are told what has come, changed and gone, until they leave', async t => {
  const { vaultOf, filled, acting } = await setting(t)
  const { upstreams } = await filled(vaultOf(newKey()))
  const told: string[][] = []
  const leave = upstreams.changed(names => told.push([...names]))
  await upstreams.create(acting, 'north', { base_url })
  await upstreams.update(acting, 'north', { expose: 'all' })
  await upstreams.remove(acting, 'north')
  leave()
  await upstreams.remove(acting, 'west')
  assert.deepEqual(told, [['north'], ['north'], ['north']])
})
