/** Stored chat completions: what `store: true` keeps, how it is listed, and the messages it answered. */
import Type, { type Static } from 'typebox'
import { ChatCompletion, ChatRequest } from './chat.ts'
import { Metadata, mapOf, modelLengthMax, nullable, oneOf } from './common.ts'
import { ListAfter, ListLimit, ListOrder, listOf } from './lists.ts'
import { ContentPart, ToolCall } from './messages.ts'

const { tools, tool_choice, response_format } = ChatRequest.properties
const sampling = nullable(Type.Number(), 'As it was sampled; null where it was left to an upstream.')

/** A completion as it was answered, with what it was asked with. */
export const StoredCompletion = Type.Object({
  ...ChatCompletion.properties,
  metadata: mapOf(Type.String()),
  request_id: nullable(Type.String(), 'The `x-request-id` of the reply; null where it did not come over HTTP.'),
  input_user: nullable(Type.String(), 'The end user that the request named.'),
  seed: sampling,
  temperature: sampling,
  top_p: sampling,
  presence_penalty: sampling,
  frequency_penalty: sampling,
  tools,
  tool_choice,
  response_format,
})
export type StoredCompletion = Static<typeof StoredCompletion>
export const StoredCompletionList = listOf(StoredCompletion)

/** A message of the request, as it was sent but for its content. */
export const StoredMessage = Type.Object({
  id: Type.String({ description: 'The id of the completion, `-`, and the place of the message.' }),
  role: oneOf(['developer', 'system', 'user', 'assistant', 'tool', 'function']),
  content: nullable(Type.String(), 'Null when the content was a list of parts.'),
  content_parts: nullable(Type.Array(ContentPart), 'Null when the content was a text.'),
  name: nullable(Type.String()),
  refusal: nullable(Type.String()),
  tool_calls: Type.Optional(Type.Array(ToolCall)),
  tool_call_id: Type.Optional(Type.String()),
  function_call: Type.Optional(Type.Object({ name: Type.String(), arguments: Type.String() })),
})
export type StoredMessage = Static<typeof StoredMessage>
export const StoredMessageList = listOf(StoredMessage)

export const StoredCompletionQuery = Type.Object({
  model: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: modelLengthMax,
      description: 'Only those of this model, by the name that was asked for or the one that answered.',
    }),
  ),
  metadata: Type.Optional(Metadata),
  after: ListAfter,
  limit: ListLimit(100, 20),
  order: ListOrder('asc'),
})
export type StoredCompletionQuery = Static<typeof StoredCompletionQuery>

export const StoredMessageQuery = Type.Object({ after: ListAfter, limit: ListLimit(100, 20), order: ListOrder('asc') })
export type StoredMessageQuery = Static<typeof StoredMessageQuery>

export const StoredCompletionUpdate = Type.Object({ metadata: Metadata })
export type StoredCompletionUpdate = Static<typeof StoredCompletionUpdate>

export const StoredCompletionDeleted = Type.Object({
  id: Type.String(),
  object: Type.Literal('chat.completion.deleted'),
  deleted: Type.Boolean(),
})
export type StoredCompletionDeleted = Static<typeof StoredCompletionDeleted>
