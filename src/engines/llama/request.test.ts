import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import { chatAsked, completionAsked } from './request.ts'

const chat = (more: Partial<ChatRequest>): ChatRequest => ({
  model: 'm',
  messages: [{ role: 'user', content: 'Hi' }],
  ...more,
})

describe('requests for the model’s process', () => {
  it('have OpenAI’s defaults', () => {
    assert.deepEqual(chatAsked(chat({}), 9), {
      type: 'chat',
      messages: [{ role: 'user', content: 'Hi' }],
      n: 1,
      temperature: 1,
      topP: 1,
      seed: 9,
      stop: [],
    })
    const completion = completionAsked({ model: 'm' }, 9)
    assert.deepEqual([completion.maxTokens, completion.prompts], [16, ['']])
  })

  it('carry 64-bit seeds modulo 2^32, negative ones too', () => {
    assert.equal(chatAsked(chat({ seed: 2 ** 32 + 7 }), 0).seed, 7)
    assert.equal(chatAsked(chat({ seed: -1 }), 0).seed, 2 ** 32 - 1)
    assert.equal(chatAsked(chat({ seed: 0 }), 5).seed, 0)
  })

  it('take every form of stop and prompt', () => {
    assert.deepEqual(chatAsked(chat({ stop: 'a' }), 0).stop, ['a'])
    assert.deepEqual(chatAsked(chat({ stop: ['a', 'b'] }), 0).stop, ['a', 'b'])
    assert.deepEqual(completionAsked({ model: 'm', prompt: [1, 2] }, 0).prompts, [[1, 2]])
    assert.deepEqual(completionAsked({ model: 'm', prompt: [[1], [2]] }, 0).prompts, [[1], [2]])
    assert.deepEqual(completionAsked({ model: 'm', prompt: ['a', 'b'] }, 0).prompts, ['a', 'b'])
  })

  it('prefer the newer name of the token limit', () => {
    assert.equal(chatAsked(chat({ max_completion_tokens: 3, max_tokens: 5 }), 0).maxTokens, 3)
    assert.equal(chatAsked(chat({ max_tokens: 5 }), 0).maxTokens, 5)
  })

  it('bring messages into the form that templates know', () => {
    const { messages } = chatAsked(
      chat({
        messages: [
          {
            role: 'developer',
            content: [
              { type: 'text', text: 'Be' },
              { type: 'text', text: ' kind' },
            ],
          },
          {
            role: 'assistant',
            tool_calls: [
              { id: '1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
              { id: '2', type: 'function', function: { name: 'g', arguments: 'not JSON' } },
            ],
          },
        ],
      }),
      0,
    )
    assert.deepEqual(messages, [
      { role: 'system', content: 'Be kind' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [
          { id: '1', type: 'function', function: { name: 'f', arguments: { a: 1 } } },
          { id: '2', type: 'function', function: { name: 'g', arguments: 'not JSON' } },
        ],
      },
    ])
  })

  it('refuse what is no text, and too many choices', () => {
    const image = { type: 'image_url' as const, image_url: { url: 'data:,' } }
    const faulty = (param: string) => (error: unknown) =>
      error instanceof Fault && error.status === 400 && error.param === param
    assert.throws(
      () => chatAsked(chat({ messages: [{ role: 'user', content: [image] }] }), 0),
      faulty('messages.0.content'),
    )
    assert.throws(() => completionAsked({ model: 'm', prompt: Array(100).fill('x'), n: 100 }, 0), faulty('n'))
  })
})
