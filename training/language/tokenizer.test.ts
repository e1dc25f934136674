import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BYTE_SYMBOLS, SPECIAL, symbols, Tokenizer, trainVocabulary } from './tokenizer.ts'

const texts = [
  'the weather in Paris is fine and the weather in "Parma" is {"city": "Paris"}\n',
  'Parents in Paris say "the" and count 1, 2, 3, 12. 你好，世界！你好吗？请说你好。',
  'the cat and the dog say the same: 你好 “世界”',
]
const vocabulary = trainVocabulary(Array.from({ length: 20 }, () => texts).flat(), {
  characters: 6,
  pieces: 40,
  spaced: 4,
})
const tokenizer = new Tokenizer(vocabulary)

function pieces(text: string): string[] {
  const bytes = new Map(BYTE_SYMBOLS.map((symbol, byte) => [symbol, byte]))
  return tokenizer
    .encode(text)
    .map(id => Buffer.from([...(vocabulary.tokens[id] ?? '')].map(c => bytes.get(c) ?? 0)).toString())
}

test('a name has the same pieces after a space, a quote and a line break', () => {
  const name = pieces('Paris')
  for (const before of [' ', '"', '\n', '“', '{"city": "'])
    assert.deepEqual(pieces(`${before}Paris`).slice(-name.length), name)
})

test('every digit, every Chinese character and every quote is a token of its own', () => {
  assert.deepEqual(pieces('12'), ['1', '2'])
  assert.deepEqual(pieces('你好'), ['你', '好'])
  assert.deepEqual(pieces('say "the"!').slice(-2), ['"', '!'])
})

test('a common word with a space before it is one token', () => {
  assert.deepEqual(pieces('and the'), ['and', ' the'])
})

test('tokens are all different and begin with the bytes', () => {
  assert.equal(new Set(vocabulary.tokens).size, vocabulary.tokens.length)
  assert.deepEqual(vocabulary.tokens.slice(0, 256), BYTE_SYMBOLS)
  assert.deepEqual(vocabulary.tokens.slice(-SPECIAL.length), SPECIAL)
})

test('any text comes back from its tokens', () => {
  const text = 'naïve café 🙂 龘\t\r\n  end'
  assert.equal(
    tokenizer
      .encode(text)
      .map(id => vocabulary.tokens[id])
      .join(''),
    symbols(text).join(''),
  )
})

test('special tokens are read in prompts only', () => {
  assert.ok(tokenizer.encode('<|im_end|>').length > 1)
  assert.deepEqual(tokenizer.encodePrompt('<|im_end|>'), [tokenizer.id('<|im_end|>')])
})

test('learning twice gives the same vocabulary', () => {
  assert.deepEqual(
    trainVocabulary(texts, { characters: 3, pieces: 9, spaced: 2 }),
    trainVocabulary(texts, { characters: 3, pieces: 9, spaced: 2 }),
  )
})
