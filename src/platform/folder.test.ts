import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import type { Engine } from '../engines/engine.ts'
import { Fault } from '../lib/faults.ts'
import { silentLog } from '../lib/log.ts'
import { manualTime } from '../lib/timers.ts'
import { type EngineMakers, makeCatalogue } from './catalogue.ts'
import { isModelName, modelFolder, modelPath } from './folder.ts'
import { free } from './prices.ts'
import { makeResidency } from './residency/index.ts'
import { knownUpstreams } from './upstreams/listing/listing.fixture.ts'

const parent = await mkdtemp(join(tmpdir(), 'parlance-folder-'))
after(() => rm(parent, { recursive: true }))
let folder = ''
let count = 0
beforeEach(() => {
  folder = join(parent, String(count++)) // made by the tests that want it
})

const file = (name: string) => join(folder, name)
const gone = (error: unknown) => error instanceof Fault && error.status === 404
const kept = (says: RegExp) => (error: unknown) =>
  error instanceof Fault && error.status === 403 && says.test(error.message)

function catalogue({ aliases = {} }: { aliases?: Record<string, string> } = {}) {
  const clock = manualTime()
  const closed: string[] = []
  const engine = (name: string) => ({ name, close: async () => void closed.push(name) }) as unknown as Engine
  const makers: EngineMakers = {
    local: ({ name, file: path }) => engine(`${name} in ${path.slice(folder.length + 1)}`),
    abilitiesOf: () => new Set(['chat']),
    embedded: ({ name }) => engine(name),
    upstream: ({ name }) => engine(name),
    routed: ({ name }) => engine(name),
  }
  const models = makeCatalogue({
    local: [{ name: 'parlance-tiny-1', file: '/tiny' }],
    embedded: [{ name: 'parlance-embed-1', file: '/embed' }],
    upstream: [{ name: 'configured', upstream: 'there', target: 'x' }],
    routed: [],
    folder: modelFolder({ folder, clock, log: silentLog }),
    routes: { current: () => new Map(), changed: () => () => {} },
    upstreams: knownUpstreams(),
    aliases,
    makers,
    residency: makeResidency({ budgetBytes: 1, idleMs: 0, clock, timers: clock, log: silentLog }),
    priceOf: (_, { local = false }) => (local ? free : null),
    created: 5,
  })
  const engineOf = (name: string) => models.engineFor(models.resolve(name), 'chat').name
  return { models, clock, closed, engineOf }
}

test('the names of models cannot lead out of their folder', () => {
  for (const name of ['a', 'Llama-3.2-1B.Q4_K_M', 'x+y_z', '7b']) assert.ok(isModelName(name), name)
  const bad = ['', '.', '..', '.a', '../a', 'a/b', 'a\\b', 'a b', 'a\0', 'é', '-a', 'x'.repeat(129), 'm-00001-of-00002']
  for (const name of bad) {
    assert.ok(!isModelName(name), name)
    assert.throws(() => modelPath('/models', name), /cannot be the name of a model/)
  }
  assert.equal(modelPath('/models', 'a'), join('/models', 'a.gguf'))
})

test('a model that is put into the folder answers within a second, and one that is taken out no longer', async () => {
  const { models, clock, closed, engineOf } = catalogue()
  assert.throws(() => models.resolve('mine'), gone)
  await mkdir(folder)
  await writeFile(file('mine.gguf'), 'x')
  assert.throws(() => models.resolve('mine'), gone, 'looked at once a second')
  clock.advance(1000)
  const { ownedBy, price, created } = models.resolve('mine')
  assert.equal(ownedBy, 'local')
  assert.equal(price, free)
  assert.ok(created > 1_700_000_000)
  assert.ok(models.list().some(({ name }) => name === 'mine'))
  assert.equal(engineOf('mine'), 'mine in mine.gguf')
  const before = models.resolve('mine')
  await rm(file('mine.gguf'))
  clock.advance(1000)
  assert.throws(() => models.resolve('mine'), gone)
  assert.throws(() => models.engineFor(before, 'chat'), gone)
  assert.deepEqual(closed, ['mine in mine.gguf'])
})

