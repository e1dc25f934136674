import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { manualClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import { openStore } from '../../store/store.ts'
import { classicPrices, free, makePrices, type Prices, priceOf } from '../prices.ts'

const dataDir = await mkdtemp(join(tmpdir(), 'parlance-prices-'))
const clock = manualClock()
const store = await openStore({ dataDir, clock, log: silentLog })
const opened: Prices[] = []
after(async () => {
  for (const prices of opened) prices.close()
  await store.close()
  await rm(dataDir, { recursive: true })
})
beforeEach(async () => {
  await store.write(store.build.deleteFrom('prices'))
})

const own = priceOf({ input: 7 })

async function pricesWith(preset: 'none' | 'classic', errors: string[] = []): Promise<Prices> {
  const log = { ...silentLog, error: (event: string) => void errors.push(event) }
  const prices = await makePrices({ store, clock, log }, { settings: new Map([['mine', own]]), preset })
  opened.push(prices)
  return prices
}

test('a model has the price of the settings; without one it is free here and cannot be called elsewhere', async () => {
  const prices = await pricesWith('none')
  assert.equal(prices.of('mine'), own)
  assert.equal(prices.of('mine', { local: true }), own)
  assert.equal(prices.of('gpt-4', { local: true }), free)
  assert.equal(prices.of('gpt-4', { nameThere: 'gpt-4' }), null)
})

test('the preset knows a model by its name here, then by its name there, and gives way to the settings', async () => {
  const prices = await pricesWith('classic')
  assert.equal(prices.of('gpt-4', { nameThere: 'gpt-4o' }), classicPrices.get('gpt-4'))
  assert.equal(prices.of('team', { nameThere: 'gpt-4o' }), classicPrices.get('gpt-4o'))
  assert.equal(prices.of('gpt-4', { local: true }), classicPrices.get('gpt-4'))
  assert.equal(prices.of('mine', { nameThere: 'gpt-4o' }), own)
  assert.equal(prices.of('team', { nameThere: 'Qwen/Qwen3-32B' }), null)
})

test('what an upstream asks for all of its models gives way to the settings, and wins over the preset', async () => {
  const prices = await pricesWith('classic')
  const price = priceOf({ input: 9 })
  assert.equal(prices.of('mine', { price }), own)
  assert.equal(prices.of('gpt-4', { price }), price)
  assert.equal(prices.of('other', { nameThere: 'x', price }), price)
})

test('a price counts from its date on, and the newest that has begun wins', async () => {
  const prices = await pricesWith('classic')
  const start = clock.now()
  await prices.set('gpt-4', { input: 1 })
  await prices.set('gpt-4', { input: 3 }, start + 2000)
  await prices.set('gpt-4', { input: 2 }, start + 1000)
  const now = () => prices.of('gpt-4')?.inputPico
  assert.equal(now(), 1_000_000)
  clock.advance(999)
  assert.equal(now(), 1_000_000)
  clock.advance(1)
  assert.equal(now(), 2_000_000)
  clock.advance(10_000)
  assert.equal(now(), 3_000_000)
  await prices.set('gpt-4', { input: 0 }, start + 2000)
  assert.equal(now(), 0, 'the one from the same moment is replaced')
  assert.deepEqual(
    (await prices.list()).map(({ model, fromAt, price }) => [model, fromAt - start, price]),
    [
      ['gpt-4', 0, { input: 1 }],
      ['gpt-4', 1000, { input: 2 }],
      ['gpt-4', 2000, { input: 0 }],
    ],
  )
  assert.equal(await prices.remove('gpt-4', start + 2000), 1)
  assert.equal(now(), 2_000_000)
  assert.equal(await prices.remove('gpt-4'), 2)
  assert.equal(await prices.remove('gpt-4'), 0)
  assert.equal(prices.of('gpt-4'), classicPrices.get('gpt-4'))
})

test('what another process sets is found by the look', async () => {
  const [here, there] = [await pricesWith('none'), await pricesWith('none')]
  await there.set('remote', { input: 5, output: 6 })
  assert.equal(here.of('remote'), null)
  await here.look()
  assert.equal(here.of('remote')?.outputPico, 6_000_000)
  await there.remove('remote')
  await here.look()
  assert.equal(here.of('remote'), null)
})

test('what is no price is refused, and a row that somebody else spoiled closes the model instead of giving it away', async () => {
  const errors: string[] = []
  const prices = await pricesWith('none', errors)
  await assert.rejects(
    prices.set('mine', { output: 1 }),
    (error: unknown) => error instanceof Fault && error.status === 400,
  )
  for (const [index, price] of ['{"input":', '{"input":-1}', '{}', '[]', '{"input":1,"x":2}'].entries()) {
    await store.write(store.build.deleteFrom('prices'))
    await store.write(
      store.build.insertInto('prices').values({ model: 'mine', from_at: 0, price, created_at: clock.now() + index }),
    )
    await prices.changed()
    assert.equal(prices.of('mine'), null, price)
    assert.deepEqual([(await prices.list())[0]?.price, errors.length], [null, index + 1])
  }
})
