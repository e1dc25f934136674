/** `POST /v1/completions`, the classic endpoint. */
import { type Static, Type } from 'typebox'
import {
  Choices,
  CompletionUsage,
  EndUser,
  LogitBias,
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

const promptsMax = 2048
const TokenId = Type.Integer({ minimum: 0, maximum: 2_147_483_647 })
const Tokens = Type.Array(TokenId, { minItems: 1, maxItems: 4_194_304 })

export const CompletionRequest = Type.Object({
  model: ModelName,
  prompt: Type.Optional(
    Type.Union(
      [
        text(),
        Type.Array(text(), { minItems: 1, maxItems: promptsMax }),
        Tokens,
        Type.Array(Tokens, { minItems: 1, maxItems: promptsMax }),
        Type.Null(),
      ],
      {
        description: 'A text, texts, tokens, or the tokens of several texts. Without it, the start of a new document.',
      },
    ),
  ),
  suffix: Type.Optional(nullable(text(), 'The text that follows the completion.')),
  max_tokens: Type.Optional(tokenLimit(0, 'At most this many tokens are generated for each choice; 16 when absent.')),
  temperature: Type.Optional(Temperature),
  top_p: Type.Optional(TopP),
  n: Type.Optional(Choices),
  best_of: Type.Optional(
    nullable(Type.Integer({ minimum: 0, maximum: 20 }), 'Generates this many and returns the best `n`.'),
  ),
  stream: Type.Optional(nullable(Type.Boolean(), 'Send the reply piece by piece, as server-sent events.')),
  stream_options: Type.Optional(StreamOptions),
  logprobs: Type.Optional(
    nullable(Type.Integer({ minimum: 0, maximum: 5 }), 'Return the log probabilities of this many likeliest tokens.'),
  ),
  echo: Type.Optional(nullable(Type.Boolean(), 'Return the prompt in front of the completion.')),
  stop: Type.Optional(Stop),
  presence_penalty: Type.Optional(Penalty),
  frequency_penalty: Type.Optional(Penalty),
  logit_bias: Type.Optional(LogitBias),
  seed: Type.Optional(Seed),
  user: Type.Optional(EndUser),
})
export type CompletionRequest = Static<typeof CompletionRequest>

const CompletionLogprobs = nullable(
  Type.Object({
    tokens: Type.Optional(Type.Array(Type.String())),
    token_logprobs: Type.Optional(
      Type.Array(nullable(Type.Number()), { description: 'Null for the first token of an echoed prompt.' }),
    ),
    top_logprobs: Type.Optional(
      nullable(
        Type.Array(
          nullable(
            Type.Unsafe<Record<string, number>>({ type: 'object', additionalProperties: Type.Number() }),
            'Null for the first token of an echoed prompt.',
          ),
        ),
        'Null when `logprobs` was 0.',
      ),
    ),
    text_offset: Type.Optional(
      Type.Array(Type.Integer(), {
        description: 'Where each token begins: characters from the start of the prompt, echoed or not.',
      }),
    ),
  }),
)
export type CompletionLogprobs = Static<typeof CompletionLogprobs>

const finishReasons = ['stop', 'length', 'content_filter'] as const

const CompletionChoice = Type.Object({
  text: Type.String(),
  index: Type.Integer({ minimum: 0 }),
  logprobs: CompletionLogprobs,
  finish_reason: oneOf(finishReasons, 'Why the text ends: a stop or its own end, the token limit, or a filter.'),
})
export type CompletionChoice = Static<typeof CompletionChoice>

const envelope = {
  id: Type.String({ description: 'Starts with `cmpl-`.' }),
  object: Type.Literal('text_completion'),
  created: unixTime('When the reply began.'),
  model: Type.String({ description: 'What really answered.' }),
  system_fingerprint: Type.Optional(Type.String({ description: 'Names the configuration that answered.' })),
}

export const Completion = Type.Object({
  ...envelope,
  choices: Type.Array(CompletionChoice),
  usage: Type.Optional(CompletionUsage),
})
export type Completion = Static<typeof Completion>

const CompletionChunkChoice = Type.Object({
  text: Type.String(),
  index: Type.Integer({ minimum: 0 }),
  logprobs: CompletionLogprobs,
  finish_reason: nullable(oneOf(finishReasons)),
})
export type CompletionChunkChoice = Static<typeof CompletionChunkChoice>

/** One event of a streamed completion. The object is `text_completion` here too. */
export const CompletionChunk = Type.Object({
  ...envelope,
  choices: Type.Array(CompletionChunkChoice),
  usage: Type.Optional(
    nullable(CompletionUsage, 'Only when asked for: null until the last chunk, which has no choices.'),
  ),
})
export type CompletionChunk = Static<typeof CompletionChunk>
