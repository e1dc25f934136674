import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatChunk, ChatCompletion } from '../../src/wire/chat.ts'
import type { Completion, CompletionChunk } from '../../src/wire/completions.ts'
import type { EmbeddingList } from '../../src/wire/embeddings.ts'
import type { ErrorBody } from '../../src/wire/errors.ts'
import type { Model, ModelList } from '../../src/wire/models.ts'
import { eras, validateEvent, validateReply } from './validate.ts'

const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 }
const head = { id: 'chatcmpl-1', created: 1_700_000_000, model: 'm' }
const chat: ChatCompletion = {
  ...head,
  object: 'chat.completion',
  choices: [
    { index: 0, message: { role: 'assistant', content: 'Hi', refusal: null }, logprobs: null, finish_reason: 'stop' },
  ],
  usage,
}
const completion: Completion = {
  ...head,
  object: 'text_completion',
  choices: [{ index: 0, text: 'Hi', logprobs: null, finish_reason: 'length' }],
  usage,
}
const embeddings: EmbeddingList = {
  object: 'list',
  data: [{ object: 'embedding', index: 0, embedding: [0.1, 0.2] }],
  model: 'm',
  usage: { prompt_tokens: 1, total_tokens: 1 },
}
const model: Model = { id: 'm', object: 'model', created: 1, owned_by: 'parlance' }
const models: ModelList = { object: 'list', data: [model] }
const error: ErrorBody = { error: { message: 'No.', type: 'invalid_request_error', param: null, code: null } }

const chatEvents: ChatChunk[] = [
  chatEvent({ role: 'assistant', content: '' }, null),
  chatEvent({ content: 'Hi' }, null),
  chatEvent({}, 'stop'),
  { ...head, object: 'chat.completion.chunk', choices: [], usage },
]
const completionEvents: CompletionChunk[] = [
  completionEvent('Hi', null),
  completionEvent('', 'stop'),
  { ...head, object: 'text_completion', choices: [], usage },
]

function chatEvent(delta: ChatChunk['choices'][number]['delta'], finish: 'stop' | null): ChatChunk {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }]
  return { ...head, object: 'chat.completion.chunk', choices, usage: null }
}

function completionEvent(text: string, finish: 'stop' | null): CompletionChunk {
  return {
    ...head,
    object: 'text_completion',
    choices: [{ index: 0, text, logprobs: null, finish_reason: finish }],
    usage: null,
  }
}

test('what the wire describes passes the schemas of every era', () => {
  for (const era of eras) {
    assert.deepEqual(validateReply(era, 'POST', '/v1/chat/completions', 200, chat), [], era)
    assert.deepEqual(validateReply(era, 'POST', '/v1/completions', 200, completion), [], era)
    assert.deepEqual(validateReply(era, 'POST', '/v1/embeddings', 200, embeddings), [], era)
    assert.deepEqual(validateReply(era, 'get', '/models', 200, models), [], era)
    assert.deepEqual(validateReply(era, 'GET', '/v1/models/ft:m:org::1?x=y', 200, model), [], era)
    assert.deepEqual(validateReply(era, 'POST', '/v1/chat/completions', 404, error), [], era)
    for (const event of chatEvents) assert.deepEqual(validateEvent(era, 'chat', event), [], era)
    for (const event of completionEvents) assert.deepEqual(validateEvent(era, 'completion', event), [], era)
    assert.deepEqual(validateEvent(era, 'chat', error), [], era)
  }
})

test('vectors in base64 pass, as the clients ask for them', () => {
  const packed: EmbeddingList = { ...embeddings, data: [{ object: 'embedding', index: 0, embedding: 'AACAPw==' }] }
  for (const era of eras) assert.deepEqual(validateReply(era, 'POST', '/v1/embeddings', 200, packed), [], era)
})

