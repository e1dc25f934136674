/** `POST /v1/chat/completions`: the request, the reply and the chunks of a stream. Chunks are what engines speak inside too. */
import { type Static, Type } from 'typebox'
import {
  anyObject,
  Choices,
  CompletionUsage,
  EndUser,
  LogitBias,
  Metadata,
  ModelName,
  nullable,
  oneOf,
  Penalty,
  Seed,
  Stop,
  StreamOptions,
  Temperature,
  TopP,
  text,
  tokenLimit,
  unixTime,
} from './common.ts'
import { ChatMessage, FunctionDefinition, TextPart, Tool, ToolCall, ToolChoice } from './messages.ts'

export type { ChatMessage, ContentPart, Tool, ToolCall } from './messages.ts'
export { textOf } from './messages.ts'

const ResponseFormat = Type.Union([
  Type.Object({ type: Type.Literal('text') }),
  Type.Object({ type: Type.Literal('json_object') }),
  Type.Object({
    type: Type.Literal('json_schema'),
    json_schema: Type.Object({
      name: Type.String({ minLength: 1, maxLength: 64 }),
      description: Type.Optional(nullable(text())),
      schema: Type.Optional(nullable(anyObject('A JSON Schema.'))),
      strict: Type.Optional(nullable(Type.Boolean())),
    }),
  }),
])

const Audio = Type.Object({
  voice: Type.Union([
    Type.String({ maxLength: 64 }),
    Type.Object({ id: Type.String({ maxLength: 256, description: 'A voice of your own.' }) }),
  ]),
  format: oneOf(['wav', 'aac', 'mp3', 'flac', 'opus', 'pcm16']),
})
const Prediction = Type.Object({
  type: Type.Literal('content'),
  content: Type.Union([text(), Type.Array(TextPart, { minItems: 1, maxItems: 2048 })]),
})
const place = Type.Optional(nullable(Type.String({ maxLength: 256 })))
const WebSearch = Type.Object({
  search_context_size: Type.Optional(oneOf(['low', 'medium', 'high'])),
  user_location: Type.Optional(
    nullable(
      Type.Object({
        type: Type.Literal('approximate'),
        approximate: Type.Object({ country: place, region: place, city: place, timezone: place }),
      }),
    ),
  ),
})
const moderated = Type.Optional(nullable(Type.Object({ mode: oneOf(['score', 'block']) })))
const ModerationAsked = Type.Object({
  model: Type.String({ maxLength: 256 }),
  policy: Type.Optional(nullable(Type.Object({ input: moderated, output: moderated }))),
})

