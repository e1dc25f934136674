import assert from 'node:assert/strict'
import { test } from 'node:test'
import { monthsLater } from './grants.ts'

test('a month later is the same day and time, or the last day of a shorter month', () => {
  const rows: [string, number, string][] = [
    ['2026-11-20T13:14:15.016Z', 3, '2027-02-20T13:14:15.016Z'],
    ['2026-11-30T00:00:00.000Z', 3, '2027-02-28T00:00:00.000Z'],
    ['2027-11-30T23:59:59.999Z', 3, '2028-02-29T23:59:59.999Z'],
    ['2026-12-31T10:00:00.000Z', 1, '2027-01-31T10:00:00.000Z'],
    ['2026-01-31T10:00:00.000Z', 13, '2027-02-28T10:00:00.000Z'],
  ]
  for (const [from, months, to] of rows)
    assert.equal(new Date(monthsLater(Date.parse(from), months)).toISOString(), to, from)
})