test('tool calls and log probabilities pass since they exist', () => {
  const call = { id: 'call_1', type: 'function' as const, function: { name: 'f', arguments: '{}' } }
  const token = { token: 'Hi', logprob: -0.1, bytes: [72, 105], top_logprobs: [] }
  const reply: ChatCompletion = {
    ...chat,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: null, refusal: null, tool_calls: [call] },
        logprobs: { content: [token], refusal: null },
        finish_reason: 'tool_calls',
      },
    ],
  }
  const delta = { tool_calls: [{ index: 0, ...call }] }
  for (const era of eras.slice(1)) {
    assert.deepEqual(validateReply(era, 'POST', '/v1/chat/completions', 200, reply), [], era)
    assert.deepEqual(validateEvent(era, 'chat', chatEvent(delta, null)), [], era)
  }
  assert.notDeepEqual(validateReply('2023-06-19', 'POST', '/v1/chat/completions', 200, reply), [])
})

test('an echoed prompt has no log probability for its first token', () => {
  const logprobs = {
    tokens: ['a', 'b'],
    token_logprobs: [null, -1],
    top_logprobs: [null, { b: -1 }],
    text_offset: [0, 1],
  }
  const choices: Completion['choices'] = [{ index: 0, text: 'ab', logprobs, finish_reason: 'length' }]
  for (const era of eras) {
    assert.deepEqual(validateReply(era, 'POST', '/v1/completions', 200, { ...completion, choices }), [], era)
    const wrong = [{ ...choices[0], logprobs: { ...logprobs, token_logprobs: ['x'] } }]
    assert.notDeepEqual(validateReply(era, 'POST', '/v1/completions', 200, { ...completion, choices: wrong }), [], era)
  }
})

test('what is wrong is said with its place', () => {
  for (const era of eras) {
    const wrong = { ...chat, choices: [{ ...chat.choices[0], index: '0' }] }
    assert.deepEqual(validateReply(era, 'POST', '/v1/chat/completions', 200, wrong), [
      '/choices/0/index must be integer',
    ])
    const { id: _, ...nameless } = chat
    assert.deepEqual(validateReply(era, 'POST', '/v1/chat/completions', 200, nameless), [
      "/ must have required property 'id'",
    ])
    const { param: __, ...paramless } = error.error
    assert.deepEqual(validateReply(era, 'POST', '/v1/embeddings', 400, { error: paramless }), [
      "/error must have required property 'param'",
    ])
    assert.notDeepEqual(validateReply(era, 'GET', '/v1/models', 200, { object: 'list', data: [{ id: 'm' }] }), [])
    assert.notDeepEqual(validateReply(era, 'POST', '/v1/completions', 200, { ...completion, usage: null }), [])
    assert.notDeepEqual(
      validateEvent(era, 'chat', { ...chatEvents[0], choices: [{ index: 0, delta: { content: 5 } }] }),
      [],
    )
    assert.notDeepEqual(validateEvent(era, 'completion', { ...completionEvents[0], created: 'now' }), [])
    assert.notDeepEqual(validateEvent(era, 'chat', { error: { message: 'x' } }), [])
  }
  const unfinished = { ...completion, choices: [{ index: 0, text: '', logprobs: null, finish_reason: null }] }
  assert.deepEqual(validateReply('2026-08-21', 'POST', '/v1/completions', 200, unfinished), [
    '/choices/0/finish_reason must be string',
    '/choices/0/finish_reason must be equal to one of the allowed values (stop, length, content_filter)',
  ])
})

test('an operation without a schema is an error, not a pass', () => {
  for (const [method, path] of [
    ['POST', '/v1/rerank'],
    ['PUT', '/v1/chat/completions'],
    ['GET', '/v1/chat/completions/a/b'],
    ['GET', '/v1/models/a/b'],
  ] as const) {
    assert.deepEqual(validateReply('2026-08-21', method, path, 200, {}), [
      `no schema of 2026-08-21 for ${method} ${path}`,
    ])
  }
})
