/**
 * The messages of a chat request: what a caller sends. What the model answers stands in `chat.ts`.
 *
 * `role` stands first in every message and `type` in every part: `check.ts` picks the branch of a union by it, so that a fault is
 * named where it is and not as "no branch fits".
 */
import { type Static, Type } from 'typebox'
import { anyObject, dataLengthMax, nullable, oneOf, text } from './common.ts'

const partsMax = 2048
const Cached = Type.Optional(
  Type.Object({ mode: Type.Literal('explicit') }, { description: 'Marks where a prompt cache may end.' }),
)

export const TextPart = Type.Object({ type: Type.Literal('text'), text: text(), prompt_cache_breakpoint: Cached })
export type TextPart = Static<typeof TextPart>

const ImagePart = Type.Object({
  type: Type.Literal('image_url'),
  image_url: Type.Object({
    url: Type.String({ maxLength: dataLengthMax, description: 'A URL, or the image itself as a data URL.' }),
    detail: Type.Optional(oneOf(['auto', 'low', 'high'])),
  }),
  prompt_cache_breakpoint: Cached,
})
const AudioPart = Type.Object({
  type: Type.Literal('input_audio'),
  input_audio: Type.Object({
    data: Type.String({ maxLength: dataLengthMax, description: 'Base64.' }),
    format: oneOf(['wav', 'mp3']),
  }),
  prompt_cache_breakpoint: Cached,
})
const FilePart = Type.Object({
  type: Type.Literal('file'),
  file: Type.Object({
    filename: Type.Optional(Type.String({ maxLength: 1024 })),
    file_data: Type.Optional(Type.String({ maxLength: dataLengthMax, description: 'Base64.' })),
    file_id: Type.Optional(Type.String({ maxLength: 256 })),
  }),
  prompt_cache_breakpoint: Cached,
})
const RefusalPart = Type.Object({ type: Type.Literal('refusal'), refusal: text() })

/** A part OpenAI does not have, e.g. an upstream's `video_url`: let through to whoever understands it. */
const OtherPart = Type.Unsafe<{ type: string & {} }>({
  type: 'object',
  required: ['type'],
  properties: {
    type: {
      type: 'string',
      maxLength: 64,
      not: { enum: ['text', 'image_url', 'input_audio', 'file', 'refusal'] },
    },
  },
})

export const ContentPart = Type.Union([TextPart, ImagePart, AudioPart, FilePart, RefusalPart, OtherPart])
/** Only those of OpenAI. */
export type KnownPart = Static<
  typeof TextPart | typeof ImagePart | typeof AudioPart | typeof FilePart | typeof RefusalPart
>
export type ContentPart = Static<typeof ContentPart>

const Content = Type.Union([text(), Type.Array(ContentPart, { minItems: 1, maxItems: partsMax })], {
  description: 'A text, or a list of parts.',
})
const NullableContent = Type.Union(
  [text(), Type.Array(ContentPart, { minItems: 1, maxItems: partsMax }), Type.Null()],
  {
    description: 'A text, a list of parts, or null when the message holds tool calls alone.',
  },
)
/** Letters, digits, `-` and `_` where OpenAI's older models asked for it; newer ones take any name, and so does this. */
const AuthorName = Type.Optional(
  nullable(Type.String({ maxLength: 256 }), 'Tells participants of the same role apart.'),
)

const FunctionCall = Type.Object({
  name: Type.String({ maxLength: 256 }),
  arguments: text('JSON, as the model wrote it.'),
})

const FunctionToolCall = Type.Object({
  type: Type.Literal('function'),
  id: Type.String({ maxLength: 256 }),
  function: FunctionCall,
})
const CustomToolCall = Type.Object({
  type: Type.Literal('custom'),
  id: Type.String({ maxLength: 256 }),
  custom: Type.Object({ name: Type.String({ maxLength: 256 }), input: text() }),
})
/** A call of a tool in a finished message, sent or received. */
export const ToolCall = Type.Union([FunctionToolCall, CustomToolCall])
export type ToolCall = Static<typeof ToolCall>

