import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stale } from './generate.ts'

test('the pages made from the code are those that are committed (`npm run docs` writes them anew)', async () => {
  assert.deepEqual(await stale(), [])
})
