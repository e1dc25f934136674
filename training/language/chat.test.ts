import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Template } from '@huggingface/jinja'
import { CHAT_TEMPLATE, type Message, renderChat, type Tool } from './chat.ts'
import { fixture } from './fixture.ts'
import { heldCases, SKILL_NAMES } from './heldout.ts'

const template = new Template(CHAT_TEMPLATE)

function text(messages: readonly Message[], tools: readonly Tool[] = []): string {
  return renderChat(messages, tools)
    .map(part => part.text)
    .join('')
}

const weather: Tool = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const call = (city: string) => ({ type: 'function' as const, function: { name: 'get_weather', arguments: { city } } })
const conversation: Message[] = [
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: 'Weather in Boston and Lima?' },
  { role: 'assistant', content: null, tool_calls: [call('Boston'), call('Lima')] },
  { role: 'tool', content: '{"temp": 8}' },
  { role: 'tool', content: '{"temp": 19}' },
]
const rendered = `<|im_start|>system
You are a helpful assistant.

# Tools
<tools>
{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
<|im_start|>user
Weather in Boston and Lima?<|im_end|>
<|im_start|>assistant
<tool_call>
{"name": "get_weather", "arguments": {"city": "Boston"}}
</tool_call>
<tool_call>
{"name": "get_weather", "arguments": {"city": "Lima"}}
</tool_call><|im_end|>
<|im_start|>user
<tool_response>
{"temp": 8}
</tool_response>
<tool_response>
{"temp": 19}
</tool_response><|im_end|>
<|im_start|>assistant
`

test('the chat template renders a conversation with tools in the documented form', () => {
  assert.equal(template.render({ messages: conversation, tools: [weather], add_generation_prompt: true }), rendered)
  assert.equal(`${text(conversation, [weather])}<|im_start|>assistant\n`, rendered)
})

test('training text and chat template agree byte for byte', () => {
  for (const skill of SKILL_NAMES) {
    for (const language of ['en', 'zh'] as const) {
      for (const { messages, tools = [] } of heldCases(fixture, skill, language, 10)) {
        if (!messages) continue
        const forTemplate = tools.length > 0 ? { messages, tools } : { messages }
        assert.equal(template.render({ ...forTemplate, add_generation_prompt: false }), text(messages, tools))
      }
    }
  }
})

test('arguments given as the JSON string of the wire are written as they are', () => {
  const wire = {
    role: 'assistant',
    content: 'Let me look.',
    tool_calls: [{ function: { name: 'f', arguments: '{"a":1}' } }],
  }
  assert.equal(
    template.render({ messages: [wire] }),
    '<|im_start|>assistant\nLet me look.\n<tool_call>\n{"name": "f", "arguments": {"a":1}}\n</tool_call><|im_end|>\n',
  )
})

test('only what the assistant says, up to its end mark, is learnt', () => {
  const learnt = renderChat([
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello!' },
  ]).filter(part => part.learn)
  assert.deepEqual(learnt, [{ text: 'Hello!<|im_end|>', learn: true }])
})
