import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../lib/clock.ts'
import { Entries, entryOverheadBytes } from './entries.ts'

const always = { maxAgeMs: Number.POSITIVE_INFINITY, minFreshMs: 0 }
const reply = (length: number, ttlMs = 1000) => ({ bytes: Buffer.alloc(length, 'x'), isStream: false, ttlMs })
const entryBytes = (length: number) => length + entryOverheadBytes

test('a reply is found until its time is over, and is then gone', () => {
  const clock = manualClock()
  const entries = new Entries(clock, 10_000)
  entries.put('a', reply(10))
  clock.advance(999)
  assert.equal(entries.find('a', always)?.ageMs, 999)
  clock.advance(1)
  assert.equal(entries.find('a', always), undefined)
  assert.deepEqual([entries.size, entries.bytes], [0, 0])
})

test('an age that is asked for hides a reply, and throws none away', () => {
  const clock = manualClock()
  const entries = new Entries(clock, 10_000)
  entries.put('a', reply(10))
  assert.ok(entries.find('a', { ...always, maxAgeMs: 0 }))
  clock.advance(300)
  const rows: [object, boolean][] = [
    [{ maxAgeMs: 299 }, false],
    [{ maxAgeMs: 300 }, true],
    [{ minFreshMs: 700 }, true],
    [{ minFreshMs: 701 }, false],
  ]
  for (const [asked, found] of rows) assert.equal(entries.find('a', { ...always, ...asked }) !== undefined, found)
  assert.equal(entries.size, 1)
})

test('filled with ten times its bound, it stays within it, and the last ones are there', () => {
  const maxBytes = 100_000
  const entries = new Entries(manualClock(), maxBytes)
  const count = Math.ceil((10 * maxBytes) / entryBytes(488))
  for (let at = 0; at < count; at++) {
    entries.put(`key ${at}`, reply(488))
    assert.ok(entries.bytes <= maxBytes)
  }
  assert.equal(entries.size, maxBytes / entryBytes(488))
  assert.equal(entries.bytes, maxBytes)
  for (let back = 1; back <= entries.size; back++) assert.ok(entries.find(`key ${count - back}`, always))
  assert.equal(entries.find(`key ${count - entries.size - 1}`, always), undefined)
})

test('what is over and is never asked for again goes, too', () => {
  const clock = manualClock()
  const entries = new Entries(clock, 10_000)
  entries.put('a', reply(10))
  entries.put('b', reply(10, 100_000))
  clock.advance(59_999)
  entries.put('c', reply(10))
  assert.equal(entries.size, 3)
  clock.advance(1)
  entries.put('d', reply(10))
  assert.deepEqual([entries.size, entries.bytes], [3, 3 * entryBytes(10)])
})

test('a part of a large buffer does not keep all of it', () => {
  const entries = new Entries(manualClock(), 10_000)
  entries.put('a', { bytes: Buffer.alloc(100_000, 'x').subarray(0, 10), isStream: false, ttlMs: 1000 })
  const { kept } = entries.find('a', always)!
  assert.deepEqual([kept.bytes.toString(), kept.bytes.buffer.byteLength], ['xxxxxxxxxx', 10])
})

test('those that are asked for stay, the others go', () => {
  const entries = new Entries(manualClock(), 3 * entryBytes(100))
  for (const key of ['a', 'b', 'c']) entries.put(key, reply(100))
  assert.ok(entries.find('a', always))
  entries.put('d', reply(100))
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map(key => entries.find(key, always) !== undefined),
    [true, false, true, true],
  )
})

test('a newer reply takes the place of an older one, and what is larger than all room changes nothing else', () => {
  const clock = manualClock()
  const entries = new Entries(clock, 3 * entryBytes(100))
  entries.put('a', reply(100))
  clock.advance(500)
  entries.put('a', reply(50))
  assert.deepEqual([entries.size, entries.bytes], [1, entryBytes(50)])
  assert.equal(entries.find('a', always)?.ageMs, 0)
  entries.put('b', reply(10_000))
  assert.deepEqual([entries.find('b', always), entries.size], [undefined, 1])
})
