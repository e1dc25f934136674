import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bill } from './fit.ts'
import { dollarModel, dollarPrice, worst } from './ledger.fixture.ts'
import type { Worst } from './types.ts'

const bill = (asked: Worst, more: object = {}) => new Bill(dollarPrice, asked, { ...dollarModel, ...more })

/** A token of input costs 1,000, one of output 2,000. */
const scenarios: { name: string; asked: Worst; model?: object; left: number; whole: unknown; clamped: unknown }[] = [
  {
    name: 'it fits exactly',
    asked: worst(10, 5),
    left: 20_000,
    whole: { costNano: 20_000, outputMax: null },
    clamped: { costNano: 20_000, outputMax: 5 },
  },
  {
    name: 'a nano-dollar short: one token less',
    asked: worst(10, 5),
    left: 19_999,
    whole: undefined,
    clamped: { costNano: 18_000, outputMax: 4 },
  },
  {
    name: 'the last token',
    asked: worst(10, 5),
    left: 12_000,
    whole: undefined,
    clamped: { costNano: 12_000, outputMax: 1 },
  },
  { name: 'not even one token', asked: worst(10, 5), left: 11_999, whole: undefined, clamped: undefined },
  { name: 'nothing left', asked: worst(10, 5), left: 0, whole: undefined, clamped: undefined },
  { name: 'overdrawn', asked: worst(10, 5), left: -5, whole: undefined, clamped: undefined },
  {
    name: 'choices share: what fits is told for each of them',
    asked: worst(10, 30, { choices: 3 }),
    left: 10_000 + 3 * 7 * 2000 + 5999,
    whole: undefined,
    clamped: { costNano: 10_000 + 3 * 7 * 2000, outputMax: 7 },
  },
  {
    name: 'a token for each choice does not fit',
    asked: worst(10, 30, { choices: 3 }),
    left: 10_000 + 5999,
    whole: undefined,
    clamped: undefined,
  },
  {
    name: 'what generates nothing cannot be lowered',
    asked: worst(10, 0),
    left: 9999,
    whole: undefined,
    clamped: undefined,
  },
  {
    name: 'no limit in the request, none known of the model: 4096, and told',
    asked: worst(10, null),
    left: 10_000_000,
    whole: { costNano: 10_000 + 4096 * 2000, outputMax: 4096 },
    clamped: { costNano: 10_000 + 4096 * 2000, outputMax: 4096 },
  },
  {
    name: 'no limit in the request: the model’s own',
    asked: worst(10, null),
    model: { maxOutputTokens: 100 },
    left: 210_000,
    whole: { costNano: 210_000, outputMax: null },
    clamped: { costNano: 210_000, outputMax: 100 },
  },
  {
    name: 'no limit in the request, and less is left',
    asked: worst(10, null, { choices: 2 }),
    left: 50_000,
    whole: undefined,
    clamped: { costNano: 50_000, outputMax: 10 },
  },
]

for (const { name, asked, model, left, whole, clamped } of scenarios)
  test(`what fits: ${name}`, () => {
    assert.deepEqual(bill(asked, model).whole(left), whole)
    assert.deepEqual(bill(asked, model).clamped(left), clamped)
  })

test('what costs nothing always fits', () => {
  const free = new Bill({ inputPico: 0, cachedInputPico: 0, outputPico: 0 }, worst(10, 5), dollarModel)
  assert.deepEqual(free.whole(-1), { costNano: 0, outputMax: null })
})

test('output that costs nothing is not bounded', () => {
  const inputOnly = new Bill(
    { inputPico: 1_000_000, cachedInputPico: 1_000_000, outputPico: 0 },
    worst(10, null),
    dollarModel,
  )
  assert.deepEqual(inputOnly.whole(10_000), { costNano: 10_000, outputMax: null })
  assert.equal(inputOnly.whole(9999), undefined)
})

test('a cache that is dearer than no cache is reckoned with', () => {
  const dear = new Bill({ inputPico: 1_000_000, cachedInputPico: 3_000_000, outputPico: 0 }, worst(10, 5), dollarModel)
  assert.equal(dear.whole(29_999), undefined)
  assert.equal(dear.whole(30_000)?.costNano, 30_000)
})

test('it is known without counting that nothing can fit', () => {
  assert.equal(bill(worst(1000, 5)).hopeless(2999), true)
  assert.equal(bill(worst(1000, 5)).hopeless(3000), false, 'the input may turn out to be one token')
  assert.equal(bill(worst(1000, 0)).hopeless(1000), false)
})
