import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { testCall } from '../../../test/hostile/sinks.ts'
import type { Engine } from '../../engines/engine.ts'
import { scriptedEngine } from '../../engines/scripted.ts'
import { Fault } from '../../lib/faults.ts'
import { terminal } from '../audit.ts'
import { type Models, makeModels, type Target } from '../models.ts'
import { free } from '../prices.ts'
import { testServices } from '../services.fixture.ts'
import { routeTargets } from './targets.ts'

const base_url = 'http://127.0.0.1:9/v1'

/** An engine that says its name and then a word, which waits for `go`. */
function talking(name: string, gone: Promise<void>, ended: string[]): Engine {
  let words = 0
  const inner = scriptedEngine({ name, reply: `${name} end`, wait: () => (words++ === 0 ? Promise.resolve() : gone) })
  const close = inner.close.bind(inner)
  inner.close = () => {
    ended.push(name)
    return close()
  }
  return inner
}

/** Models over two upstreams and a route, whose engines say which of them they are: `1`, `2` … */
async function setting(t: TestContext) {
  const services = await testServices(makeModels([], {}))
  const { upstreams, routes } = services
  const acting = { ...services, caller: await services.keys.operator(), from: terminal }
  const { promise: gone, resolve: go } = Promise.withResolvers<void>()
  const ended: string[] = []
  let opened = 0
  for (const name of ['east', 'west']) await upstreams.create(acting, name, { base_url })
  await routes.create(acting, 'team', { upstream: 'east' })
  const open = () => talking(String(++opened), gone, ended)
  const models = makeModels(
    [],
    { best: 'team' },
    {
      added: routeTargets({ routes, upstreams, open, priceOf: () => free }),
      watch(look) {
        routes.changed(look)
        upstreams.changed(look)
      },
    },
  )
  t.after(async () => {
    go()
    await models.close()
    await services.close()
  })
  return { upstreams, routes, acting, models, go, ended, opened: () => opened }
}

function begin(models: Models, target: Target) {
  const request = { model: target.name, messages: [{ role: 'user' as const, content: 'hi' }] }
  const chunks = models.engineFor(target, 'chat').chat!(request, testCall())[Symbol.asyncIterator]()
  return {
    chunks,
    async rest(): Promise<string> {
      let text = ''
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
        text += next.value.choices[0]?.delta.content ?? ''
      return text
    },
  }
}

async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn()
}

test('a request that runs ends on the engine it began with, new ones go by the change at once', async t => {
  const { upstreams, models, acting, go, ended } = await setting(t)
  const first = begin(models, models.resolve('best'))
  await first.chunks.next()
  await upstreams.update(acting, 'east', { api_key: 'sk-rotated-rotated-rotated' })
  const second = begin(models, models.resolve('team'))
  await settled()
  assert.deepEqual(ended, [])
  go()
  assert.deepEqual([await first.rest(), await second.rest()], ['1 end', '2 end'])
  await settled()
  assert.deepEqual(ended, ['1'])
})

test('a request that was admitted before a change, and has not begun, is served by the next engine', async t => {
  const { routes, models, acting, go } = await setting(t)
  go()
  const target = models.resolve('team')
  await routes.update(acting, 'team', { upstream: 'west' })
  assert.notEqual(models.resolve('team'), target)
  assert.equal(await begin(models, target).rest(), '1 end')
  // The old target never opened an engine of its own.
  assert.equal(await begin(models, models.resolve('team')).rest(), '1 end')
})

test('a route that is deleted is unknown at once, and what runs on it ends as it began', async t => {
  const { routes, models, acting, go, ended } = await setting(t)
  const target = models.resolve('team')
  const running = begin(models, target)
  await running.chunks.next()
  await routes.remove(acting, 'team')
  for (const name of ['team', 'best'])
    assert.throws(
      () => models.resolve(name),
      (error: unknown) => error instanceof Fault && error.status === 404,
    )
  assert.throws(() => models.engineFor(target, 'chat'), Fault)
  assert.deepEqual(models.list(), [])
  go()
  assert.equal(await running.rest(), '1 end')
  await settled()
  assert.deepEqual(ended, ['1'])
})

test('another upstream’s change leaves a model and its engine alone', async t => {
  const { upstreams, models, acting } = await setting(t)
  const target = models.resolve('team')
  const engine = models.engineFor(target, 'chat')
  await upstreams.update(acting, 'west', { idle_timeout_ms: 5 })
  assert.equal(models.resolve('team'), target)
  assert.equal(models.engineFor(target, 'chat'), engine)
})

test('a route that comes is called at once, by the operator’s choice owned by its upstreams', async t => {
  const { routes, models, acting } = await setting(t)
  await routes.create(acting, 'both', { targets: [{ upstream: 'east' }, { upstream: 'west' }, { upstream: 'east' }] })
  const { ownedBy, price, drains } = models.resolve('both')
  assert.deepEqual([ownedBy, price, drains], ['east, west', free, true])
})

test('a hundred changes while requests run leave one engine, and none of a request is lost', async t => {
  const { upstreams, models, acting, go, ended, opened } = await setting(t)
  go()
  const replies: Promise<string>[] = []
  for (let change = 0; change < 100; change++) {
    replies.push(begin(models, models.resolve('team')).rest())
    await upstreams.update(acting, 'east', { idle_timeout_ms: change + 1 })
  }
  assert.ok((await Promise.all(replies)).every(text => text.endsWith(' end')))
  await settled()
  assert.equal(ended.length, opened())
  assert.equal(new Set(ended).size, ended.length)
})

test('closing the models ends engines that were replaced, and waits for them', async t => {
  const { upstreams, models, acting, ended } = await setting(t)
  const running = begin(models, models.resolve('team'))
  await running.chunks.next()
  await upstreams.update(acting, 'east', { idle_timeout_ms: 5 })
  const closed = models.close()
  await closed
  assert.deepEqual(ended, ['1'])
})
