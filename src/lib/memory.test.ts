import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordsMax } from './memory.ts'

test('so many records are kept as memory is there for, within bounds', () => {
  assert.equal(recordsMax(1), 250_000)
  assert.equal(recordsMax(1e12), 10_000)
})
