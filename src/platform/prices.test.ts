import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cost, free, priceOf } from './prices.ts'

test('a token at 0.15 USD per million costs exactly 150 nano-dollars', () => {
  assert.equal(cost(priceOf({ input: 0.15 }), { input: 1, cached: 0, output: 0 }), 150)
})

test('cached input has its own price, and the price of input when none is set', () => {
  const tokens = { input: 10, cached: 4, output: 0 }
  assert.equal(cost(priceOf({ input: 1, cached_input: 0.5 }), tokens), 6 * 1000 + 4 * 500)
  assert.equal(cost(priceOf({ input: 1 }), tokens), 10 * 1000)
})

test('a fraction of a nano-dollar is rounded up once per request, never per token', () => {
  const price = priceOf({ input: 0.0375 }) // 37.5 nano-dollars a token
  assert.equal(cost(price, { input: 1, cached: 0, output: 0 }), 38)
  assert.equal(cost(price, { input: 2, cached: 0, output: 0 }), 75)
})

test('a trillion tokens at a high price stay exact', () => {
  assert.equal(
    cost(priceOf({ input: 0, output: 75.123456 }), { input: 0, cached: 0, output: 100_000_000 }),
    7_512_345_600_000,
  )
})

test('zero is a price', () => assert.equal(cost(free, { input: 5, cached: 0, output: 5 }), 0))
