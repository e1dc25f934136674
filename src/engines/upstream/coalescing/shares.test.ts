import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shares } from './shares.ts'

const cases: [total: number, weights: number[], expected: number[]][] = [
  [10, [1, 1], [5, 5]],
  [11, [3, 1], [8, 3]],
  [7, [1, 1, 1], [3, 2, 2]],
  [2, [1, 1, 1], [1, 1, 0]],
  [0, [4, 4], [0, 0]],
  [5, [0, 0], [3, 2]],
  [9, [0, 3], [0, 9]],
  [1_000_000_000, [99_999, 1], [999_990_000, 10_000]],
]

for (const [total, weights, expected] of cases)
  test(`${total} by ${weights.join(':')} is ${expected.join(' + ')}`, () =>
    assert.deepEqual(shares(total, weights), expected))

test('the shares sum to the total, and no one is off by a whole token', () => {
  for (let total = 0; total < 500; total += 7) {
    const weights = Array.from({ length: 1 + (total % 13) }, (_, place) => (total * 31 + place * 17) % 97)
    const parts = shares(total, weights)
    const sum = weights.reduce((one, other) => one + other, 0)
    assert.equal(
      parts.reduce((one, other) => one + other, 0),
      total,
    )
    if (sum > 0)
      for (const [place, part] of parts.entries()) assert.ok(Math.abs(part - (total * weights[place]!) / sum) < 1)
  }
})
