/** Batches: files of requests that are worked off without a hurry. */
import Type, { type Static } from 'typebox'
import { Metadata, mapOf, nullable, oneOf, unixTime } from './common.ts'
import { FileExpiry } from './files.ts'
import { ListAfter, ListLimit, listOf } from './lists.ts'

export const batchStatuses = [
  ...(['validating', 'failed', 'in_progress', 'finalizing', 'completed'] as const),
  ...(['expired', 'cancelling', 'cancelled'] as const),
] as const

export const BatchRequest = Type.Object({
  input_file_id: Type.String({
    minLength: 1,
    maxLength: 256,
    description: 'A file with the purpose `batch`: one request a line.',
  }),
  endpoint: Type.String({
    minLength: 1,
    maxLength: 256,
    description: 'Where all the requests go, such as `/v1/chat/completions`.',
  }),
  completion_window: oneOf(['24h'], 'How long the batch has: `24h`.'),
  metadata: Type.Optional(Metadata),
  output_expires_after: Type.Optional(nullable(FileExpiry, 'When the files with the results expire. Default: never.')),
})
export type BatchRequest = Static<typeof BatchRequest>

const BatchError = Type.Object({
  code: Type.String(),
  message: Type.String(),
  param: nullable(Type.String()),
  line: nullable(Type.Integer({ description: 'Of the input file, counted from 1.' })),
})
export type BatchError = Static<typeof BatchError>

const count = (description: string) => Type.Integer({ minimum: 0, description })
const maybeTime = (description: string) => nullable(Type.Integer({ minimum: 0 }), `${description} Unix seconds.`)

export const Batch = Type.Object({
  id: Type.String(),
  object: Type.Literal('batch'),
  endpoint: Type.String(),
  model: Type.Optional(Type.String({ description: 'That all requests name; absent until the input was read.' })),
  errors: nullable(
    Type.Object({ object: Type.Literal('list'), data: Type.Array(BatchError) }),
    'Why the batch as a whole failed.',
  ),
  input_file_id: Type.String(),
  completion_window: Type.String(),
  status: oneOf(batchStatuses),
  output_file_id: nullable(Type.String(), 'The file with the replies of requests that succeeded.'),
  error_file_id: nullable(Type.String(), 'The file with the errors of those that did not.'),
  created_at: unixTime('When it was made.'),
  in_progress_at: maybeTime('When the first request began.'),
  expires_at: maybeTime('When it ends, done or not.'),
  finalizing_at: maybeTime('When the last request had ended.'),
  completed_at: maybeTime('When the results were there.'),
  failed_at: maybeTime('When it failed.'),
  expired_at: maybeTime('When it ended because its time was over.'),
  cancelling_at: maybeTime('When its end was asked for.'),
  cancelled_at: maybeTime('When it had ended because of that.'),
  request_counts: Type.Object({
    total: count('Of all requests; 0 until the input was read.'),
    completed: count('Of those that succeeded.'),
    failed: count('Of those that did not.'),
  }),
  usage: Type.Object({
    input_tokens: count('Of the requests that have ended.'),
    input_tokens_details: Type.Object({ cached_tokens: count('From a cache.') }),
    output_tokens: count('Of the requests that have ended.'),
    output_tokens_details: Type.Object({ reasoning_tokens: count('Of thoughts.') }),
    total_tokens: count('Of both.'),
  }),
  metadata: nullable(mapOf(Type.String())),
})
export type Batch = Static<typeof Batch>
export const BatchList = listOf(Batch)

export const BatchQuery = Type.Object({ after: ListAfter, limit: ListLimit(100, 20) })
export type BatchQuery = Static<typeof BatchQuery>
