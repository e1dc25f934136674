/**
 * Shared pieces of the wire: small schema builders, bounds, and objects that several resources carry.
 *
 * Every object is open: unknown fields are judged in `parameters.ts`, because an upstream may know them. Bounds without a source
 * in OpenAI's documentation are ours; they only keep hostile requests from costing more than their bytes.
 */
import { type Static, type TSchema, Type } from 'typebox'

/** Characters in one text. OpenAI's own bound for a message. */
export const textLengthMax = 10_485_760
/** Characters of one base64 payload or data URL; the body limit of the server is usually lower. */
export const dataLengthMax = 67_108_864
/** Characters of a model name. */
export const modelLengthMax = 256

export const nullable = <Schema extends TSchema>(schema: Schema, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description })

/** What changes an object: every field may be left out, and is taken away with null. */
export const changesOf = (properties: Readonly<Record<string, TSchema>>) =>
  Type.Object(
    Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, Type.Optional(nullable(schema))])),
  )

/** One of a few strings, as `{type: 'string', enum: [...]}`. */
export const oneOf = <const Values extends string[]>(values: readonly [...Values], description?: string) =>
  Type.Enum(values, description === undefined ? { type: 'string' } : { type: 'string', description })

/** An object used as a map. Not `Type.Record`: its key pattern lets keys with line breaks past the schema of the values. */
export const mapOf = <Schema extends TSchema>(values: Schema, options: Record<string, unknown> = {}) =>
  Type.Unsafe<Record<string, Static<Schema>>>({ type: 'object', additionalProperties: values, ...options })

/** Any JSON object, e.g. a JSON Schema given by the caller. */
export const anyObject = (description: string) => Type.Unsafe<Record<string, unknown>>({ type: 'object', description })

export const text = (description?: string) =>
  Type.String({ maxLength: textLengthMax, ...(description === undefined ? {} : { description }) })

export const unixTime = (description: string) =>
  Type.Integer({ minimum: 0, description: `${description} Unix seconds.` })

export const ModelName = Type.String({
  minLength: 1,
  maxLength: modelLengthMax,
  description: 'The name of the model that answers.',
})

/** Up to 16 pairs; keys up to 64, values up to 512 characters. */
export const Metadata = nullable(
  mapOf(Type.String({ maxLength: 512 }), { maxProperties: 16, propertyNames: { maxLength: 64 } }),
  'Up to 16 pairs of strings kept with the object.',
)

export const Temperature = nullable(
  Type.Number({ minimum: 0, maximum: 2 }),
  'How freely tokens are sampled: 0 always takes the likeliest token.',
)
export const TopP = nullable(
  Type.Number({ minimum: 0, maximum: 1 }),
  'Samples only from the likeliest tokens that together reach this probability.',
)
export const Penalty = nullable(
  Type.Number({ minimum: -2, maximum: 2 }),
  'Makes tokens that were used already less (or more) likely.',
)
/** OpenAI's range is that of a 64-bit integer, as far as a JSON number reaches it. */
export const Seed = nullable(
  Type.Integer({ minimum: -(2 ** 63), maximum: 2 ** 63 }),
  'The same seed with the same request gives the same reply, as far as the model allows it.',
)
export const Choices = nullable(Type.Integer({ minimum: 1, maximum: 128 }), 'How many replies to generate.')
export const LogitBias = nullable(
  mapOf(Type.Number({ minimum: -100, maximum: 100 }), { maxProperties: 1024, propertyNames: { maxLength: 16 } }),
  'Token ids with a bias from -100 to 100 that is added before sampling.',
)
export const Stop = Type.Union(
  [
    Type.String({ minLength: 1, maxLength: 4096 }),
    Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { maxItems: 4 }),
    Type.Null(),
  ],
  { description: 'Up to 4 sequences at which the reply ends; the reply does not hold them.' },
)
export const StreamOptions = nullable(
  Type.Object({
    include_usage: Type.Optional(Type.Boolean({ description: 'Send one more chunk with the usage before the end.' })),
    include_obfuscation: Type.Optional(Type.Boolean({ description: 'Send padding that hides the length of chunks.' })),
  }),
  'Only together with `stream: true`.',
)
export const EndUser = Type.String({ maxLength: 512, description: 'Your own name for the end user.' })

/** A limit on generated tokens. */
export const tokenLimit = (minimum: 0 | 1, description: string) =>
  nullable(Type.Integer({ minimum, maximum: 2_147_483_647 }), description)

export const CompletionUsage = Type.Object(
  {
    prompt_tokens: Type.Integer({ minimum: 0, description: 'Tokens of the prompt.' }),
    completion_tokens: Type.Integer({ minimum: 0, description: 'Generated tokens, over all choices.' }),
    total_tokens: Type.Integer({ minimum: 0 }),
    prompt_tokens_details: Type.Optional(
      Type.Object({
        cached_tokens: Type.Optional(
          Type.Integer({ minimum: 0, description: 'Tokens of the prompt that came from a cache.' }),
        ),
        audio_tokens: Type.Optional(Type.Integer({ minimum: 0 })),
      }),
    ),
    completion_tokens_details: Type.Optional(
      Type.Object({
        reasoning_tokens: Type.Optional(Type.Integer({ minimum: 0 })),
        audio_tokens: Type.Optional(Type.Integer({ minimum: 0 })),
        accepted_prediction_tokens: Type.Optional(Type.Integer({ minimum: 0 })),
        rejected_prediction_tokens: Type.Optional(Type.Integer({ minimum: 0 })),
      }),
    ),
  },
  { description: 'What the request used.' },
)
export type CompletionUsage = Static<typeof CompletionUsage>
