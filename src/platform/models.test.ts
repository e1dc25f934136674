import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Engine, Resident } from '../engines/engine.ts'
import { Fault } from '../lib/faults.ts'
import { silentLog } from '../lib/log.ts'
import { manualTime } from '../lib/timers.ts'
import { makeModels, type Target } from './models.ts'
import { free } from './prices.ts'
import { makeResidency } from './residency/index.ts'

function target(name: string, opened: string[] = []): Target {
  const engine = { name, close: async () => opened.push(`closed ${name}`) } as unknown as Engine
  return {
    name,
    ownedBy: 'test',
    created: 1,
    price: free,
    abilities: new Set(['chat']),
    open() {
      opened.push(name)
      return engine
    },
  }
}

test('an alias of an alias leads to the model, and all three names are listed', () => {
  const models = makeModels([target('real')], { a: 'b', b: 'real' })
  assert.equal(models.resolve('a').name, 'real')
  assert.deepEqual(
    models.list().map(line => line.name),
    ['real', 'a', 'b'],
  )
})

test('a model wins over an alias of the same name', () => {
  const models = makeModels([target('gpt-4'), target('tiny')], { 'gpt-4': 'tiny' })
  assert.equal(models.resolve('gpt-4').name, 'gpt-4')
})

test('a circle of aliases and an alias to nowhere are refused with their path', () => {
  assert.throws(() => makeModels([target('real')], { a: 'b', b: 'a' }), /a → b → a lead in a circle/)
  assert.throws(() => makeModels([target('real')], { a: 'none' }), /a → none leads to no model\. Known models: real/)
})

test('an unknown name is a 404 that does not repeat endless names', () => {
  const models = makeModels([target('real')], {})
  assert.throws(
    () => models.resolve('x'.repeat(10_000)),
    (error: unknown) => error instanceof Fault && error.status === 404 && error.message.length < 400,
  )
  assert.throws(() => models.resolve('__proto__'), Fault)
  assert.throws(() => models.resolve('constructor'), Fault)
})

test('an engine is opened once, on first use, and closed with the others', async () => {
  const opened: string[] = []
  const models = makeModels([target('real', opened), target('other', opened)], { alias: 'real' })
  const first = models.engineFor(models.resolve('real'), 'chat')
  assert.equal(models.engineFor(models.resolve('alias'), 'chat'), first)
  await models.close()
  assert.deepEqual(opened, ['real', 'closed real'])
})

test('models of this machine are loaded and unloaded by any of their names', async () => {
  const time = manualTime()
  const residency = makeResidency({ budgetBytes: 10, idleMs: 0, clock: time, timers: time, log: silentLog })
  let bytes = 0
  const resident: Resident = {
    estimateBytes: async () => 7,
    bytes: () => bytes,
    async load() {
      bytes = 7
    },
    async unload() {
      bytes = 0
    },
  }
  const engine: Engine = {
    name: 'local',
    accepts: 'known',
    abilities: new Set(['chat']),
    resident,
    status: () => ({ state: bytes > 0 ? 'ready' : 'idle' }),
    close: async () => {},
  }
  const local: Target = { ...target('local'), open: () => residency.hold(engine) }
  const models = makeModels([local, target('far')], { alias: 'local' }, { residency })
  const { signal } = new AbortController()
  assert.deepEqual(models.memory().models, [])
  assert.equal((await models.load('alias', signal)).bytes, 7)
  assert.deepEqual([models.memory().usedBytes, models.memory().budgetBytes], [7, 10])
  assert.equal((await models.unload('local')).bytes, 0)
  const status = (wanted: number) => (error: unknown) => error instanceof Fault && error.status === wanted
  await assert.rejects(models.load('none', signal), status(404))
  await assert.rejects(models.load('far', signal), status(400))
  await assert.rejects(models.unload('far'), status(400))
  await assert.rejects(makeModels([target('far')], {}).load('far', signal), status(400))
})

test('an ability that a model lacks is a 400 that names it', () => {
  const models = makeModels([target('real')], {})
  assert.throws(
    () => models.engineFor(models.resolve('real'), 'embed'),
    (error: unknown) =>
      error instanceof Fault && error.status === 400 && error.param === 'model' && /'embed'/.test(error.message),
  )
})

test('models that are added to the running server come and go, and only their own command removes them', async () => {
  let current: ReadonlyMap<string, Target> = new Map()
  let look = () => {}
  const opened: string[] = []
  const models = makeModels(
    [target('fixed', opened)],
    {},
    { added: { current: () => current }, watch: next => (look = next) },
  )
  assert.throws(() => models.resolve('team'), Fault)
  current = new Map([['team', target('team', opened)]])
  models.engineFor(models.resolve('team'), 'chat')
  assert.deepEqual(
    models.list().map(({ name }) => name),
    ['fixed', 'team'],
  )
  await assert.rejects(models.remove('team'), (error: unknown) => error instanceof Fault && error.status === 403)
  current = new Map()
  look()
  assert.deepEqual(opened, ['team', 'closed team'], 'without a request that looks')
  assert.throws(() => models.resolve('team'), Fault)
})
