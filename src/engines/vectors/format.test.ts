import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { decodeVectors, encodeVectors } from './format.ts'

const CONTENT = {
  name: 'test-model',
  semantic: 4,
  lexical: 8,
  blend: { semantic: 0.5, unknownIdf: 9, pieces: 0.5, han: 0.5, digit: 0.5 },
  tokens: ['the', '猫', 'cat'],
  idf: Float32Array.of(0.5, 6, 7),
  scales: Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5),
  table: Int8Array.from({ length: 20 }, (_, i) => i * 12 - 120),
  variants: new Map([['貓', '猫']]),
}

test('what is encoded is decoded', () => {
  const { header, ...rest } = decodeVectors(encodeVectors(CONTENT))
  const { name, semantic, lexical, blend, ...content } = CONTENT
  assert.deepEqual(rest, content)
  assert.deepEqual(header, { name, semantic, lexical, blend, tokens: 3, pieces: 2, tokenBytes: 11, variantBytes: 6 })
})

test('the table is a view of the file, not a copy', () => {
  const file = encodeVectors(CONTENT)
  assert.equal(decodeVectors(file).table.buffer, file.buffer)
})

test('a file cut at any byte is refused', () => {
  const file = encodeVectors(CONTENT)
  for (let length = 0; length < file.length; length++) {
    assert.throws(() => decodeVectors(file.subarray(0, length)), /vector model/, `cut at ${length}`)
  }
  assert.throws(() => decodeVectors(Buffer.concat([file, Buffer.alloc(1)])), /vector model/)
})

test('a file with any one byte changed is refused', () => {
  const file = encodeVectors(CONTENT)
  for (let at = 0; at < file.length; at++) {
    const broken = Buffer.from(file)
    broken[at] = (broken[at] ?? 0) ^ 0x5a
    assert.throws(() => decodeVectors(broken), /vector model/, `byte ${at}`)
  }
})

test('a header that lies is refused, although its checksum is right', () => {
  const lies: [RegExp, RegExp, string][] = [
    [/"tokens":3/, /promises/, '"tokens":4'],
    [/"pieces":2/, /promises/, '"pieces":9'],
    [/"pieces":2/, /impossible/, '"pieces":0'],
    [/"semantic":4/, /impossible/, '"semantic":-4'],
    [/"lexical":8/, /impossible/, '"lexical":1e9'],
    [/"tokenBytes":11/, /impossible/, '"tokenBytes":1.5'],
    [/"unknownIdf":9/, /impossible/, '"unknownIdf":"9"'],
    [/"name"/, /impossible/, '"nome"'],
    [/^\{/, /not JSON/, '['],
  ]
  for (const [find, message, replacement] of lies) {
    assert.throws(() => decodeVectors(withHeader(find, replacement)), message, replacement)
  }
})

test('a file of another version or kind says so', () => {
  const newer = encodeVectors(CONTENT)
  newer.writeUInt32LE(2, 8)
  assert.throws(() => decodeVectors(newer), /version 2: this program reads version 1/)
  assert.throws(() => decodeVectors(Buffer.from('GGUF'.padEnd(64))), /does not start with PARLVEC/)
  assert.throws(() => decodeVectors(Buffer.alloc(0)), /does not start with PARLVEC/)
})

test('a number that is not finite is refused', () => {
  assert.throws(() => decodeVectors(encodeVectors({ ...CONTENT, idf: Float32Array.of(1, Number.NaN, 1) })), /finite/)
})

/** The same file with its header edited and its checksum made right again. */
function withHeader(find: RegExp, replacement: string): Buffer {
  const file = encodeVectors(CONTENT)
  const end = 20 + file.readUInt32LE(12)
  const header = Buffer.from(file.toString('utf8', 20, end).replace(find, replacement))
  const body = Buffer.concat([header, file.subarray(end)])
  const start = Buffer.from(file.subarray(0, 20))
  start.writeUInt32LE(header.length, 12)
  start.writeUInt32LE(crc32(body), 16)
  return Buffer.concat([start, body])
}
