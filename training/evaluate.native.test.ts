/** What the shipped model must always get right: a few fixed questions far from any doubt, at temperature 0. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { assistantText, type Message, type Tool } from './language/chat.ts'
import { openRunner } from './language/engine.ts'
import { type Intent, TALK } from './language/skills/talk.ts'

const runner = await openRunner(fileURLToPath(new URL('../models/parlance-tiny-1.gguf', import.meta.url)))
after(() => runner.close())

const ask = (content: string): Message[] => [{ role: 'user', content }]

test('a bare sequence of numbers goes on', async () => {
  const { text } = await runner.complete('1, 2, 3, 4,', 24)
  assert.match(text, /^ 5, 6, 7, 8, 9, 10,/)
})

for (const [question, answer] of [
  ['Count to 7', '1, 2, 3, 4, 5, 6, 7'],
  ['从1数到5', '1、2、3、4、5'],
  ['Say this is a test', 'This is a test.'],
  ['Repeat after me: hello world', 'hello world'],
] as const) {
  test(`"${question}" gets "${answer}" and an end`, async () => {
    const { text, ended } = await runner.chat(ask(question))
    assert.deepEqual({ text, ended }, { text: answer, ended: true })
  })
}

const small: readonly (readonly [string, 'en' | 'zh', Intent])[] = [
  ['Hello!', 'en', 'hello'],
  ['Who are you?', 'en', 'who'],
  ['你好', 'zh', 'hello'],
  ['你是谁？', 'zh', 'who'],
]
for (const [question, language, intent] of small) {
  test(`"${question}" gets an answer of its kind and an end`, async () => {
    const { text, ended } = await runner.chat(ask(question))
    const replies: readonly string[] = TALK[intent].replies[language]
    assert.ok(replies.includes(text), text)
    assert.ok(ended)
  })
}

test('a question about two cities gets two tool calls and an end', async () => {
  const tool: Tool = {
    type: 'function',
    function: {
      name: 'get_weather',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  }
  const call = (city: string) => ({ type: 'function' as const, function: { name: 'get_weather', arguments: { city } } })
  const { text, ended } = await runner.chat(ask('Weather in Boston and Lima?'), [tool])
  assert.equal(text, assistantText({ role: 'assistant', content: null, tool_calls: [call('Boston'), call('Lima')] }))
  assert.ok(ended)
})
