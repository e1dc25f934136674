/** Counting: `POST /v1/tokenize` and `/v1/detokenize`, which are ours, and OpenAI's `/v1/responses/input_tokens`. */
import { type Static, Type } from 'typebox'
import { anyObject, dataLengthMax, ModelName, modelLengthMax, nullable, oneOf, text } from './common.ts'

const EncodingAsked = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'One of OpenAI’s encodings, such as `o200k_base`, instead of a model.',
})
const ModelAsked = Type.String({
  minLength: 1,
  maxLength: modelLengthMax,
  description:
    'A model of this server: a local one counts with its own tokenizer, one behind an upstream by its encoding.',
})

export const TokenizeRequest = Type.Object({
  model: Type.Optional(ModelAsked),
  encoding: Type.Optional(EncodingAsked),
  input: text('The text.'),
  pieces: Type.Optional(Type.Boolean({ description: 'Return the text of each token too.' })),
  special: Type.Optional(
    Type.Boolean({
      description:
        'Take spellings of special tokens, such as `<|endoftext|>`, for those tokens. Without it they are text.',
    }),
  ),
})
export type TokenizeRequest = Static<typeof TokenizeRequest>

const counted = {
  model: Type.Optional(Type.String({ description: 'The model that was meant, by its own name.' })),
  encoding: Type.String({ description: 'What counted: an encoding, or the model with a tokenizer of its own.' }),
  count: Type.Integer({ minimum: 0, description: 'How many tokens there are.' }),
  assumptions: Type.Optional(
    Type.Array(Type.String(), { description: 'Why the model may count differently. Absent when it does not.' }),
  ),
}

export const Tokenized = Type.Object({
  object: Type.Literal('tokenization'),
  ...counted,
  tokens: nullable(Type.Array(Type.Integer({ minimum: 0 })), 'Null for a model whose tokens have no numbers.'),
  pieces: Type.Optional(
    Type.Array(Type.String(), {
      description:
        'The text that each token completes; joined they are the input. A token that ends inside a character has an empty piece, and the character stands with the token that completes it.',
    }),
  ),
})
export type Tokenized = Static<typeof Tokenized>

const tokensMax = 1_048_576

export const DetokenizeRequest = Type.Object({
  model: Type.Optional(ModelAsked),
  encoding: Type.Optional(EncodingAsked),
  tokens: Type.Array(Type.Integer({ minimum: 0, maximum: 2_147_483_647 }), {
    maxItems: tokensMax,
    description: 'The numbers of tokens.',
  }),
})
export type DetokenizeRequest = Static<typeof DetokenizeRequest>

export const Detokenized = Type.Object({
  object: Type.Literal('detokenization'),
  ...counted,
  text: Type.String({ description: 'Bytes that are no whole character stand in it as U+FFFD.' }),
})
export type Detokenized = Static<typeof Detokenized>

const partsMax = 2048

const InputText = Type.Object({ type: oneOf(['input_text', 'output_text']), text: text() })
export type InputText = Static<typeof InputText>
const InputRefusal = Type.Object({ type: Type.Literal('refusal'), refusal: text() })
export type InputRefusal = Static<typeof InputRefusal>
const InputImage = Type.Object({
  type: Type.Literal('input_image'),
  image_url: Type.Optional(nullable(Type.String({ maxLength: dataLengthMax }))),
  detail: Type.Optional(nullable(oneOf(['auto', 'low', 'high', 'original']))),
})
export type InputImage = Static<typeof InputImage>
const InputPart = Type.Union([
  InputText,
  InputRefusal,
  InputImage,
  otherThan(['input_text', 'output_text', 'refusal', 'input_image']),
])
export type InputPart = Static<typeof InputPart>

const InputContent = Type.Union([text(), Type.Array(InputPart, { maxItems: partsMax })])
const CallId = Type.String({ maxLength: 256 })

