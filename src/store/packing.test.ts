import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inserted, packed, packedOutcomes, unpacked, unpackedOutcomes } from './packing.ts'
import type { CallMessage, Outcome } from './writer-messages.ts'

const values = [
  null,
  0,
  -1,
  1.5,
  2 ** 53 - 1,
  -(2 ** 53 - 1),
  5e-324,
  '',
  'ü☕',
  '\u0000',
  '\ud800',
  '"\\\n\u2028',
  '__proto__',
]

test('calls come out of the text as they went in', () => {
  const calls: CallMessage[] = [
    [{ text: 0, parameters: values, expectChanges: undefined }],
    [
      { text: 1, parameters: [], expectChanges: 0 },
      { text: 2, parameters: ['x'], expectChanges: 3 },
    ],
    [],
  ]
  const sent = packed(calls)
  assert.equal(typeof sent, 'string')
  assert.deepEqual(unpacked(sent), calls)
})

test('bytes travel as they are', () => {
  const calls: CallMessage[] = [[{ text: 0, parameters: ['a', new Uint8Array([0, 255])] }]]
  assert.equal(packed(calls), calls)
  assert.equal(unpacked(calls), calls)
})

test('outcomes that say nothing are counted, all others are told', () => {
  assert.equal(packedOutcomes([inserted, inserted]), 2)
  assert.deepEqual(unpackedOutcomes(2), [inserted, inserted])
  const failed: Outcome = { ok: false, failure: { kind: 'stale', message: 'changed' } }
  assert.deepEqual(unpackedOutcomes(packedOutcomes([inserted, failed])), [inserted, failed])
})
