import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenKind } from './tokens.ts'
import { LONGEST_RUN, TokenReader } from './tokens.ts'

const VARIANTS = new Map([['說', '说']])

const cases: { name: string; text: string; tokens: string }[] = [
  { name: 'case and accents are folded', text: 'Crème BRÛLÉE', tokens: 'word:creme word:brulee' },
  {
    name: 'an apostrophe stays inside a word and is punctuation outside',
    text: "don’t 'go'",
    tokens: "word:don't silent:' word:go silent:'",
  },
  {
    name: 'a number is read whole and digit by digit',
    text: 'room 42',
    tokens: 'word:room digit:4 digit:2 number:42',
  },
  { name: 'full-width forms are plain ones', text: 'ＧＰＴ４', tokens: 'word:gpt digit:4 number:4' },
  {
    name: 'Han characters come alone and in pairs, traditional forms folded',
    text: '他說好',
    tokens: 'han:他 han:说 pair:他说 han:好 pair:说好',
  },
  { name: 'a pair does not reach over punctuation', text: '好。好', tokens: 'han:好 silent:。 han:好' },
  { name: 'emoji are symbols and their joiners nothing', text: '👍🏽 ❤️', tokens: 'symbol:👍 symbol:🏽 symbol:❤' },
  { name: 'other scripts are words', text: 'Привет мир', tokens: 'word:привет word:мир' },
  { name: 'a lone surrogate is punctuation', text: 'a\ud800b', tokens: 'word:a silent:\ud800 word:b' },
  { name: 'white space and combining marks alone are no tokens', text: ' \t\n\u0301\u0301', tokens: '' },
]

for (const { name, text, tokens } of cases) {
  test(name, () => {
    assert.equal(read(text, 1_000).join(' '), tokens)
  })
}

test('the tokens do not depend on how many units are read at a time', () => {
  const text = cases.map(one => one.text).join(' ')
  const whole = read(text, text.length)
  for (const units of [1, 2, 3, 7]) assert.deepEqual(read(text, units), whole)
})

test('a run of letters or digits is cut, so that a token is never longer than its bound', () => {
  assert.deepEqual(read('a'.repeat(2 * LONGEST_RUN + 1), 10), [
    `word:${'a'.repeat(LONGEST_RUN)}`,
    `word:${'a'.repeat(LONGEST_RUN)}`,
    'word:a',
  ])
  const numbers = read('7'.repeat(LONGEST_RUN + 1), 10).filter(one => one.startsWith('number'))
  assert.deepEqual(numbers, [`number:${'7'.repeat(LONGEST_RUN)}`, 'number:7'])
})

test('one read never visits more tokens than two per unit and the ends of two runs', () => {
  for (const text of ['的', 'a', ' ', '7', '\u0301', '\ud800', '😀', "a'", 'ﷺ', '.']) {
    const reader = new TokenReader(text.repeat(5_000), VARIANTS)
    let more = true
    while (more) {
      let visits = 0
      more = reader.read(100, () => {
        visits++
      })
      assert.ok(visits <= 2 * 101 + 2, `${visits} visits for ${JSON.stringify(text)}`)
    }
  }
})

function read(text: string, units: number): string[] {
  const tokens: string[] = []
  const reader = new TokenReader(text, VARIANTS)
  let more = true
  while (more) {
    more = reader.read(units, (kind: TokenKind, token) => {
      tokens.push(`${kind}:${token}`)
    })
  }
  return tokens
}
