/** How a conversation becomes text: the model's chat template, and the same in TypeScript for making training data. */

export interface Tool {
  readonly type: 'function'
  readonly function: { readonly name: string; readonly [field: string]: unknown }
}

export interface Call {
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
}

export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string | null
  readonly tool_calls?: readonly { readonly type: 'function'; readonly function: Call }[]
}

/** A piece of a document; `learn` marks what the model itself has to say. */
export interface Segment {
  readonly text: string
  readonly learn: boolean
}

/**
 * ChatML with Hermes tools, as Jinja. Arguments given as a JSON string (OpenAI's wire form) are written as they are;
 * as an object they are written in the spacing of Python's `json.dumps`, the form the model was trained on.
 */
export const CHAT_TEMPLATE = `{%- set ns = namespace(system='') -%}
{%- if messages and messages[0].role in ['system', 'developer'] -%}
{%- set ns.system = messages[0].content -%}
{%- set rest = messages[1:] -%}
{%- else -%}
{%- set rest = messages -%}
{%- endif -%}
{%- if tools -%}
{{- '<|im_start|>system\\n' -}}
{%- if ns.system -%}{{- ns.system + '\\n\\n' -}}{%- endif -%}
{{- '# Tools\\n<tools>\\n' -}}
{%- for tool in tools -%}{{- tool | tojson -}}{{- '\\n' -}}{%- endfor -%}
{{- '</tools>\\n\\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\\n<tool_call>\\n{"name": <function-name>, "arguments": <args-json-object>}\\n</tool_call><|im_end|>\\n' -}}
{%- elif ns.system -%}
{{- '<|im_start|>system\\n' + ns.system + '<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in rest -%}
{%- if message.role == 'tool' -%}
{%- if loop.first or rest[loop.index0 - 1].role != 'tool' -%}{{- '<|im_start|>user' -}}{%- endif -%}
{{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' -}}
{%- if loop.last or rest[loop.index0 + 1].role != 'tool' -%}{{- '<|im_end|>\\n' -}}{%- endif -%}
{%- elif message.role == 'assistant' -%}
{{- '<|im_start|>assistant\\n' -}}
{%- if message.content -%}{{- message.content -}}{%- endif -%}
{%- if message.tool_calls -%}
{%- for call in message.tool_calls -%}
{%- if not loop.first or message.content -%}{{- '\\n' -}}{%- endif -%}
{{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' -}}
{%- if call.function.arguments is string -%}{{- call.function.arguments -}}{%- else -%}{{- call.function.arguments | tojson -}}{%- endif -%}
{{- '}\\n</tool_call>' -}}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- else -%}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}`

const PREAMBLE =
  '</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n' +
  '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n'

/** What CHAT_TEMPLATE renders, in pieces. A test compares the two byte for byte. */
export function renderChat(messages: readonly Message[], tools: readonly Tool[] = []): Segment[] {
  const out: Segment[] = []
  const say = (text: string, learn = false): void => void out.push({ text, learn })
  const first = messages[0]
  const system = first?.role === 'system' ? (first.content ?? '') : ''
  const rest = first?.role === 'system' ? messages.slice(1) : messages
  if (tools.length > 0) {
    const lines = tools.map(tool => `${pythonJson(tool)}\n`).join('')
    say(`<|im_start|>system\n${system ? `${system}\n\n` : ''}# Tools\n<tools>\n${lines}${PREAMBLE}`)
  } else if (system) say(`<|im_start|>system\n${system}<|im_end|>\n`)
  rest.forEach((message, i) => {
    if (message.role === 'tool') {
      if (rest[i - 1]?.role !== 'tool') say('<|im_start|>user')
      say(`\n<tool_response>\n${message.content}\n</tool_response>`)
      if (rest[i + 1]?.role !== 'tool') say('<|im_end|>\n')
    } else if (message.role === 'assistant') {
      say('<|im_start|>assistant\n')
      say(`${assistantText(message)}<|im_end|>`, true)
      say('\n')
    } else say(`<|im_start|>${message.role}\n${message.content}<|im_end|>\n`)
  })
  return out
}

/** What the model says in an assistant message: text, then its calls. */
export function assistantText(message: Message): string {
  const calls = (message.tool_calls ?? []).map(
    ({ function: call }) =>
      `<tool_call>\n{"name": "${call.name}", "arguments": ${pythonJson(call.arguments)}}\n</tool_call>`,
  )
  return [message.content, ...calls].filter(part => part).join('\n')
}

/** JSON with a space after comma and colon, as the `tojson` filter of the template writes it. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (value !== null && typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, inner]) => `${JSON.stringify(key)}: ${pythonJson(inner)}`)
      .join(', ')}}`
  }
  return JSON.stringify(value)
}
