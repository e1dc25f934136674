import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from './faults.ts'
import { parseJson } from './json.ts'
import { seededRandom } from './random.ts'

const limits = { maxDepth: 64 }
const parse = (text: string) => parseJson(Buffer.from(text), limits)
const refusal = (text: string | Uint8Array, code: string | null, words: RegExp) => {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  assert.throws(
    () => parseJson(bytes, limits),
    (error: unknown) => {
      assert.ok(error instanceof Fault)
      assert.equal(error.status, 400)
      assert.equal(error.code, code)
      assert.match(error.message, words)
      return true
    },
  )
}

test('what is JSON comes out as JSON.parse gives it', () => {
  const texts = [
    '{"a":[1,-2.5e-3,true,false,null,"x"],"b":{}}',
    ' \n[ ]\t',
    '"a \\"quoted\\" \\\\ text with { [ and \\u4e2d 中 😀"',
    `"${'long '.repeat(100)}\\\\\\" { [ ${'\\\\'.repeat(60)}"`,
    '0',
    '1e308',
    '{"a":1,"a":2}',
    '{"constructor":{"type":"string"},"prototype":1,"\\u0061":1}',
  ]
  for (const text of texts) assert.deepEqual(parse(text), JSON.parse(text))
})

test('a byte order mark in front is tolerated', () => {
  assert.deepEqual(parse('\ufeff{"a":1}'), { a: 1 })
})

test('bytes that are not UTF-8 are refused', () => {
  refusal(Uint8Array.of(0x22, 0xff, 0x22), null, /not UTF-8/)
  refusal(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), null, /not UTF-8/)
  refusal(Uint8Array.of(0x22, 0xe4, 0xb8), null, /not UTF-8/)
})

test('64 levels are read, 65 are refused before anything is parsed', () => {
  const nested = (levels: number) => `${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`
  assert.doesNotThrow(() => parse(nested(64)))
  refusal(nested(66), 'json_too_deep', /at most 64 levels/)
  refusal('['.repeat(5_000_000), 'json_too_deep', /at most 64 levels/)
})

test('brackets in strings are no levels, however the strings are escaped', () => {
  for (const text of ['['.repeat(100), `\\"${'['.repeat(100)}`, `\\\\\\"${'{'.repeat(30)}\\"${'['.repeat(70)}\\\\`]) {
    assert.doesNotThrow(() => parse(`["${text}",[]]`))
  }
  refusal(`["\\\\",${'['.repeat(64)}${']'.repeat(64)}]`, 'json_too_deep', /64/)
})

test('broken JSON is refused with a position and without its content', () => {
  refusal('{"secret": tru}', null, /unexpected character at position 11\./)
  refusal('{"secret":1,}', null, /position 12\./)
  refusal('{"a" 1}', null, /position 5\./)
  refusal('[1 2]', null, /position 3\./)
  refusal('{"a":"x\ny"}', null, /position 7\./)
  refusal('{"a":"\\x"}', null, /position 6\./)
  refusal('{} trailing', null, /position 3\./)
  refusal("{'a':1}", null, /position 1\./)
  refusal('[01]', null, /position 2\./)
  refusal('{"a":[1', null, /ends too early/)
  refusal('{"a":"b', null, /ends too early/)
  refusal('', null, /empty/)
  refusal(' \n', null, /empty/)
  refusal(`[${'1,'.repeat(100_000)}]`, null, /its syntax is broken/)
  assert.throws(
    () => parse('{"secret": tru}'),
    error => error instanceof Fault && !error.message.includes('secret'),
  )
})

test('numbers that do not fit a double are refused', () => {
  for (const text of ['1e999', '[-1e400]', '{"a":1E+309}', `[${'9'.repeat(400)}]`]) refusal(text, null, /too large/)
  assert.deepEqual(parse('[1e-999, 1E5, 1e+2]'), [0, 100_000, 100])
})

test('half surrogate pairs are refused in values and keys, whole pairs are not', () => {
  refusal('"\\ud83d"', null, /half of a surrogate pair/)
  refusal('{"a":["x\\uDE00"]}', null, /half of a surrogate pair/)
  refusal('{"\\ud83d":1}', null, /half of a surrogate pair/)
  assert.equal(parse('"\\ud83d\\ude00"'), '😀')
  assert.equal(parse('"\\\\ud83d"'), '\\ud83d')
})

test('keys that poison prototypes are refused, also when escaped', () => {
  refusal('{"__proto__":{}}', null, /'__proto__'/)
  refusal('{"a":[{"\\u005f_proto__":1}]}', null, /'__proto__'/)
  refusal('{"a":{"constructor":{"prototype":{}}}}', null, /'constructor'/)
  refusal('{"constructor":{"prot\\u006ftype":{}}}', null, /'constructor'/)
  assert.doesNotThrow(() => parse('{"text":"__proto__ and constructor.prototype"}'))
})

test('random texts are read as JSON.parse reads them, or refused when it refuses them', () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"a"',
    '\\',
    '\\"',
    '1',
    '-',
    '0',
    '.5',
    'e',
    'true',
    'null',
    ' ',
    'é',
    '\\u00e9',
  ]
  const random = seededRandom(12345)
  let read = 0
  for (let round = 0; round < 6_000; round++) {
    const text = Array.from({ length: 1 + (random.uint32() % 9) }, () => pieces[random.uint32() % pieces.length]).join(
      '',
    )
    let expected: unknown
    try {
      expected = JSON.parse(text)
    } catch {
      assert.throws(() => parse(text), Fault, text)
      continue
    }
    assert.deepEqual(parse(text), expected, text)
    read++
  }
  assert.ok(read > 60, `${read} texts were JSON`)
})

test('more keys than the limit are refused before anything is parsed; colons in strings are no keys', () => {
  const keys = (count: number) => `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',')}}`
  assert.doesNotThrow(() => parse(keys(100_000)))
  refusal(keys(100_001), 'json_too_many_keys', /at most 100000/)
  assert.doesNotThrow(() => parse(`["${':'.repeat(200_000)}"]`))
})
