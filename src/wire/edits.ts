/** `POST /v1/edits`, as OpenAI had it until 2024. */
import { type Static, Type } from 'typebox'
import { CompletionUsage, ModelName, nullable, Temperature, TopP, text, unixTime } from './common.ts'

export const EditRequest = Type.Object({
  model: ModelName,
  input: Type.Optional(nullable(text(), 'The text to start from; nothing when absent.')),
  instruction: text('How to edit the text.'),
  n: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 20 }), 'How many edits to generate.')),
  temperature: Type.Optional(Temperature),
  top_p: Type.Optional(TopP),
})
export type EditRequest = Static<typeof EditRequest>

export const Edit = Type.Object({
  object: Type.Literal('edit'),
  created: unixTime('When the reply began.'),
  choices: Type.Array(Type.Object({ text: Type.String(), index: Type.Integer({ minimum: 0 }) })),
  usage: CompletionUsage,
})
export type Edit = Static<typeof Edit>
