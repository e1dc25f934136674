import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Directives, directivesOf } from './directives.ts'

const usual: Directives = {
  reads: true,
  keeps: true,
  onlyKept: false,
  maxAgeMs: Number.POSITIVE_INFINITY,
  minFreshMs: 0,
}

test('a cache-control header is read as RFC 9111 says', () => {
  const rows: [string | undefined, Partial<Directives>][] = [
    [undefined, {}],
    ['', {}],
    ['no-cache', { reads: false }],
    ['No-Cache', { reads: false }],
    ['no-store', { reads: false, keeps: false }],
    ['no-cache, no-store', { reads: false, keeps: false }],
    ['only-if-cached', { onlyKept: true }],
    ['max-age=5', { maxAgeMs: 5000 }],
    ['max-age="5"', { maxAgeMs: 5000 }],
    ['max-age=0', { maxAgeMs: 0 }],
    ['max-age=9, max-age=5', { maxAgeMs: 5000 }],
    ['max-age=soon', { reads: false }],
    ['max-age=-1', { reads: false }],
    ['max-age', { reads: false }],
    ['min-fresh=7', { minFreshMs: 7000 }],
    ['min-fresh=x', { reads: false }],
    ['max-stale=100', {}],
    ['no-transform, stale-if-error=1', {}],
    [' only-if-cached ,max-age=3', { onlyKept: true, maxAgeMs: 3000 }],
    ['x="no-store"', {}],
    [',,,;;=="', {}],
  ]
  for (const [header, expected] of rows) assert.deepEqual(directivesOf(header), { ...usual, ...expected }, header)
})

test('a header of any length is read in time that grows with its length', () => {
  const startedMs = performance.now()
  for (const piece of ['a', '=', '"', 'a="', ',', 'max-age='])
    assert.equal(directivesOf(piece.repeat(16_384)).keeps, true)
  assert.ok(performance.now() - startedMs < 1000)
})
