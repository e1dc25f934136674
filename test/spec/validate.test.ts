import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatChunk, ChatCompletion } from '../../src/wire/chat.ts'
import type { Completion, CompletionChunk } from '../../src/wire/completions.ts'
import type { EmbeddingList } from '../../src/wire/embeddings.ts'
import type { ErrorBody } from '../../src/wire/errors.ts'
import type { Model, ModelList } from '../../src/wire/models.ts'
import { allowances } from './allowances.ts'
import { type Era, eras, validateEvent, validateReply } from './validate.ts'

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
