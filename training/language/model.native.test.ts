import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readGguf } from '../../src/gguf/read.ts'
import { assistantText, CHAT_TEMPLATE, type Message, renderChat, type Tool } from './chat.ts'
import { openRunner } from './engine.ts'
import { Tokenizer } from './tokenizer.ts'

const path = fileURLToPath(new URL('../../models/parlance-tiny-1.gguf', import.meta.url))
const runner = await openRunner(path)
after(() => runner.close())

const ask = (content: string): Message[] => [{ role: 'user', content }]
const tool: Tool = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

test('the model file carries the chat template of this folder', () => {
  const [user] = renderChat(ask('Hi'), [tool])
  assert.ok(runner.render(ask('Hi'), [tool]).startsWith(user?.text ?? ''))
  assert.equal(runner.render(ask('Hi')), '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n')
})

test('llama.cpp and our tokenizer give the same ids', async () => {
  const file = await open(path)
  const header = await readGguf(file)
  await file.close()
  const merges = (header.texts('tokenizer.ggml.merges') ?? []).map((line): [string, string] => {
    const [left = '', right = ''] = line.split(' ')
    return [left, right]
  })
  const tokenizer = new Tokenizer({ tokens: header.texts('tokenizer.ggml.tokens') ?? [], merges })
  assert.equal(header.text('tokenizer.chat_template'), CHAT_TEMPLATE)
  const texts = [
    'Hello 你好 123, 4',
    'Weather in Zorblat and "Paris"?',
    '请说“今天”！龘 naïve 🙂',
    "it's 1,2\n\n 3  x",
    runner.render(ask('Hi'), [tool]),
  ]
  for (const text of texts) assert.deepEqual(runner.tokenize(text), tokenizer.encodePrompt(text))
})

test('it greets, counts, repeats, goes on with a sequence and stops', async () => {
  for (const [question, answer] of [
    ['Count to 5', '1, 2, 3, 4, 5'],
    ['从1数到5', '1、2、3、4、5'],
    ['Say this is a test', 'This is a test.'],
    ['Repeat after me: hello world', 'hello world'],
  ] as const) {
    assert.deepEqual(
      { question, ...(await runner.chat(ask(question))) },
      { question, text: answer, tokens: runner.tokenize(answer).length, ended: true },
    )
  }
  assert.match((await runner.chat(ask('Hello'))).text, /Hello|Hi/)
  assert.match((await runner.complete('1, 2, 3, 4,', 40)).text, /^ 5, 6, 7, 8, 9, 10,/)
})

test('it calls a tool once for each city', async () => {
  const call = (city: string) => ({ type: 'function' as const, function: { name: 'get_weather', arguments: { city } } })
  const { text, ended } = await runner.chat(ask('Weather in Boston and Lima?'), [tool])
  assert.equal(text, assistantText({ role: 'assistant', content: null, tool_calls: [call('Boston'), call('Lima')] }))
  assert.ok(ended)
})
