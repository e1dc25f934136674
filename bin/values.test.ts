import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from './run.ts'
import { count, dollars, end, moment, plain, span, until, usd, words } from './values.ts'

const nowMs = Date.parse('2026-05-05T12:00:00Z')

for (const [read, good] of [
  [usd, { '5': 5, $5: 5, '0.15': 0.15, '.5': 0.5, '0': 0 }],
  [count, { '0': 0, '60': 60, '10_000': 10_000 }],
  [span, { '90s': 90_000, '15m': 900_000, '1h': 3_600_000, '30d': 2_592_000_000, '2w': 1_209_600_000 }],
  [
    moment,
    { '2026-12-31': 1798675200000, '2026-12-31T12:00Z': 1798718400000, '2026-12-31T12:00:30+02:00': 1798711230000 },
  ],
  [until, { '2026-12-31': 1798761600000, '2026-12-31T12:00Z': 1798718400000 }],
] as const)
  for (const [text, value] of Object.entries(good))
    test(`${read.name} reads ${text}`, () => assert.equal(read('It', text), value))

for (const [read, bad] of [
  [usd, ['', '-5', '5 USD', '1e3', '1,5', 'NaN', '0x10']],
  [count, ['', '-1', '1.5', '1e3', 'many', '1234567890123456']],
  [span, ['', '1', 'h', '1y', '-1h', '1.5h', '9999999999d']],
  [moment, ['', '2026-02-31', '2026-13-01', '31.12.2026', '2026-12-31T12:00', 'yesterday']],
] as const)
  for (const text of bad)
    test(`${read.name} refuses '${text}' with an example of what it takes`, () =>
      assert.throws(
        () => read('--it', text),
        (error: unknown) => error instanceof UsageError && /^--it is .*such as/.test(error.message),
      ))

test('an end is a span from now on, or a moment that is still to come', () => {
  assert.equal(end('--expires', '30d', nowMs), nowMs + 30 * 86_400_000)
  assert.equal(end('--expires', '2026-12-31', nowMs), Date.parse('2026-12-31'))
  for (const passed of ['2026-05-05', '2020-01-01', '0s'])
    assert.throws(() => end('--expires', passed, nowMs), /has passed/)
})

test('lists are split at commas, and empty words left out', () => {
  assert.deepEqual(words(['a, b', 'c,']), ['a', 'b', 'c'])
  assert.equal(words(undefined), undefined)
})

test('amounts have two decimals or as many as they need, never rounded', () =>
  assert.deepEqual([0, 5, 0.15, 0.000000001, 1234.5678].map(dollars), [
    '0.00',
    '5.00',
    '0.15',
    '0.000000001',
    '1234.5678',
  ]))

test('names of others cannot move the cursor of a terminal', () =>
  assert.equal(plain('a\u001b[31mb\nc\u202e'), 'a?[31mb?c?'))
