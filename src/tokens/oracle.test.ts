import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get_encoding, type TiktokenEncoding } from 'tiktoken'
import { seededRandom } from '../lib/random.ts'
import { getEncoding } from './index.ts'
import { generateText } from './test-texts.ts'

const names: readonly TiktokenEncoding[] = ['gpt2', 'r50k_base', 'p50k_base', 'p50k_edit', 'cl100k_base', 'o200k_base']

/** A million are compared in the slow suite. */
const textsPerName = 4_000

for (const name of names) {
  test(`${name} gives the tokens of tiktoken for generated texts, and the texts back`, () => {
    const ours = getEncoding(name)
    const theirs = get_encoding(name)
    try {
      const random = seededRandom(20_260_101)
      for (let i = 0; i < textsPerName; i++) {
        const text = generateText(random)
        const expected = Array.from(theirs.encode_ordinary(text))
        const tokens = ours.encodeOrdinary(text)
        if (tokens.join() !== expected.join()) assert.deepEqual(tokens, expected, `text ${i}: ${JSON.stringify(text)}`)
        assert.equal(ours.count(text), expected.length)
        assert.equal(ours.decode(expected), text.toWellFormed())
      }
    } finally {
      theirs.free()
    }
  })

  test(`${name} gives the tokens of tiktoken for long pieces`, () => {
    const ours = getEncoding(name)
    const theirs = get_encoding(name)
    try {
      const random = seededRandom(7)
      for (const alphabet of [
        'a',
        ' ',
        '的',
        '^',
        '0',
        '\n',
        'ab',
        'etaoin',
        '的一是不',
        '=-',
        ' \t',
        'ーァア',
        'абвг',
        '😀',
        'Aé',
      ]) {
        const characters = [...alphabet]
        for (const length of [64, 65, 129, 700, 1_500]) {
          const text = Array.from({ length }, () => characters[random.uint32() % characters.length]).join('')
          assert.deepEqual(
            ours.encodeOrdinary(text),
            Array.from(theirs.encode_ordinary(text)),
            JSON.stringify(alphabet),
          )
        }
      }
    } finally {
      theirs.free()
    }
  })

  test(`${name} treats special tokens as tiktoken does`, () => {
    const ours = getEncoding(name)
    const theirs = get_encoding(name)
    try {
      const random = seededRandom(99)
      const all = [...ours.specialTokens.keys()]
      for (let i = 0; i < 300; i++) {
        const text = Array.from({ length: 4 }, () => generateText(random, 12) + all[random.uint32() % all.length]).join(
          '',
        )
        assert.deepEqual(ours.encode(text, { allowedSpecial: 'all' }), Array.from(theirs.encode(text, 'all')))
        const allowed = all.filter(() => random.uint32() % 2 === 0)
        assert.deepEqual(
          ours.encode(text, { allowedSpecial: allowed, disallowedSpecial: [] }),
          Array.from(theirs.encode(text, allowed, [])),
        )
        const isRefused = all.some(token => !allowed.includes(token) && text.includes(token))
        if (!isRefused) continue
        assert.throws(() => theirs.encode(text, allowed))
        assert.throws(() => ours.encode(text, { allowedSpecial: allowed }), { code: 'disallowed_special_token' })
      }
    } finally {
      theirs.free()
    }
  })
}
