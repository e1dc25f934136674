import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get_encoding, type TiktokenEncoding } from 'tiktoken'
import { seededRandom } from '../lib/random.ts'
import { classRuns } from './class-runs.ts'
import { deriveClassRuns } from './classes.generate.ts'
import { getEncoding } from './index.ts'
import { generateText } from './test-texts.ts'

/** Together more than a million. */
const counts: readonly (readonly [TiktokenEncoding, number])[] = [
  ['r50k_base', 100_000],
  ['p50k_base', 100_000],
  ['p50k_edit', 10_000],
  ['cl100k_base', 400_000],
  ['o200k_base', 400_000],
]

for (const [name, count] of counts) {
  test(`${name} gives the tokens of tiktoken for ${count} generated texts`, () => {
    const ours = getEncoding(name)
    const theirs = get_encoding(name)
    try {
      const random = seededRandom(1_000_003)
      for (let i = 0; i < count; i++) {
        const text = generateText(random, i % 50 === 0 ? 400 : 40)
        const expected = theirs.encode_ordinary(text)
        const tokens = ours.encodeOrdinary(text)
        if (tokens.join() === expected.join()) continue
        assert.deepEqual(tokens, Array.from(expected), `text ${i}: ${JSON.stringify(text)}`)
      }
    } finally {
      theirs.free()
    }
  })

  test(`${name} gives the tokens of tiktoken for pieces of several windows`, () => {
    const ours = getEncoding(name)
    const theirs = get_encoding(name)
    try {
      const random = seededRandom(11)
      for (const alphabet of [
        'a',
        ' ',
        '的',
        '^',
        '0',
        'ab',
        'etaoinshrdlu',
        '的一是不了人我在有',
        '=-',
        ' \t',
        'ーアイウ',
        '😀',
      ]) {
        const characters = [...alphabet]
        const text = Array.from({ length: 12_000 }, () => characters[random.uint32() % characters.length]).join('')
        assert.deepEqual(ours.encodeOrdinary(text), Array.from(theirs.encode_ordinary(text)), JSON.stringify(alphabet))
      }
    } finally {
      theirs.free()
    }
  })
}

test('the classes of code points are those of the engine of tiktoken', () => {
  assert.equal(deriveClassRuns(), classRuns)
})
