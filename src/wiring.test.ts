import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Config, readConfig } from './config.ts'
import { systemClock } from './lib/clock.ts'
import { Fault } from './lib/faults.ts'
import { silentLog } from './lib/log.ts'
import { systemRandom } from './lib/random.ts'
import type { Route } from './platform/routes/types.ts'
import { knownUpstreams, upstreamOf } from './platform/upstreams/listing/listing.fixture.ts'
import { engineMakers, pricesOf, routesOptions, upstreamWays } from './wiring.ts'

const base_url = 'http://127.0.0.1:9/v1'
const around = { version: '0.0.0', log: silentLog, clock: systemClock, random: systemRandom }

const configOf = (more: Partial<Config> = {}): Config => ({ ...readConfig({ env: {}, cwd: '/' }), ...more })

test('upstreams of one address share connections, which end with the last engine that stands on them', async () => {
  const ways = upstreamWays(configOf(), around)
  const [east, west] = ['east', 'west'].map(name => upstreamOf(name, { base_url, api_key: `sk-${name}` })) as [
    ReturnType<typeof upstreamOf>,
    ReturnType<typeof upstreamOf>,
  ]
  const [first, second] = [ways.connect(east), ways.connect(west)]
  assert.equal(first.pool, second.pool)
  const engine = ways.engine(west, { name: 'm', target: 'm' })
  await first.close()
  await second.close()
  const third = ways.connect(east)
  assert.equal(third.pool, first.pool, 'the engine stands on it')
  await third.close()
  await engine.close()
  const last = ways.connect(east)
  assert.notEqual(last.pool, first.pool)
  await last.close()
  await ways.close()
})

test('connections to upstreams of the file stay', async () => {
  const ways = upstreamWays(configOf({ upstreams: { east: { base_url } } }), around)
  const east = upstreamOf('other', { base_url })
  const first = ways.connect(east)
  await first.close()
  const second = ways.connect(east)
  assert.equal(second.pool, first.pool)
  await second.close()
  await ways.close()
})

test('an engine of an upstream that has gone or cannot be read is 503, without saying why to callers', () => {
  const upstreams = knownUpstreams([{ ...upstreamOf('locked', { base_url }), problem: 'encrypted with another key' }])
  const ways = upstreamWays(configOf(), around)
  const makers = engineMakers(configOf(), { ...around, upstreams, ways })
  for (const upstream of ['locked', 'gone'])
    assert.throws(
      () => makers.upstream({ name: 'm', upstream, target: 'm' }),
      (error: unknown) =>
        error instanceof Fault &&
        error.status === 503 &&
        error.code === 'upstream_unusable' &&
        !error.message.includes('another key'),
    )
})

test('of several targets the others go on without one that cannot be used', async () => {
  const upstreams = knownUpstreams([
    { ...upstreamOf('locked', { base_url }), problem: 'encrypted with another key' },
    upstreamOf('east', { base_url }),
  ])
  const ways = upstreamWays(configOf(), around)
  const makers = engineMakers(configOf(), { ...around, upstreams, ways })
  const engine = makers.routed({ name: 'm', route: { targets: [{ upstream: 'locked' }, { upstream: 'east' }] } })
  assert.equal(engine.name, 'm')
  await engine.close()
  await ways.close()
})

test('a route may not have the name of a model or an alias of the file, nor a new one that of a model that was pulled', () => {
  const found = { name: 'pulled', file: '/pulled.gguf', created: 1, sizeBytes: 1, version: '1' }
  const folder = { current: () => new Map([['pulled', found]]), remove: async () => {} }
  const models = { here: { file: '/a.gguf' }, there: { upstream: 'east' } }
  const config = configOf({ models, aliases: { best: 'team', other: 'gpt-4' } })
  const { file, taken, found: pulled, aliasOf } = routesOptions(config, folder)
  assert.deepEqual(Object.keys(file), ['there'])
  for (const name of ['here', 'there', 'best']) assert.match(taken(name) ?? '', /^parlance\.yaml has/)
  assert.deepEqual([taken('team'), taken('toString'), pulled('team')], [undefined, undefined, undefined])
  assert.match(pulled('pulled') ?? '', /pulled/)
  assert.equal(aliasOf('team'), 'best')
  assert.equal(aliasOf('gpt-4'), undefined, 'a built-in model takes its place')
})

test('a route brings its price, the same object as long as it stays', () => {
  const route: Route = {
    ...{ model: 'team', source: 'store', shown: {}, createdAt: 1 },
    settings: { upstream: 'east', price: { input: 2 } },
  }
  let current: ReadonlyMap<string, Route> = new Map([['team', route]])
  const config = configOf({ models: { filed: { upstream: 'east', price: { input: 1 } } } })
  const prices = pricesOf(config, { current: () => current })
  assert.deepEqual([prices.get('filed')?.inputPico, prices.get('team')?.inputPico], [1_000_000, 2_000_000])
  assert.equal(prices.get('team'), prices.get('team'))
  current = new Map()
  assert.equal(prices.get('team'), undefined)
})
