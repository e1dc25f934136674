import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scriptedEngine } from '../../../engines/scripted.ts'
import { Fault } from '../../../lib/faults.ts'
import { makeModels } from '../../models.ts'
import { type Origin, priceOf } from '../../prices.ts'
import { exposedModels } from './exposed.ts'
import { knownUpstreams, upstreamOf } from './listing.fixture.ts'

const base_url = 'http://127.0.0.1:9/v1'
const all = upstreamOf('all', { base_url, expose: 'all', price: { input: 1, output: 2 } })
const some = upstreamOf('some', { base_url, expose: ['mine', 'b'] })
const none = upstreamOf('none', { base_url })

function exposing() {
  const upstreams = knownUpstreams([none, some, all])
  const asked: [string, Origin][] = []
  const opened: object[] = []
  const found = exposedModels({
    upstreams,
    open(model) {
      opened.push(model)
      return scriptedEngine({ name: model.name })
    },
    priceOf(model, origin) {
      asked.push([model, origin])
      return origin.price ?? null
    },
    created: 1,
  })
  const names = () => [...found.current()].map(([name, { ownedBy }]) => `${name} of ${ownedBy}`).sort()
  return { upstreams, found, names, asked, opened }
}

test('models come and go with the lists; named ones are there until a list says otherwise', () => {
  const { upstreams, names } = exposing()
  upstreams.note(none, { models: ['hidden'] })
  assert.deepEqual(names(), ['b of some', 'mine of some'])
  upstreams.note(all, { models: ['a', 'b'] })
  assert.deepEqual(names(), ['a of all', 'b of some', 'mine of some'])
  upstreams.note(some, { models: ['mine', 'other'] })
  assert.deepEqual(names(), ['a of all', 'b of all', 'mine of some'])
  upstreams.put(upstreamOf('all', { base_url }))
  assert.deepEqual(names(), ['mine of some'])
})

test('nothing is made anew while nothing has changed, and a model that stays keeps its engine', () => {
  const { upstreams, found } = exposing()
  upstreams.note(all, { models: ['a'] })
  const first = found.current()
  assert.equal(found.current(), first)
  upstreams.note(all, { models: ['a', 'c'] })
  assert.notEqual(found.current(), first)
  assert.equal(found.current().get('a'), first.get('a'))
})

test('they give way to models and aliases of the settings, and cannot be deleted', async () => {
  const { upstreams, found, opened } = exposing()
  upstreams.note(all, { models: ['a', 'b', 'gpt-4'] })
  const models = makeModels([], { b: 'a' }, { found })
  assert.equal(models.resolve('b').name, 'a')
  models.engineFor(models.resolve('gpt-4'), 'chat')
  assert.deepEqual(opened, [{ name: 'gpt-4', upstream: 'all', target: 'gpt-4' }])
  await assert.rejects(
    models.remove('gpt-4'),
    (error: unknown) =>
      error instanceof Fault && error.status === 403 && /the upstream `all` has it/.test(error.message),
  )
  upstreams.note(all, { models: ['a'] })
  assert.throws(() => models.resolve('gpt-4'), { code: 'model_not_found' })
  await models.close()
})

test('a price of the upstream counts for all of its models; without one they have none', () => {
  const { upstreams, found } = exposing()
  upstreams.note(all, { models: ['a'] })
  assert.deepEqual(found.current().get('a')?.price, priceOf({ input: 1, output: 2 }))
  assert.equal(found.current().get('mine')?.price, null)
})