export const ChatRequest = Type.Object({
  model: ModelName,
  messages: Type.Array(ChatMessage, { minItems: 1, maxItems: 2048, description: 'The conversation so far.' }),
  stream: Type.Optional(nullable(Type.Boolean(), 'Send the reply piece by piece, as server-sent events.')),
  stream_options: Type.Optional(StreamOptions),
  max_completion_tokens: Type.Optional(tokenLimit(1, 'At most this many tokens are generated for each choice.')),
  max_tokens: Type.Optional(tokenLimit(1, 'The older name of `max_completion_tokens`.')),
  temperature: Type.Optional(Temperature),
  top_p: Type.Optional(TopP),
  n: Type.Optional(Choices),
  stop: Type.Optional(Stop),
  seed: Type.Optional(Seed),
  presence_penalty: Type.Optional(Penalty),
  frequency_penalty: Type.Optional(Penalty),
  logit_bias: Type.Optional(LogitBias),
  logprobs: Type.Optional(nullable(Type.Boolean(), 'Return the log probability of every token.')),
  top_logprobs: Type.Optional(
    nullable(Type.Integer({ minimum: 0, maximum: 20 }), 'And those of this many likeliest tokens at each place.'),
  ),
  response_format: Type.Optional(nullable(ResponseFormat, 'The form of the reply: text, JSON, or JSON of a schema.')),
  tools: Type.Optional(nullable(Type.Array(Tool, { maxItems: 128 }), 'What the model may call.')),
  tool_choice: Type.Optional(nullable(ToolChoice)),
  parallel_tool_calls: Type.Optional(nullable(Type.Boolean(), 'Whether one reply may call several tools.')),
  functions: Type.Optional(
    nullable(Type.Array(FunctionDefinition, { minItems: 1, maxItems: 128 }), 'The older form of `tools`.'),
  ),
  function_call: Type.Optional(
    nullable(
      Type.Union([oneOf(['none', 'auto']), Type.Object({ name: Type.String({ minLength: 1, maxLength: 256 }) })]),
      'The older form of `tool_choice`.',
    ),
  ),
  modalities: Type.Optional(nullable(Type.Array(oneOf(['text', 'audio']), { maxItems: 2 }), 'Text, speech, or both.')),
  audio: Type.Optional(nullable(Audio, 'Voice and format of a spoken reply.')),
  prediction: Type.Optional(nullable(Prediction, 'Text that the reply will largely repeat.')),
  reasoning_effort: Type.Optional(
    nullable(oneOf(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']), 'How long a model thinks first.'),
  ),
  verbosity: Type.Optional(nullable(oneOf(['low', 'medium', 'high']), 'How long the reply is.')),
  web_search_options: Type.Optional(nullable(WebSearch, 'Searches the web first.')),
  moderation: Type.Optional(nullable(ModerationAsked, 'Moderates the request and the reply.')),
  metadata: Type.Optional(Metadata),
  store: Type.Optional(nullable(Type.Boolean(), 'Keep the reply, to be read again later.')),
  service_tier: Type.Optional(
    nullable(oneOf(['auto', 'default', 'flex', 'scale', 'priority', 'fast']), 'How urgently the request is served.'),
  ),
  prompt_cache_key: Type.Optional(
    nullable(Type.String({ maxLength: 1024 }), 'Requests with the same key share a cache.'),
  ),
  prompt_cache_retention: Type.Optional(
    nullable(oneOf(['in_memory', 'in-memory', '24h']), 'How long a cached prompt is kept.'),
  ),
  prompt_cache_options: Type.Optional(
    nullable(Type.Object({ mode: Type.Optional(oneOf(['implicit', 'explicit'])), ttl: Type.Optional(oneOf(['30m'])) })),
  ),
  safety_identifier: Type.Optional(nullable(Type.String({ maxLength: 64 }), 'A stable name of the end user.')),
  user: Type.Optional(nullable(EndUser)),
})
export type ChatRequest = Static<typeof ChatRequest>

const TopLogprob = Type.Object({
  token: Type.String(),
  logprob: Type.Number(),
  bytes: nullable(Type.Array(Type.Integer({ minimum: 0, maximum: 255 })), 'The UTF-8 bytes of the token.'),
})
const TokenLogprob = Type.Object({ ...TopLogprob.properties, top_logprobs: Type.Array(TopLogprob) })
export type TokenLogprob = Static<typeof TokenLogprob>

const ChatLogprobs = nullable(
  Type.Object({ content: nullable(Type.Array(TokenLogprob)), refusal: nullable(Type.Array(TokenLogprob)) }),
)
export type ChatLogprobs = Static<typeof ChatLogprobs>

const FinishReason = oneOf(
  ['stop', 'length', 'tool_calls', 'content_filter', 'function_call'],
  'Why the reply ends: a stop or its own end, the token limit, a call, or a filter.',
)
export type FinishReason = Static<typeof FinishReason>

const reasoning = Type.Optional(
  nullable(
    Type.String(),
    'What a thinking model thought. Not in OpenAI’s API; upstreams and local thinking models send it.',
  ),
)

export const AssistantReply = Type.Object({
  role: Type.Literal('assistant'),
  content: nullable(Type.String(), 'The text; null when there are tool calls alone.'),
  refusal: nullable(Type.String()),
  reasoning_content: reasoning,
  tool_calls: Type.Optional(Type.Array(ToolCall)),
  function_call: Type.Optional(
    Type.Object({ name: Type.String(), arguments: Type.String() }, { description: 'The older form of `tool_calls`.' }),
  ),
  annotations: Type.Optional(
    Type.Array(
      Type.Object({
        type: Type.Literal('url_citation'),
        url_citation: Type.Object({
          start_index: Type.Integer(),
          end_index: Type.Integer(),
          url: Type.String(),
          title: Type.String(),
        }),
      }),
    ),
  ),
  audio: Type.Optional(
    nullable(
      Type.Object({
        id: Type.String(),
        data: Type.String({ description: 'Base64.' }),
        expires_at: unixTime('When it can no longer be referred to.'),
        transcript: Type.String(),
      }),
    ),
  ),
})
export type AssistantReply = Static<typeof AssistantReply>

const ChatChoice = Type.Object({
  index: Type.Integer({ minimum: 0 }),
  message: AssistantReply,
  logprobs: ChatLogprobs,
  finish_reason: FinishReason,
})
export type ChatChoice = Static<typeof ChatChoice>

const envelope = {
  id: Type.String({ description: 'Starts with `chatcmpl-`.' }),
  created: unixTime('When the reply began.'),
  model: Type.String({ description: 'What really answered.' }),
  service_tier: Type.Optional(nullable(oneOf(['auto', 'default', 'flex', 'scale', 'priority']))),
  system_fingerprint: Type.Optional(Type.String({ description: 'Names the configuration that answered.' })),
}

export const ChatCompletion = Type.Object({
  ...envelope,
  object: Type.Literal('chat.completion'),
  choices: Type.Array(ChatChoice),
  metadata: Type.Optional(Metadata),
  usage: Type.Optional(CompletionUsage),
})
export type ChatCompletion = Static<typeof ChatCompletion>

/** Only the first delta of a call carries `id`, `type` and `name`: clients join the strings of all of them. */
const ToolCallDelta = Type.Object({
  index: Type.Integer({ minimum: 0 }),
  id: Type.Optional(Type.String()),
  type: Type.Optional(Type.Literal('function')),
  function: Type.Optional(Type.Object({ name: Type.Optional(Type.String()), arguments: Type.Optional(Type.String()) })),
})
export type ToolCallDelta = Static<typeof ToolCallDelta>

export const ChatDelta = Type.Object({
  role: Type.Optional(oneOf(['developer', 'system', 'user', 'assistant', 'tool'])),
  content: Type.Optional(nullable(Type.String())),
  refusal: Type.Optional(nullable(Type.String())),
  reasoning_content: reasoning,
  tool_calls: Type.Optional(Type.Array(ToolCallDelta)),
  function_call: Type.Optional(
    Type.Object({ name: Type.Optional(Type.String()), arguments: Type.Optional(Type.String()) }),
  ),
})
export type ChatDelta = Static<typeof ChatDelta>

const ChatChunkChoice = Type.Object({
  index: Type.Integer({ minimum: 0 }),
  delta: ChatDelta,
  logprobs: Type.Optional(ChatLogprobs),
  finish_reason: nullable(FinishReason),
})
export type ChatChunkChoice = Static<typeof ChatChunkChoice>

/** One event of a streamed reply. */
export const ChatChunk = Type.Object({
  ...envelope,
  object: Type.Literal('chat.completion.chunk'),
  choices: Type.Array(ChatChunkChoice),
  usage: Type.Optional(
    nullable(CompletionUsage, 'Only when asked for: null until the last chunk, which has no choices.'),
  ),
})
export type ChatChunk = Static<typeof ChatChunk>
