import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../lib/faults.ts'
import { ChatRequest } from './chat.ts'
import { CompletionRequest } from './completions.ts'
import { EmbeddingRequest } from './embeddings.ts'
import { type GenerationOperation, refuseUnsupported } from './parameters.ts'

const hello = [{ role: 'user', content: 'Hello' }]

function refused(operation: GenerationOperation, body: object, param: string, code: string | null): void {
  assert.throws(
    () => refuseUnsupported(operation, body, 'parlance-1'),
    (error: unknown) => {
      assert.ok(error instanceof Fault, JSON.stringify(body))
      assert.deepEqual([error.status, error.param, error.code], [400, param, code], JSON.stringify(body))
      return true
    },
  )
}
const chat = (more: object) => ({ model: 'm', messages: hello, ...more })
const message = (more: object) => ({ model: 'm', messages: [...hello, { role: 'user', content: 'x', ...more }] })

/** A value of each known parameter that would change the reply. */
const effective: Record<GenerationOperation, Record<string, unknown>> = {
  chat: {
    modalities: ['text', 'audio'],
    audio: { voice: 'alloy', format: 'wav' },
    prediction: { type: 'content', content: 'x' },
    verbosity: 'low',
    web_search_options: {},
    moderation: { model: 'm' },
    prompt_cache_retention: '24h',
    prompt_cache_options: { mode: 'explicit' },
  },
  completions: {},
  embeddings: {},
}
const implemented: Record<GenerationOperation, Record<string, unknown>> = {
  chat: {
    model: 'm',
    messages: hello,
    stream: true,
    stream_options: { include_usage: true },
    max_completion_tokens: 9,
    max_tokens: null,
    temperature: 0.3,
    top_p: 0.5,
    n: 2,
    stop: ['x'],
    seed: 7,
    user: 'u',
    presence_penalty: 0.5,
    frequency_penalty: -1,
    logit_bias: { 1: 5 },
    logprobs: true,
    top_logprobs: 3,
    response_format: { type: 'json_object' },
    tools: [{ type: 'function', function: { name: 'f' } }],
    tool_choice: 'required',
    parallel_tool_calls: false,
    functions: [],
    function_call: 'auto',
    reasoning_effort: 'low',
    store: true,
    metadata: { a: 'b' },
    service_tier: 'auto',
    prompt_cache_key: 'k',
    safety_identifier: 'u',
  },
  completions: {
    model: 'm',
    prompt: 'x',
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 0,
    temperature: 0.3,
    top_p: 0.5,
    n: 2,
    stop: 'x',
    seed: 7,
    user: 'u',
    suffix: 'x',
    best_of: 3,
    logprobs: 0,
    echo: true,
    presence_penalty: 1,
    frequency_penalty: 1,
    logit_bias: { 1: 1 },
  },
  embeddings: { model: 'm', input: 'x', encoding_format: 'base64', dimensions: 8, user: 'u' },
}

test('every parameter is either taken or refused by name', () => {
  const schemas = { chat: ChatRequest, completions: CompletionRequest, embeddings: EmbeddingRequest }
  const operations: GenerationOperation[] = ['chat', 'completions', 'embeddings']
  for (const operation of operations) {
    assert.doesNotThrow(() => refuseUnsupported(operation, implemented[operation], 'm'))
    for (const [name, value] of Object.entries(effective[operation])) {
      refused(operation, { ...implemented[operation], [name]: value }, name, 'unsupported_parameter')
    }
    const covered = [...Object.keys(implemented[operation]), ...Object.keys(effective[operation])]
    const missing = Object.keys(schemas[operation].properties).filter(name => !covered.includes(name))
    assert.deepEqual(missing, [], `${operation}: neither among the implemented nor the refused`)
  }
})

test('a value that changes nothing is no reason to refuse', () => {
  const neutral = [
    { presence_penalty: 0, frequency_penalty: 0, logit_bias: {}, logprobs: false, top_logprobs: null },
    { tools: [], tool_choice: 'auto', parallel_tool_calls: true, response_format: { type: 'text' } },
    { tools: null, tool_choice: 'none', function_call: 'none', modalities: ['text'], service_tier: 'auto' },
    { metadata: {}, store: false, reasoning_effort: null, prediction: null, audio: null, verbosity: null },
    { prompt_cache_retention: 'in_memory', prompt_cache_options: { mode: 'implicit' }, verbosity: 'medium' },
  ]
  for (const fields of neutral) assert.doesNotThrow(() => refuseUnsupported('chat', chat(fields), 'm'))
  assert.doesNotThrow(() =>
    refuseUnsupported('completions', { best_of: 1, echo: false, suffix: null, logprobs: null, logit_bias: null }, 'm'),
  )
  assert.doesNotThrow(() => refuseUnsupported('completions', { best_of: 2, n: 2 }, 'm'))
})

test('the older form of tools stands alone', () => {
  const tools = [{ type: 'function', function: { name: 'f' } }]
  const functions = [{ name: 'f' }]
  assert.doesNotThrow(() => refuseUnsupported('chat', chat({ functions, function_call: { name: 'f' } }), 'm'))
  refused('chat', chat({ functions, tools }), 'functions', 'unsupported_parameter')
  refused('chat', chat({ functions, tool_choice: 'none' }), 'tool_choice', 'unsupported_parameter')
  refused('chat', chat({ tools, function_call: { name: 'f' } }), 'function_call', 'unsupported_parameter')
})