const SystemMessage = Type.Object({ role: Type.Literal('system'), content: Content, name: AuthorName })
const DeveloperMessage = Type.Object({ role: Type.Literal('developer'), content: Content, name: AuthorName })
const UserMessage = Type.Object({ role: Type.Literal('user'), content: Content, name: AuthorName })
const AssistantMessage = Type.Object({
  role: Type.Literal('assistant'),
  content: Type.Optional(NullableContent),
  name: AuthorName,
  refusal: Type.Optional(nullable(text())),
  tool_calls: Type.Optional(nullable(Type.Array(ToolCall, { maxItems: 512 }))),
  function_call: Type.Optional(nullable(FunctionCall, 'Deprecated: see `tool_calls`.')),
  audio: Type.Optional(nullable(Type.Object({ id: Type.String({ maxLength: 256 }) }), 'An earlier spoken reply.')),
})
const ToolMessage = Type.Object({
  role: Type.Literal('tool'),
  content: Content,
  tool_call_id: Type.String({ maxLength: 256, description: 'The call that this is the result of.' }),
})
const FunctionMessage = Type.Object({
  role: Type.Literal('function'),
  content: nullable(text()),
  name: Type.String({ maxLength: 256 }),
})

export const ChatMessage = Type.Union([
  UserMessage,
  AssistantMessage,
  SystemMessage,
  DeveloperMessage,
  ToolMessage,
  FunctionMessage,
])
export type ChatMessage = Static<typeof ChatMessage>

const ToolName = Type.String({ minLength: 1, maxLength: 256 })
const Parameters = anyObject('The parameters as a JSON Schema.')

/** The classic form, `functions`. */
export const FunctionDefinition = Type.Object({
  name: ToolName,
  description: Type.Optional(nullable(text())),
  parameters: Type.Optional(nullable(Parameters)),
})
const FunctionTool = Type.Object({
  type: Type.Literal('function'),
  function: Type.Object({
    name: ToolName,
    description: Type.Optional(nullable(text())),
    parameters: Type.Optional(nullable(Parameters)),
    strict: Type.Optional(nullable(Type.Boolean(), 'The arguments must fit the schema exactly.')),
  }),
})
const CustomTool = Type.Object({
  type: Type.Literal('custom'),
  custom: Type.Object({
    name: ToolName,
    description: Type.Optional(nullable(text())),
    format: Type.Optional(
      Type.Union([
        Type.Object({ type: Type.Literal('text') }),
        Type.Object({
          type: Type.Literal('grammar'),
          grammar: Type.Object({ definition: text(), syntax: oneOf(['lark', 'regex']) }),
        }),
      ]),
    ),
  }),
})
export const Tool = Type.Union([FunctionTool, CustomTool])
export type Tool = Static<typeof Tool>

const named = Type.Object({ name: ToolName })
export const ToolChoice = Type.Union(
  [
    oneOf(['none', 'auto', 'required']),
    Type.Object({ type: Type.Literal('function'), function: named }),
    Type.Object({ type: Type.Literal('custom'), custom: named }),
    Type.Object({
      type: Type.Literal('allowed_tools'),
      allowed_tools: Type.Object({
        mode: oneOf(['auto', 'required']),
        tools: Type.Array(anyObject('A tool, by type and name.'), { maxItems: 128 }),
      }),
    }),
  ],
  { description: 'Whether the model may, must or must not call tools, or which one it must call.' },
)

/** The text of a content made of text alone; null when it holds anything else, so that nothing is dropped in silence. */
export function textOf(content: string | readonly ContentPart[]): string | null {
  if (typeof content === 'string') return content
  let joined = ''
  for (const part of content) {
    if (!isText(part)) return null
    joined += part.text
  }
  return joined
}

function isText(part: ContentPart): part is TextPart {
  return part.type === 'text'
}
