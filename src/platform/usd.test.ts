import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../lib/faults.ts'
import { centsOf, nanoOf, usdMax, usdOf } from './usd.ts'

test('an amount is the number nearest to the exact sum', () => {
  const rows: [bigint | number, number, number][] = [
    [0, 0, 0],
    [1, 0.000000001, 0.0000001],
    [150, 0.00000015, 0.000015],
    [100_000_000, 0.1, 10],
    [300_000_000, 0.3, 30],
    [9_007_199_254_740_993n, 9_007_199.254740993, 900_719_925.4740993],
    [-2_500_000_000, -2.5, -250],
  ]
  for (const [nano, usd, cents] of rows) assert.deepEqual([usdOf(nano), centsOf(nano)], [usd, cents], String(nano))
})

test('what people write is kept to the nano-dollar', () => {
  const rows: [number, number][] = [
    [0, 0],
    [0.000000001, 1],
    [0.00000015, 150],
    [0.3, 300_000_000],
    [1.005, 1_005_000_000],
    [4.35, 4_350_000_000],
    [1234.567890123, 1_234_567_890_123],
    [8_999_999.1, 8_999_999_100_000_000],
    [usdMax, 9_000_000_000_000_000],
  ]
  for (const [usd, nano] of rows) assert.deepEqual([nanoOf(usd, 'x'), usdOf(nano)], [nano, usd], String(usd))
})

test('a fraction of a nano-dollar is refused, not rounded', () => {
  for (const usd of [0.0000000001, 0.0000000015, 0.1234567891])
    assert.throws(
      () => nanoOf(usd, 'amount_usd'),
      (error: unknown) => error instanceof Fault && error.status === 400 && error.param === 'amount_usd',
    )
})
