/** `POST /v1/embeddings`. */
import { type Static, Type } from 'typebox'
import { EndUser, ModelName, oneOf, textLengthMax } from './common.ts'

const inputsMax = 2048
const TokenId = Type.Integer({ minimum: 0, maximum: 2_147_483_647 })
const InputText = Type.String({ minLength: 1, maxLength: textLengthMax })

export const EmbeddingRequest = Type.Object({
  model: ModelName,
  input: Type.Union(
    [
      InputText,
      Type.Array(InputText, { minItems: 1, maxItems: inputsMax }),
      Type.Array(TokenId, { minItems: 1, maxItems: inputsMax }),
      Type.Array(Type.Array(TokenId, { minItems: 1, maxItems: 65_536 }), { minItems: 1, maxItems: inputsMax }),
    ],
    { description: 'A text, texts, the tokens of a text, or the tokens of several texts.' },
  ),
  encoding_format: Type.Optional(
    oneOf(['float', 'base64'], 'Numbers, or the bytes of little-endian 32-bit floats in base64.'),
  ),
  dimensions: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_536,
      description: 'Shortens the vectors to this many numbers, of length one again.',
    }),
  ),
  user: Type.Optional(EndUser),
})
export type EmbeddingRequest = Static<typeof EmbeddingRequest>

export const Embedding = Type.Object({
  object: Type.Literal('embedding'),
  index: Type.Integer({ minimum: 0, description: 'Which input this is the vector of.' }),
  embedding: Type.Union([Type.Array(Type.Number()), Type.String()], {
    description: 'The vector: numbers, or a string when base64 was asked for.',
  }),
})
export type Embedding = Static<typeof Embedding>

export const EmbeddingList = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(Embedding),
  model: Type.String(),
  usage: Type.Object({ prompt_tokens: Type.Integer({ minimum: 0 }), total_tokens: Type.Integer({ minimum: 0 }) }),
})
export type EmbeddingList = Static<typeof EmbeddingList>
