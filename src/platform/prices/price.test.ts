import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UsageUnit } from '../../store/schema/money.ts'
import { classicPrices, costOf, covers, free, priceOf, type UsdPrice, usdProblem } from '../prices.ts'

const none = { input: 0, cached: 0, output: 0 }
/** Nano-dollars, exactly. */
const dollars = (amount: number) => Math.round(amount * 1e9)

test('a token at 0.15 USD per million costs exactly 150 nano-dollars', () => {
  assert.equal(costOf(priceOf({ input: 0.15 }), { ...none, input: 1 }), 150)
})

test('cached input has its own price, and the price of input when none is set', () => {
  const tokens = { input: 10, cached: 4, output: 0 }
  assert.equal(costOf(priceOf({ input: 1, cached_input: 0.5 }), tokens), 6 * 1000 + 4 * 500)
  assert.equal(costOf(priceOf({ input: 1 }), tokens), 10 * 1000)
  assert.equal(costOf(priceOf({ input: 1, cached_input: 0 }), { ...tokens, cached: 99 }), 0, 'never less than nothing')
})

test('a fraction of a nano-dollar is rounded up once per request, never per token', () => {
  const price = priceOf({ input: 0.0375 }) // 37.5 nano-dollars a token
  assert.equal(costOf(price, { ...none, input: 1 }), 38)
  assert.equal(costOf(price, { ...none, input: 2 }), 75)
  const both = priceOf({ input: 0.0005, output: 0.0005, call: 0.000_000_000_5 })
  const call = { unit: 'calls' as const, amount: 1 }
  assert.equal(costOf(both, { input: 1, cached: 0, output: 1, quantity: call }), 2, 'half, half and half')
})

test('large amounts at high prices stay exact', () => {
  const price = priceOf({ input: 0, output: 75.123456 })
  for (const output of [1, 999, 100_000_000, 119_903_431, 900_000_000])
    assert.equal(BigInt(costOf(price, { ...none, output })), (BigInt(output) * 75_123_456n + 999n) / 1000n)
})

test('sums near the end of exact numbers are rounded up like all others', () => {
  for (let last = 0; last < 2000; last++) {
    const output = 9_007_199_254_740_000 + last // pico-dollars: one each
    assert.equal(
      BigInt(costOf(priceOf({ input: 0, output: 0.000001 }), { ...none, output })),
      (BigInt(output) + 999n) / 1000n,
    )
  }
})

test('zero is a price', () => {
  const units: UsageUnit[] = ['images', 'milliseconds', 'characters', 'bytes', 'sessions', 'calls']
  for (const unit of units) {
    const quantity = { unit, amount: 5, variant: 'x' }
    assert.equal(costOf(free, { input: 5, cached: 0, output: 5, quantity }), 0)
    assert.ok(covers(free, quantity))
  }
  assert.ok(covers(free, null))
})

const costs: [name: string, price: UsdPrice, unit: UsageUnit, amount: number, variant: string | null, usd: number][] = [
  ['images by size', { image: { '1024x1024': 0.04 } }, 'images', 3, '1024x1024', 0.12],
  ['images by quality', { image: { '1024x1024': 0.04, '1024x1024 hd': 0.08 } }, 'images', 1, '1024x1024 hd', 0.08],
  ['the usual quality by its name', { image: { '1024x1024': 0.04, any: 1 } }, 'images', 1, '1024x1024 standard', 0.04],
  ['a price for the usual quality', { image: { '1024x1024 standard': 0.04 } }, 'images', 1, '1024x1024', 0.04],
  ['images of any other size', { image: { '256x256': 0.016, any: 0.5 } }, 'images', 1, '9x9', 0.5],
  ['audio by the second', { audio_second: 0.0001 }, 'milliseconds', 1500, null, 0.00015],
  ['audio by the minute', { audio_minute: 0.006 }, 'milliseconds', 90_000, null, 0.009],
  ['a minute that thousandths do not divide', { audio_minute: 0.0059 }, 'milliseconds', 60_000, null, 0.0059],
  ['speech', { speech: 15 }, 'characters', 4096, null, 0.06144],
  ['storage', { storage_gb_day: 0.1 }, 'bytes', 2_500_000_000, null, 0.25],
  ['storage that is almost for nothing', { storage_gb_day: 0.000_01 }, 'bytes', 100_000, null, 1e-9],
  ['sessions', { code_session: 0.03 }, 'sessions', 2, null, 0.06],
  ['calls', { call: 0.0025 }, 'calls', 1, null, 0.0025],
]
for (const [name, usd, unit, amount, variant, expected] of costs)
  test(`${name}: ${JSON.stringify(usd)}, ${amount} ${unit}`, () => {
    const price = priceOf(usd)
    const quantity = { unit, amount, variant }
    assert.ok(covers(price, quantity))
    assert.equal(costOf(price, { ...none, quantity }), dollars(expected))
    assert.equal(
      costOf(priceOf({ ...usd, input: 1 }), { ...none, input: 7, quantity }),
      dollars(expected) + 7000,
      'and the tokens',
    )
  })

test('what is not named has no price: it is not free', () => {
  const speech = priceOf({ speech: 15 })
  assert.ok(!covers(speech, null), 'tokens')
  assert.ok(!covers(speech, { unit: 'images', variant: null }))
  assert.ok(covers(priceOf({ input: 0 }), null))
  const images = priceOf({ image: { '512x512': 1 } })
  for (const variant of ['1024x1024', '512x512 hd', 'constructor', null])
    assert.ok(!covers(images, { unit: 'images', variant }), String(variant))
})

for (const [price, problem] of [
  [{}, /names nothing/],
  [{ output: 1 }, /needs `input` beside/],
  [{ cached_input: 1, speech: 1 }, /needs `input` beside/],
  [{ audio_second: 1, audio_minute: 60 }, /leave out one/],
] as const)
  test(`no price is ${JSON.stringify(price)}`, () => assert.match(usdProblem(price) ?? '', problem))

test('the preset knows what OpenAI charged', () => {
  const cost = (model: string, input: number, output: number) =>
    costOf(classicPrices.get(model)!, { input, cached: 0, output })
  assert.equal(cost('gpt-3.5-turbo', 1_000_000, 1_000_000), dollars(2))
  assert.equal(cost('gpt-4-0613', 1000, 1000), dollars(0.09))
  assert.equal(cost('gpt-4o-2024-08-06', 1_000_000, 100_000), dollars(3.5))
  assert.equal(cost('text-embedding-3-small', 1_000_000, 0), dollars(0.02))
  const spoken = { unit: 'milliseconds' as const, amount: 60_000, variant: null }
  assert.equal(costOf(classicPrices.get('whisper-1')!, { ...none, quantity: spoken }), dollars(0.006))
  const drawn = { unit: 'images' as const, amount: 2, variant: '1792x1024 hd' }
  assert.equal(costOf(classicPrices.get('dall-e-3')!, { ...none, quantity: drawn }), dollars(0.24))
  assert.ok(!covers(classicPrices.get('tts-1')!, null))
  for (const [name, price] of classicPrices)
    assert.ok(price.cachedInputPico <= price.inputPico && Number.isSafeInteger(price.outputPico), name)
})