test('a neutral value with something beside it is not neutral', () => {
  refused('chat', chat({ modalities: ['text', 'text'] }), 'modalities', 'unsupported_parameter')
})

test('an unknown parameter is named', () => {
  refused('chat', chat({ temprature: 1 }), 'temprature', 'unknown_parameter')
  refused('completions', { prompt: 'x', toString: 1 }, 'toString', 'unknown_parameter')
  refused('embeddings', { input: 'x', truncate: null }, 'truncate', 'unknown_parameter')
  refused('chat', message({ mood: 'good' }), 'messages[1].mood', 'unknown_parameter')
  refused('chat', chat({ ['k'.repeat(1000)]: 1 }), `${'k'.repeat(64)}…`, 'unknown_parameter')
})

test('stream options are looked into, and need a stream', () => {
  refused('chat', chat({ stream_options: { include_usage: true } }), 'stream_options', 'invalid_value')
  refused('chat', chat({ stream: true, stream_options: { foo: 1 } }), 'stream_options.foo', 'unknown_parameter')
  const padded = chat({ stream: true, stream_options: { include_obfuscation: true } })
  refused('chat', padded, 'stream_options.include_obfuscation', 'unsupported_parameter')
  assert.doesNotThrow(() => refuseUnsupported('chat', chat({ stream_options: null }), 'm'))
})

test('two limits at once are refused instead of one winning', () => {
  refused('chat', chat({ max_tokens: 1, max_completion_tokens: 1 }), 'max_tokens', 'invalid_parameter_combination')
})

test('metadata are taken only where they are kept', () => {
  for (const store of [undefined, null, false])
    refused('chat', chat({ store, metadata: { a: 'b' } }), 'metadata', 'invalid_parameter_combination')
  assert.doesNotThrow(() => refuseUnsupported('chat', chat({ store: true, metadata: { a: 'b' } }), 'm'))
})

test('tiers that are not offered are refused by their name', () => {
  for (const service_tier of ['flex', 'scale', 'priority', 'fast'])
    refused('chat', chat({ service_tier }), 'service_tier', 'unsupported_value')
  for (const service_tier of ['auto', 'default', null])
    assert.doesNotThrow(() => refuseUnsupported('chat', chat({ service_tier }), 'm'))
})

test('the likeliest tokens are told only beside the log probabilities', () => {
  for (const more of [{}, { logprobs: false }, { logprobs: null }])
    refused('chat', chat({ ...more, top_logprobs: 2 }), 'top_logprobs', 'invalid_parameter_combination')
  assert.doesNotThrow(() => refuseUnsupported('chat', chat({ top_logprobs: 0 }), 'm'))
})

test('messages are looked into: what no engine reads, results without calls, messages without words', () => {
  refused('chat', message({ role: 'assistant', refusal: 'no' }), 'messages[1].refusal', 'unsupported_parameter')
  refused('chat', message({ role: 'assistant', audio: { id: 'a' } }), 'messages[1].audio', 'unsupported_parameter')
  refused('chat', message({ role: 'tool', tool_call_id: 'c' }), 'messages[1].tool_call_id', 'invalid_value')
  refused('chat', message({ role: 'assistant', content: null }), 'messages[1].content', 'invalid_type')
  refused('chat', { messages: [{ role: 'assistant' }] }, 'messages[0].content', 'missing_required_parameter')
  const image = { type: 'image_url', image_url: { url: 'data:' } }
  refused(
    'chat',
    message({ content: [{ type: 'text', text: 'a' }, image] }),
    'messages[1].content[1].type',
    'unsupported_value',
  )
  const cached = { type: 'text', text: 'a', cache_control: { type: 'ephemeral' } }
  refused('chat', message({ content: [cached] }), 'messages[1].content[0].cache_control', 'unknown_parameter')
})

test('an engine may take more: images, and fields of its own', () => {
  const image = { type: 'image_url', image_url: { url: 'data:' } }
  const seen = message({ content: [{ type: 'text', text: 'a' }, image] })
  assert.doesNotThrow(() => refuseUnsupported('chat', seen, 'm', { images: true }))
  const sound = message({ content: [{ type: 'input_audio', input_audio: { data: '', format: 'wav' } }] })
  const odd = message({ content: [{ ...image, cache: true }] })
  for (const [body, param] of [
    [sound, 'messages[1].content[0].type'],
    [odd, 'messages[1].content[0].cache'],
    [chat({ lora: [], other: 1 }), 'other'],
  ] as const)
    assert.throws(() => refuseUnsupported('chat', body, 'm', { images: true, fields: ['lora'] }), { param })
  refused('chat', chat({ lora: [] }), 'lora', 'unknown_parameter')
})

test('a reply can be pushed back into the conversation as it came', () => {
  const reply = { role: 'assistant', content: 'Hi', refusal: null, annotations: [], tool_calls: [], audio: null }
  assert.doesNotThrow(() => refuseUnsupported('chat', { messages: [...hello, reply, ...hello] }, 'm'))
})

test('a conversation with calls, names and refusals is taken', () => {
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '' } }
  const messages = [
    { ...hello[0], name: 'ann' },
    { role: 'assistant', content: null, tool_calls: [call], reasoning_content: 'hm' },
    { role: 'tool', tool_call_id: 'c', content: '5' },
    { role: 'assistant', function_call: { name: 'f', arguments: '{}' } },
    { role: 'function', name: 'f', content: null },
    { role: 'assistant', content: null, refusal: 'No.' },
  ]
  assert.doesNotThrow(() => refuseUnsupported('chat', { messages }, 'm'))
})
