import { chatml, scriptedModel } from '../models/make.ts'

/** Calls a tool; after the result of the call it answers: its template then ends with the beginning of the answer. */
export const caller = scriptedModel(
  [
    'One moment.',
    '<tool_call>\n',
    '{"name": "get_weather", ',
    '"arguments": {"city": ',
    '"Oslo"}}',
    '\n</tool_call>',
    'It is ',
    'sunny.',
  ],
  {
    template: chatml.replace(
      '{%- if add_generation_prompt %}',
      "{%- if '<tool_response>' in messages[-1].content %}{{ 'It is ' }}{%- elif add_generation_prompt %}",
    ),
  },
)
/** Of the tool that it calls. */
export const parameters = {
  type: 'object' as const,
  properties: { city: { type: 'string' as const } },
  required: ['city'],
  additionalProperties: false as const,
}
