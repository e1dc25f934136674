import assert from 'node:assert/strict'
import { test } from 'node:test'
import { howFast } from './progress.ts'

test('speed and time left count what this run brought, not what was there before', () => {
  const line = howFast({ done: 600e6, total: 1000e6, before: 500e6, elapsedMs: 10_000 })
  assert.equal(line, '600.0 of 1000.0 MB, 60 %, 10.0 MB/s, 40 s left')
})

test('hours and minutes are told as such, and nothing is told of what cannot be known', () => {
  const left = (done: number) => howFast({ done, total: 1e12, before: 0, elapsedMs: 1000 })
  assert.match(left(500e6), /, 33 min 19 s left$/)
  assert.match(left(100e6), /, 2 h 46 min left$/)
  assert.equal(left(0), '0.0 of 1000000.0 MB, 0 %, 0.0 MB/s')
})
