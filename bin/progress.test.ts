import assert from 'node:assert/strict'
import { test } from 'node:test'
import { howFast, howMany } from './progress.ts'

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

test('what is counted is told in its own words, and nothing is left when all is done', () => {
  const line = howMany('requests', { done: 1200, total: 5000, before: 200, elapsedMs: 25_000 })
  assert.equal(line, '1200 of 5000 requests, 24 %, 40.0 requests/s, 1 min 35 s left')
  const end = howMany('requests', { done: 10, total: 10, before: 0, elapsedMs: 1000 })
  assert.equal(end, '10 of 10 requests, 100 %, 10.0 requests/s')
  assert.equal(
    howMany('requests', { done: 0, total: 0, before: 0, elapsedMs: 0 }),
    '0 of 0 requests, 0 %, 0.0 requests/s',
  )
})
