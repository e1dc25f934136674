import Type, { type Static } from 'typebox'
import { CoalescingSettings } from './coalescing/settings.ts'
import { connectionSettings } from './connection/settings.ts'
import { kindSettings } from './kinds/settings.ts'

/*
 * How an upstream is written in the settings, and kept when it is added to a running server. What is `writeOnly` is a secret: it is kept
 * encrypted and shown to nobody, the operator included.
 */

const timeout = (description: string) => Type.Integer({ minimum: 1, maximum: 86_400_000, description })
const usd = (description: string) => Type.Number({ minimum: 0, maximum: 1_000_000, description })
const modelName = Type.String({ minLength: 1, maxLength: 256 })

export const UpstreamSettings = Type.Object(
  {
    ...kindSettings,
    api_key: Type.Optional(
      Type.String({
        minLength: 1,
        writeOnly: true,
        description:
          'Sent as its `kind` wants it, usually as bearer token. Write `${NAME}` to read it from the environment.',
      }),
    ),
    first_byte_timeout_ms: Type.Optional(timeout('Until the answer begins. Default: 600000.')),
    idle_timeout_ms: Type.Optional(timeout('Between two pieces of a stream. Default: 120000.')),
    ...connectionSettings,
    embeddings: Type.Optional(CoalescingSettings),
    compare_usage: Type.Optional(
      Type.Enum(['off', 'sampled'], {
        type: 'string',
        description:
          '`sampled`: once a minute for each model whose tokens can be counted here, what the upstream reports is compared with our own count, and a line of the log tells when they differ. Default: `off`.',
      }),
    ),
    expose: Type.Optional(
      Type.Union([Type.Enum(['none', 'all'], { type: 'string' }), Type.Array(modelName, { maxItems: 1000 })], {
        description:
          'Which of its models can be called by their names there, without an entry under `models`: `none`, `all`, or a list of names. Those under `models` and `aliases` win. Default: `none`.',
      }),
    ),
    price: Type.Optional(
      Type.Object(
        {
          input: usd('USD per million input tokens.'),
          output: Type.Optional(usd('USD per million output tokens. Default: 0.')),
          cached_input: Type.Optional(usd('USD per million input tokens that came from a cache. Default: the same.')),
        },
        {
          additionalProperties: false,
          description: 'What its exposed models cost that have no other price. Zero is a price.',
        },
      ),
    ),
    models_refresh_ms: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 86_400_000,
        description:
          'How often its list of models is read, which also shows whether it is there; 0: never. Default: 600000.',
      }),
    ),
  },
  { additionalProperties: false },
)

export type UpstreamConfig = Static<typeof UpstreamSettings>
