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

  it('carry tools in either form, and nothing when there are none', () => {
    const definition = { name: 'f' }
    const tool = { type: 'function' as const, function: definition }
    assert.deepEqual(chatAsked(chat({ tools: [tool], parallel_tool_calls: false }), 0).tools, {
      tools: [tool],
      choice: undefined,
      parallel: false,
      older: false,
    })
    assert.deepEqual(chatAsked(chat({ functions: [definition], function_call: { name: 'f' } }), 0).tools, {
      tools: [tool],
      choice: { type: 'function', function: { name: 'f' } },
      parallel: false,
      older: true,
    })
    for (const none of [{}, { tools: [] }, { tools: null, tool_choice: 'none' as const }])
      assert.equal(chatAsked(chat(none), 0).tools, undefined)
  })

  it('carry the form of the reply', () => {
    assert.equal(chatAsked(chat({ response_format: { type: 'text' } }), 0).format, undefined)
    const schema = { type: 'object' }
    const json_schema = { name: 'a', schema, strict: true }
    assert.deepEqual(chatAsked(chat({ response_format: { type: 'json_schema', json_schema } }), 0).format, json_schema)
    assert.equal(chatAsked(chat({ response_format: { type: 'json_object' } }), 0).format?.schema, null)
  })

  it('carry the key by which caches are told apart', () => {
    assert.equal(chatAsked(chat({ prompt_cache_key: 'k' }), 0).cacheKey, 'k')
    assert.equal('cacheKey' in chatAsked(chat({ prompt_cache_key: null }), 0), false)
  })

  it('refuse too many choices, and tools that are no functions', () => {
    const custom = { type: 'custom' as const, custom: { name: 'c' } }
    const faulty = (param: string) => (error: unknown) =>
      error instanceof Fault && error.status === 400 && error.param === param
    assert.throws(() => chatAsked(chat({ tools: [custom] }), 0), faulty('tools.0.type'))
    assert.throws(() => completionAsked({ model: 'm', prompt: Array(100).fill('x'), n: 100 }, 0), faulty('n'))
  })
})
