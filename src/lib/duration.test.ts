import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goDuration } from './duration.ts'

/** As Go's `time.Duration.String` prints them. */
const table: [ms: number, text: string][] = [
  [0, '0s'],
  [-5, '0s'],
  [0.2, '1ms'],
  [17, '17ms'],
  [16.000_001, '17ms'],
  [999, '999ms'],
  [999.5, '1s'],
  [1000, '1s'],
  [1001, '1.001s'],
  [8640, '8.64s'],
  [9816, '9.816s'],
  [20_000, '20s'],
  [59_999, '59.999s'],
  [60_000, '1m0s'],
  [360_000, '6m0s'],
  [432_000, '7m12s'],
  [390_500, '6m30.5s'],
  [3_599_999, '59m59.999s'],
  [3_600_000, '1h0m0s'],
  [3_661_001, '1h1m1.001s'],
  [86_400_000, '24h0m0s'],
]

for (const [ms, text] of table) test(`${ms} ms are ${text}`, () => assert.equal(goDuration(ms), text))
