/** Where OpenAI's servers answer what OpenAI's schemas do not have, and so do we. Each entry with its reason. */
import type { JsonSchema } from './normalise.ts'
import type { Era } from './validate.ts'

export interface Allowance {
  eras: readonly Era[]
  schema: string
  /** The place in the schema. */
  at: readonly string[]
  /** What is accepted there besides. */
  also: JsonSchema
  reason: string
}

const choiceFinish = ['properties', 'choices', 'items', 'properties', 'finish_reason']

const choiceLogprobs = ['properties', 'choices', 'items', 'properties', 'logprobs']
const orNull = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] })
/** As OpenAI's answers to `echo` with `logprobs`: nothing stands before the first token, and `logprobs: 0` ranks none. */
const echoed: JsonSchema = {
  type: 'object',
  properties: {
    tokens: { type: 'array', items: { type: 'string' } },
    token_logprobs: { type: 'array', items: orNull({ type: 'number' }) },
    top_logprobs: orNull({
      type: 'array',
      items: orNull({ type: 'object', additionalProperties: { type: 'number' } }),
    }),
    text_offset: { type: 'array', items: { type: 'integer' } },
  },
  additionalProperties: false,
}

export const allowances: readonly Allowance[] = [
  ...['CreateCompletionResponse', 'CompletionEvent'].map(
    (schema): Allowance => ({
      eras: ['2023-06-19', '2023-11-28', '2024-12-18', '2026-08-21'],
      schema,
      at: choiceLogprobs,
      also: echoed,
      reason: 'The first token of an echoed prompt has null for its log probability; harnesses count on it.',
    }),
  ),
  {
    eras: ['2023-06-19', '2023-11-28', '2024-12-18', '2026-08-21'],
    schema: 'CompletionEvent',
    at: choiceFinish,
    also: { type: 'null' },
    reason:
      'Events of a completion have no schema of their own; before the last one there is no reason yet, and it is null.',
  },
  {
    eras: ['2023-06-19', '2023-11-28', '2024-12-18', '2026-08-21'],
    schema: 'CompletionEvent',
    at: ['properties', 'usage'],
    also: { type: 'null' },
    reason: 'With include_usage every event but the last carries null.',
  },
  {
    eras: ['2023-06-19'],
    schema: 'CreateChatCompletionStreamResponse',
    at: choiceFinish,
    also: { type: 'null' },
    reason: 'Null until the last event; the files from 2023-11-28 on say so.',
  },
  {
    eras: ['2023-06-19'],
    schema: 'CreateEmbeddingResponse',
    at: ['properties', 'data', 'items', 'properties', 'embedding'],
    also: { type: 'string' },
    reason: 'The answer to encoding_format base64, which the clients ask for and no file describes.',
  },
  {
    eras: ['2023-11-28', '2024-12-18', '2026-08-21'],
    schema: 'Embedding',
    at: ['properties', 'embedding'],
    also: { type: 'string' },
    reason: 'The answer to encoding_format base64, which the clients ask for and no file describes.',
  },
]
