import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom, systemRandom } from './random.ts'

test('bytes of the system are never given out twice, also across refills', () => {
  const seen = new Set<string>()
  for (let count = 0; count < 1000; count++) seen.add(systemRandom.bytes(16).toString('hex'))
  assert.equal(seen.size, 1000)
  assert.equal(systemRandom.bytes(100_000).length, 100_000)
})

test('a seed repeats its numbers, and another seed has others', () => {
  const numbers = (seed: number) => {
    const random = seededRandom(seed)
    return [random.uint32(), random.uint32(), random.bytes(4).toString('hex')]
  }
  assert.deepEqual(numbers(5), numbers(5))
  assert.notDeepEqual(numbers(5), numbers(6))
})
