import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tokenizerBy } from '../../../test/hostile/setting.ts'
import { scriptedEngine } from '../scripted.ts'
import type { PromptTokenizer, Tokenizer } from '../tokenizer.ts'
import type { RoutedTarget } from './target.ts'
import { tokenizerOf } from './tokenizer.ts'

const target = (model: string, tokenizer?: Tokenizer): RoutedTarget => ({
  engine: { ...scriptedEngine(), abilities: new Set(), ...(tokenizer && { tokenizer }) },
  upstream: 'u',
  model,
})
const letters: PromptTokenizer = tokenizerBy(text => text.length)
const words: PromptTokenizer = tokenizerBy(text => 3 * text.split(' ').length)

test('targets of one model count as that model does', () => {
  assert.equal(tokenizerOf([target('a', letters), target('a', words)]), letters)
})

test('targets of several models count as the one that counts most, and say so', async () => {
  const tokenizer = tokenizerOf([target('a', letters), target('b', words)])
  assert.deepEqual([await tokenizer?.count('a b'), await tokenizer?.count('abcdefghi')], [6, 9])
  const counted = await tokenizer?.countChat?.({ model: 'm', messages: [{ role: 'user', content: 'a b' }] })
  assert.deepEqual(counted, { tokens: 6, assumptions: ['a and b answer for it: the largest of their counts.'] })
})

test('nothing is counted where one of them cannot', () => {
  assert.equal(tokenizerOf([target('a', letters), target('b')]), undefined)
})