test('a file that was replaced is another model of the same name, also when its size and date are the same', async () => {
  const { models, clock, closed, engineOf } = catalogue()
  await mkdir(folder)
  const date = new Date('2026-01-01')
  await writeFile(file('mine.gguf'), 'one')
  await utimes(file('mine.gguf'), date, date)
  clock.advance(1000)
  engineOf('mine')
  await writeFile(file('next'), 'two')
  await utimes(file('next'), date, date)
  await rename(file('next'), file('mine.gguf'))
  clock.advance(1000)
  engineOf('mine')
  assert.deepEqual(closed, ['mine in mine.gguf'])
  assert.equal(models.opened().length, 1)
})

test('what is no whole model with a harmless name is left out', async () => {
  const { models } = catalogue()
  await mkdir(join(folder, 'folder.gguf'), { recursive: true })
  for (const name of ['a.gguf.part', 'b.bin', '.gguf', '.c.gguf', 'd e.gguf', 'f-00001-of-00002.gguf', 'good.gguf'])
    await writeFile(file(name), '')
  const { models: later } = catalogue()
  const names = later.list().filter(({ target }) => target.ownedBy === 'local')
  assert.deepEqual(
    names.map(({ name }) => name),
    ['good'],
  )
  assert.equal(models.list().length + 1, later.list().length)
})

test('settings win over the folder, the folder wins over the classic names', async () => {
  await mkdir(folder)
  for (const name of ['configured', 'parlance-tiny-1', 'gpt-4', 'gpt-4o']) await writeFile(file(`${name}.gguf`), '')
  const { models } = catalogue({ aliases: { 'gpt-4o': 'configured', mine: 'gpt-4' } })
  const owner = (name: string) => models.resolve(name).ownedBy
  assert.deepEqual(['configured', 'parlance-tiny-1', 'gpt-4', 'gpt-4o', 'mine', 'gpt-3.5-turbo'].map(owner), [
    'there',
    'parlance',
    'local',
    'there',
    'local',
    'parlance',
  ])
  const names = models.list().map(({ name }) => name)
  assert.equal(new Set(names).size, names.length)
})

test('deleting ends the engine first, then removes the file; at once the model is gone', async () => {
  await mkdir(folder)
  await writeFile(file('mine.gguf'), '')
  const { models, clock, closed, engineOf } = catalogue()
  engineOf('mine')
  const removed = models.remove('mine')
  assert.throws(() => models.resolve('mine'), gone)
  await removed
  assert.deepEqual(closed, ['mine in mine.gguf'])
  await assert.rejects(models.remove('mine'), gone)
  await writeFile(file('mine.gguf'), '')
  clock.advance(1000)
  assert.equal(engineOf('mine'), 'mine in mine.gguf')
})

test('a file that cannot be removed stays a model', async () => {
  await mkdir(folder)
  await writeFile(file('mine.gguf'), '')
  const { models, clock, engineOf } = catalogue()
  models.resolve('mine')
  await rm(file('mine.gguf'))
  await assert.rejects(models.remove('mine'), /ENOENT/) // the folder was last looked at before
  await writeFile(file('mine.gguf'), '')
  clock.advance(1000)
  assert.equal(engineOf('mine'), 'mine in mine.gguf')
})

test('everything else cannot be deleted, and the answer says why', async () => {
  await mkdir(folder)
  await writeFile(file('mine.gguf'), '')
  const { models } = catalogue({ aliases: { other: 'mine' } })
  await assert.rejects(models.remove('parlance-tiny-1'), kept(/built in or named by the settings/))
  await assert.rejects(models.remove('configured'), kept(/built in or named by the settings/))
  await assert.rejects(models.remove('gpt-4'), kept(/another name of `parlance-tiny-1`/))
  await assert.rejects(models.remove('other'), kept(/another name of `mine`/))
  await assert.rejects(models.remove('mine'), kept(/the alias `other` of the settings leads to it/))
  await assert.rejects(models.remove('none'), gone)
  assert.equal(models.resolve('other').name, 'mine')
})

test('an alias of a model that has gone is gone with it, and comes back with it', async () => {
  await mkdir(folder)
  await writeFile(file('mine.gguf'), '')
  const { models, clock } = catalogue({ aliases: { other: 'mine' } })
  await rm(file('mine.gguf'))
  clock.advance(1000)
  assert.throws(() => models.resolve('other'), gone)
  await writeFile(file('mine.gguf'), '')
  clock.advance(1000)
  assert.equal(models.resolve('other').name, 'mine')
  assert.throws(() => catalogue({ aliases: { other: 'none' } }), /other → none leads to no model/)
})
