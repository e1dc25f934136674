import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import { bucketsOf, nextPage, type RangeAsked, usageBounds, type Width } from './buckets.ts'

const day = 86_400
const midnight = Date.UTC(2026, 10, 20) / 1000
const nowMs = (midnight + 13 * 3600 + 61) * 1000

const pairs = (asked: RangeAsked, width: Width = '1d') =>
  bucketsOf(asked, width, usageBounds[width], nowMs).buckets.map(({ startTime, endTime }) => [startTime, endTime])
const next = (asked: RangeAsked, width: Width = '1d') => {
  const page = bucketsOf(asked, width, usageBounds[width], nowMs)
  return nextPage(page, page.buckets.at(-1))
}
const refused = (param: string, code: string) => (error: unknown) =>
  error instanceof Fault && error.status === 400 && error.param === param && error.code === code

test('buckets begin at whole units of UTC; those at the ends are as short as the range makes them', () => {
  const start = midnight - 3600
  assert.deepEqual(pairs({ start_time: start, end_time: midnight + day + 5 }), [
    [start, midnight],
    [midnight, midnight + day],
    [midnight + day, midnight + day + 5],
  ])
  assert.deepEqual(pairs({ start_time: midnight + 1, end_time: midnight + 2 }, '1m'), [[midnight + 1, midnight + 2]])
})

test('without an end the range goes to the end of the running bucket', () => {
  const ends: [Width, number][] = [
    ['1d', midnight + day],
    ['1h', midnight + 14 * 3600],
    ['1m', midnight + 13 * 3600 + 120],
  ]
  for (const [width, end] of ends) assert.equal(pairs({ start_time: end - 1 }, width).at(-1)?.[1], end, width)
  assert.deepEqual(pairs({ start_time: midnight + 2 * day }), [], 'a range that has not begun is empty')
})

test('a page has as many buckets as documented', () => {
  for (const [width, usual, most] of [
    ['1d', 7, 31],
    ['1h', 24, 168],
    ['1m', 60, 1440],
  ] as const) {
    assert.equal(pairs({ start_time: 0, end_time: midnight }, width).length, usual, width)
    assert.equal(pairs({ start_time: 0, end_time: midnight, limit: most }, width).length, most, width)
    assert.throws(() => pairs({ start_time: 0, limit: most + 1 }, width), refused('limit', 'integer_above_max_value'))
  }
})

test('an empty range is refused', () => {
  for (const end of [midnight, midnight - 1])
    assert.throws(() => pairs({ start_time: midnight, end_time: end }), refused('end_time', 'invalid_value'))
})

test('pages one after another are one long page, also while time goes on', () => {
  const asked = { start_time: midnight - 9 * day - 77 }
  const whole = pairs({ ...asked, limit: 31 })
  const found = []
  let page: string | null | undefined
  let laterMs = nowMs
  do {
    const read = bucketsOf({ ...asked, limit: 3, ...(page && { page }) }, '1d', usageBounds['1d'], laterMs)
    found.push(...read.buckets.map(({ startTime, endTime }) => [startTime, endTime]))
    page = nextPage(read, read.buckets.at(-1))
    laterMs += day * 1000
  } while (page !== null)
  assert.deepEqual(found, whole)
})

test('a cursor of another range, a broken one and a made-up one are refused', () => {
  const asked = { start_time: midnight - 20 * day, end_time: midnight, limit: 5 }
  const page = next(asked)!
  assert.match(page, /^page_[\w-]{22}$/)
  const packed = (from: bigint, to: bigint) => {
    const bytes = Buffer.alloc(16)
    bytes.writeBigUInt64BE(from, 0)
    bytes.writeBigUInt64BE(to, 8)
    return `page_${bytes.toString('base64url')}`
  }
  const end = BigInt(midnight)
  const rows: [string, RangeAsked][] = [
    ['nonsense', { ...asked, page: 'x' }],
    ['cut', { ...asked, page: page.slice(0, -1) }],
    ['longer', { ...asked, page: `${page}A` }],
    ['another end', { ...asked, end_time: midnight - day, page }],
    ['a later start', { ...asked, start_time: midnight - day, page }],
    ['not between two buckets', { ...asked, page: packed(end - 5n, end) }],
    ['beyond the end', { ...asked, page: packed(end, end) }],
    ['beyond what a number holds', { ...asked, page: packed(2n ** 64n - 1n, 2n ** 64n - 1n) }],
    ['an end in the future', { start_time: midnight - 20 * day, page: packed(end - BigInt(day), end * 2n) }],
  ]
  for (const [name, row] of rows) assert.throws(() => pairs(row), refused('page', 'invalid_value'), name)
  assert.equal(pairs({ ...asked, page })[0]?.[0], midnight - 15 * day)
})
