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

/** As in the example beside that schema, which has the messages of replies alone. */
const sent: JsonSchema = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    role: { enum: ['developer', 'system', 'user', 'tool', 'function'] },
    content: orNull({ type: 'string' }),
    content_parts: orNull({ type: 'array', items: { type: 'object', required: ['type'] } }),
    name: orNull({ type: 'string' }),
    refusal: { type: 'null' },
    tool_call_id: { type: 'string' },
  },
  required: ['id', 'role', 'content', 'content_parts', 'name', 'refusal'],
  additionalProperties: false,
}

/** Lists of the administration as the newest file has them: `null` where the one of 2024 wants a text. */
const administrationLists = [
  ...['InviteListResponse', 'ListAuditLogsResponse', 'ProjectApiKeyListResponse', 'ProjectListResponse'],
  ...['ProjectServiceAccountListResponse', 'ProjectUserListResponse', 'UserListResponse'],
]

export const allowances: readonly Allowance[] = [
  ...administrationLists.flatMap(schema =>
    ['first_id', 'last_id'].map(
      (name): Allowance => ({
        eras: ['2024-12-18'],
        schema,
        at: ['properties', name],
        also: { type: 'null' },
        reason: 'An empty list has no first and no last; the newest file says so.',
      }),
    ),
  ),
  ...['ProjectServiceAccount', 'ProjectServiceAccountCreateResponse', 'ProjectUser'].map(
    (schema): Allowance => ({
      eras: ['2024-12-18'],
      schema,
      at: ['properties', 'role'],
      also: { const: 'none' },
      reason: 'Without a role in the project, as the newest file has it.',
    }),
  ),
  {
    eras: ['2024-12-18'],
    schema: 'ProjectServiceAccountCreateResponse',
    at: ['properties', 'api_key'],
    also: { type: 'null' },
    reason: 'An account can be made without a key since then; the newest file says so.',
  },
  {
    eras: ['2024-12-18'],
    schema: 'Invite',
    at: ['properties', 'accepted_at'],
    also: { type: 'null' },
    reason: 'Nobody has accepted a pending invite; the newest file says so.',
  },
  ...[
    ...['errors', 'output_file_id', 'error_file_id', 'in_progress_at', 'finalizing_at', 'completed_at'],
    ...['failed_at', 'expired_at', 'cancelling_at', 'cancelled_at'],
  ].map(
    (name): Allowance => ({
      eras: ['2024-12-18', '2026-08-21'],
      schema: 'Batch',
      at: ['properties', name],
      also: { type: 'null' },
      reason: 'What has not happened yet is null, as in the examples beside the schema.',
    }),
  ),
  ...['first_id', 'last_id'].map(
    (name): Allowance => ({
      eras: ['2024-12-18', '2026-08-21'],
      schema: 'ListBatchesResponse',
      at: ['properties', name],
      also: { type: 'null' },
      reason: 'An empty list has no first and no last.',
    }),
  ),
  {
    eras: ['2026-08-21'],
    schema: 'ChatCompletionMessageList',
    at: ['properties', 'data', 'items'],
    also: sent,
    reason: 'The messages of a stored completion are those of its request, of any role.',
  },
  {
    eras: ['2023-11-28', '2024-12-18', '2026-08-21'],
    schema: 'OpenAIFile',
    at: ['properties', 'status_details'],
    also: { type: 'null' },
    reason: "OpenAI's servers answer null, and clients of 2023 look for the field.",
  },
  ...['first_id', 'last_id'].map(
    (name): Allowance => ({
      eras: ['2024-12-18', '2026-08-21'],
      schema: 'ListFilesResponse',
      at: ['properties', name],
      also: { type: 'null' },
      reason: 'An empty list has no first and no last.',
    }),
  ),
  ...['ChatCompletionList', 'ChatCompletionMessageList'].flatMap(schema =>
    ['first_id', 'last_id'].map(
      (name): Allowance => ({
        eras: ['2026-08-21'],
        schema,
        at: ['properties', name],
        also: { type: 'null' },
        reason: 'An empty list has no first and no last.',
      }),
    ),
  ),
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
