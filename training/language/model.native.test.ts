import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readGguf } from '../../src/gguf/read.ts'
import { CHAT_TEMPLATE, type Message, renderChat, type Tool } from './chat.ts'
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
