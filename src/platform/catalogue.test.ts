import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scriptedEngine } from '../engines/scripted.ts'
import { silentLog } from '../lib/log.ts'
import { manualTime } from '../lib/timers.ts'
import { type EngineMakers, makeCatalogue, type RoutedEntry } from './catalogue.ts'
import type { Origin } from './prices.ts'
import { makeResidency } from './residency/index.ts'
import { knownUpstreams } from './upstreams/listing/listing.fixture.ts'

/** A catalogue of one routed model beside the built-in ones, and where its price is looked for. */
function catalogueOf(routed: RoutedEntry) {
  const clock = manualTime()
  const origins = new Map<string, Origin>()
  const engine = ({ name }: { name: string }) => scriptedEngine({ name })
  const abilitiesOf = () => new Set(['chat'] as const)
  const makers: EngineMakers = { local: engine, abilitiesOf, embedded: engine, upstream: engine, routed: engine }
  const models = makeCatalogue({
    local: [{ name: 'parlance-tiny-1', file: '/tiny' }],
    embedded: [{ name: 'parlance-embed-1', file: '/embed' }],
    upstream: [],
    routed: [routed],
    folder: { current: () => new Map(), remove: async () => {} },
    routes: { current: () => new Map(), changed: () => () => {} },
    upstreams: knownUpstreams(),
    aliases: { chat: routed.name },
    makers,
    residency: makeResidency({ budgetBytes: 1, idleMs: 0, clock, timers: clock, log: silentLog }),
    priceOf(model, origin) {
      origins.set(model, origin)
      return null
    },
    created: 5,
  })
  return { models, origins }
}

test('a routed model is one model, owned by its upstreams, and opened by its own maker', () => {
  const targets = ['east', 'west', 'east'].map((upstream, place) => ({ upstream, name: `m-${place}` }))
  const { models, origins } = catalogueOf({ name: 'team', route: { targets } })
  const target = models.resolve('chat')
  assert.deepEqual([target.name, target.ownedBy, target.price], ['team', 'east, west', null])
  assert.equal(models.engineFor(target, 'embed').name, 'team')
  assert.deepEqual(origins.get('team'), {}, 'names that differ there say nothing about its price')
})

test('a price is looked for under the name there when all targets have the same', () => {
  const { models, origins } = catalogueOf({
    name: 'team',
    route: { targets: ['east', 'west'].map(upstream => ({ upstream, name: 'gpt-4o' })) },
  })
  assert.equal(models.resolve('team').price, null)
  assert.deepEqual(origins.get('team'), { nameThere: 'gpt-4o' })
})