/** A message of the conversation; `type` may be left out. */
const InputMessage = Type.Object({
  role: oneOf(['user', 'assistant', 'system', 'developer']),
  content: InputContent,
  type: Type.Optional(Type.Literal('message')),
})
export type InputMessage = Static<typeof InputMessage>
const InputCall = Type.Object({
  type: Type.Literal('function_call'),
  call_id: CallId,
  name: Type.String({ maxLength: 256 }),
  arguments: text('JSON, as the model wrote it.'),
})
export type InputCall = Static<typeof InputCall>
const InputCallOutput = Type.Object({
  type: Type.Literal('function_call_output'),
  call_id: CallId,
  output: InputContent,
})
export type InputCallOutput = Static<typeof InputCallOutput>
const InputItem = Type.Union([
  InputMessage,
  InputCall,
  InputCallOutput,
  otherThan(['message', 'function_call', 'function_call_output']),
])
export type InputItem = Static<typeof InputItem>

const InputFunction = Type.Object({
  type: Type.Literal('function'),
  name: Type.String({ minLength: 1, maxLength: 256 }),
  description: Type.Optional(nullable(text())),
  parameters: Type.Optional(nullable(anyObject('The parameters as a JSON Schema.'))),
  strict: Type.Optional(nullable(Type.Boolean())),
})
export type InputFunction = Static<typeof InputFunction>
const InputTool = Type.Union([InputFunction, otherThan(['function'])])
export type InputTool = Static<typeof InputTool>

const InputFunctionChoice = Type.Object({
  type: Type.Literal('function'),
  name: Type.String({ minLength: 1, maxLength: 256 }),
})
export type InputFunctionChoice = Static<typeof InputFunctionChoice>

export const InputTokensRequest = Type.Object({
  model: ModelName,
  input: Type.Optional(
    nullable(
      Type.Union([text(), Type.Array(InputItem, { maxItems: partsMax })]),
      'A text of the user, or a conversation.',
    ),
  ),
  instructions: Type.Optional(nullable(text(), 'A system message before all others.')),
  tools: Type.Optional(nullable(Type.Array(InputTool, { maxItems: 128 }), 'What the model may call. Functions alone.')),
  tool_choice: Type.Optional(
    nullable(
      Type.Union([oneOf(['none', 'auto', 'required']), InputFunctionChoice, otherThan(['function'])]),
      'Whether the model may, must or must not call tools, or which one it must call.',
    ),
  ),
  text: Type.Optional(
    nullable(
      Type.Object({ format: Type.Optional(nullable(anyObject('Text, JSON, or JSON of a schema.'))) }),
      'The form of the reply.',
    ),
  ),
  parallel_tool_calls: Type.Optional(nullable(Type.Boolean(), 'Changes no count.')),
  reasoning: Type.Optional(nullable(anyObject('Changes no count.'))),
  truncation: Type.Optional(nullable(oneOf(['auto', 'disabled'], 'Changes no count: nothing is truncated here.'))),
  previous_response_id: Type.Optional(nullable(Type.String({ maxLength: 256 }), 'Not supported yet.')),
  conversation: Type.Optional(
    nullable(Type.Union([Type.String({ maxLength: 256 }), anyObject('A conversation.')]), 'Not supported yet.'),
  ),
  personality: Type.Optional(nullable(Type.String({ maxLength: 64 }), 'Not supported.')),
})
export type InputTokensRequest = Static<typeof InputTokensRequest>

export const InputTokens = Type.Object({
  object: Type.Literal('response.input_tokens'),
  input_tokens: Type.Integer({ minimum: 0 }),
  assumptions: counted.assumptions,
})
export type InputTokens = Static<typeof InputTokens>

/** What OpenAI has and this does not: let through the schema, to be refused by name. */
function otherThan(types: readonly string[]) {
  return Type.Unsafe<{ type: string & {} }>({
    type: 'object',
    required: ['type'],
    properties: { type: { type: 'string', maxLength: 64, not: { enum: types } } },
  })
}
