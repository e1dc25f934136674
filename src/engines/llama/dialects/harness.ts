/** Generated replies of all families and what they say, and the means to read them in tests. */
import { readFileSync } from 'node:fs'
import type { Dialect, FunctionTool, ParserOptions, Said } from './dialect.ts'
import { formSamples } from './forms/harness.ts'
import { dialectOf } from './index.ts'

const dialects = new Map<string, Dialect>()

/** Of a fixture; each is asked once. */
export function dialect(file: string): Dialect {
  const known = dialects.get(file)
  if (known !== undefined) return known
  const made = dialectOf(readFileSync(new URL(`fixtures/${file}.jinja`, import.meta.url), 'utf8'))
  dialects.set(file, made)
  return made
}

const weather: FunctionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' }, detail: { type: 'boolean' } },
    },
  },
}
const clock: FunctionTool = { type: 'function', function: { name: 'now' } }
export const tools = [weather, clock]

/** Events in short: text as it is, `(thought)`, `name#index=arguments`. */
export function short(said: readonly Said[]): string[] {
  const lines: { key: string; text: string }[] = []
  for (const event of said) {
    const key = event.kind === 'toolCall' || event.kind === 'toolArguments' ? `call ${event.index}` : event.kind
    const text =
      event.kind === 'toolCall' ? `${event.name}${event.id === undefined ? '' : `:${event.id}`}=` : event.text
    const last = lines.at(-1)
    if (last?.key === key) last.text += text
    else lines.push({ key, text })
  }
  return lines.map(({ key, text }) => (key === 'reasoning' ? `(${text})` : text))
}

export function read(file: string, pieces: readonly string[], options: Partial<ParserOptions> = {}): string[] {
  const parser = dialect(file).parser({ tools, prompt: '', ...options })
  return short([...pieces.flatMap(piece => parser.push(piece)), ...parser.end()])
}

export interface Sample {
  readonly name: string
  readonly file: string
  readonly text: string
  readonly said: readonly string[]
  readonly options?: Partial<ParserOptions>
}

export const oslo = '{"city": "Oslo"}'
export const lima = '{"city": "Lima", "days": 2}'
export const hermes = (args: string) => `<tool_call>\n{"name": "get_weather", "arguments": ${args}}\n</tool_call>`
const [begin, call, sep, end, ends] = [
  '<｜tool▁calls▁begin｜>',
  '<｜tool▁call▁begin｜>',
  '<｜tool▁sep｜>',
  '<｜tool▁call▁end｜>',
  '<｜tool▁calls▁end｜>',
]
const fenced = (args: string) => `${call}function${sep}get_weather\n\`\`\`json\n${args}\n\`\`\`${end}`
const thinking = { prompt: '<|im_start|>assistant\n<think>\n' }
const opened = { prompt: 'assistant<|end_header_id|>\n\n>>>' }

export const samples: readonly Sample[] = [
  // Hermes and Qwen
  { name: 'text', file: 'qwen', text: ' Hi <there>\n', said: [' Hi <there>\n'] },
  { name: 'a call', file: 'qwen', text: hermes(oslo), said: [`get_weather=${oslo}`] },
  {
    name: 'parallel calls',
    file: 'qwen',
    text: `${hermes(oslo)}\n${hermes(lima)}\n`,
    said: [`get_weather=${oslo}`, `get_weather=${lima}`],
  },
  {
    name: 'text around calls',
    file: 'hermes',
    text: `Let me see.\n\n${hermes(oslo)}\n\nDone. `,
    said: ['Let me see.', `get_weather=${oslo}`, 'Done. '],
  },
  {
    name: 'two calls in one tag, or in a list',
    file: 'qwen',
    text: '<tool_call>[{"name":"now"},{"name":"now","arguments":{}}]</tool_call><tool_call>{"name":"now"}\n{"name":"now"}</tool_call>',
    said: ['now={}', 'now={}', 'now={}', 'now={}'],
  },
  {
    name: 'arguments before the name, in a string, or null',
    file: 'qwen',
    text: '<tool_call>{"arguments": {"a": [1, "}"]}, "name": "now"}</tool_call><tool_call>{"name": "now", "arguments": "{\\"a\\": \\"\\u00e9\\ud83d\\ude00\\n\\"}"}</tool_call><tool_call>{"name": "now", "arguments": null}</tool_call>',
    said: ['now={"a": [1, "}"]}', 'now={"a": "é😀\n"}', 'now={}'],
  },
  {
    name: 'an id, the form of OpenAI, and fields that nobody knows',
    file: 'qwen',
    text: '<tool_call>{"id": "c1", "type": "function", "function": {"name": "now", "arguments": {}}, "x": [1]}</tool_call><tool_call>{"id": "c2", "name": "now", "arguments": {}, "x": -1.5e3}</tool_call>',
    said: ['now={}', 'now:c2={}'],
  },
  {
    name: 'a missing and a superfluous bracket',
    file: 'qwen',
    text: '<tool_call>{"name": "now", "arguments": {"a": 1}</tool_call><tool_call>{"name": "now", "arguments": {"a": 1}}}</tool_call>ok',
    said: ['now={"a": 1}', 'now={"a": 1}', 'ok'],
  },
  {
    name: 'arguments whose brackets do not match',
    file: 'qwen',
    text: '<tool_call>{"name": "now", "arguments": {"a": [1}}\n</tool_call>ok',
    said: ['now={"a": [1}}\n', 'ok'],
  },
  {
    name: 'what is no call is text, whole',
    file: 'qwen',
    text: 'a <tool_call> \n{"name": now}</tool_call> <tool_call>b <tool_call>[1]',
    said: ['a <tool_call> \n{"name": now}</tool_call> <tool_call>b <tool_call>[1]'],
  },
  {
    name: 'a call cut off in the name',
    file: 'qwen',
    text: '<tool_call>\n{"name": "get_w',
    said: ['<tool_call>\n{"name": "get_w'],
  },
  {
    name: 'a call cut off in the arguments',
    file: 'qwen',
    text: '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Os',
    said: ['get_weather={"city": "Os'],
  },
  { name: 'a marker cut off', file: 'qwen', text: 'a <tool_', said: ['a <tool_'] },
  {
    name: 'bare JSON that calls an offered function',
    file: 'qwen',
    text: `{"name": "get_weather", "arguments": ${oslo}}`,
    said: [`get_weather=${oslo}`],
  },
  {
    name: 'JSON that calls nothing',
    file: 'qwen',
    text: '{"name": "Bob", "arguments": {}}',
    said: ['{"name": "Bob", "arguments": {}}'],
  },
  {
    name: 'a call without tools is text',
    file: 'qwen',
    text: hermes(oslo),
    options: { tools: [] },
    said: [hermes(oslo)],
  },
  // Thoughts
  {
    name: 'a thought and a call',
    file: 'qwen',
    text: `<think>\nWhere?\n\nOslo. \n</think>\n\n${hermes(oslo)}`,
    said: ['(Where?\n\nOslo.)', `get_weather=${oslo}`],
  },
  {
    name: 'a thought that the prompt began',
    file: 'qwen-thinking',
    options: thinking,
    text: 'Hm <tool_call>\n</think>\n\nYes',
    said: ['(Hm <tool_call>)', 'Yes'],
  },
  { name: 'an empty thought', file: 'qwen', text: '\n<think>\n\n</think>\n\nYes', said: ['Yes'] },
  { name: 'a thought cut off', file: 'qwen', text: '<think>\nHm </thi', said: ['(Hm </thi)'] },
  {
    name: 'marks of a thought inside the text',
    file: 'qwen',
    text: 'The <think>tag</think>',
    said: ['The <think>tag</think>'],
  },
  {
    name: 'a thought without tools',
    file: 'chatml',
    options: { tools: [] },
    text: '<think>a</think>b',
    said: ['(a)', 'b'],
  },
  { name: 'a thought in brackets', file: 'mistral-args', text: '[THINK]a[/THINK]b', said: ['(a)', 'b'] },
  // Qwen3-Coder and GLM
  {
    name: 'parameters in tags, by their types',
    file: 'qwen-coder',
    text: 'Look:\n<tool_call>\n<function=get_weather>\n<parameter=city>\n"Os\nlo"\n\n</parameter>\n<parameter=days>\n 2\n</parameter>\n<parameter=detail>\nTrue\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>',
    said: ['Look:', 'get_weather={"city": "\\"Os\\nlo\\"\\n", "days": 2, "detail": true}', 'now={}'],
  },
  {
    name: 'a tag without its frame, and a value that is not of its type',
    file: 'qwen-coder',
    text: '<function=get_weather><parameter=days>constructor</parameter><parameter=toString>1</parameter></function>',
    said: ['get_weather={"days": "constructor", "toString": "1"}'],
  },
  {
    name: 'parameters cut off',
    file: 'qwen-coder',
    text: '<tool_call>\n<function=get_weather>\n<parameter=city>\nOs',
    said: ['get_weather={"city": "Os'],
  },
  {
    name: 'no function in the tag',
    file: 'qwen-coder',
    text: '<tool_call>\n<function=a b>x',
    said: ['<tool_call>\n<function=a b>x'],
  },
  {
    name: 'keys and values in tags',
    file: 'glm',
    text: '\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call>\n<tool_call>now</tool_call>',
    said: ['get_weather={"city": "Oslo", "days": 2}', 'now={}'],
  },
  // Llama
  {
    name: 'JSON as text',
    file: 'llama',
    text: `{"name": "get_weather", "parameters": ${oslo}}`,
    said: [`get_weather=${oslo}`],
  },
  {
    name: 'several calls in a row, and text',
    file: 'llama',
    text: `\n{"type": "function", "name": "get_weather", "parameters": ${oslo}}; {"function": "now", "parameters": {}}\nso`,
    said: [`get_weather=${oslo}`, 'now={}', 'so'],
  },
  {
    name: 'a call on a line of its own',
    file: 'llama',
    text: 'Well:\n{"name": "now", "parameters": {}}',
    said: ['Well:', 'now={}'],
  },
  {
    name: 'a call after the tag',
    file: 'llama',
    text: '<|python_tag|>{"name": "now", "parameters": {}}',
    said: ['now={}'],
  },
  {
    name: 'code of a built-in tool',
    file: 'llama',
    text: '<|python_tag|>brave_search.call(query="x")',
    said: ['<|python_tag|>brave_search.call(query="x")'],
  },
  {
    name: 'JSON that is an answer',
    file: 'llama',
    text: '{"name": "Bob", "age": 3}\n{"a": 1}',
    said: ['{"name": "Bob", "age": 3}\n{"a": 1}'],
  },
  { name: 'an offered name without arguments', file: 'llama', text: '{"name": "now"}', said: ['{"name": "now"}'] },
  // Functionary
  {
    name: 'functions in tags',
    file: 'function-tags',
    text: `a\n<function=get_weather>${oslo}</function><function=now>{}</function>`,
    said: ['a', `get_weather=${oslo}`, 'now={}'],
  },
  {
    name: 'recipients',
    file: 'functionary',
    options: opened,
    text: `all\nLet me see.\n>>>get_weather\n${oslo}>>>now\n{}`,
    said: ['Let me see.', `get_weather=${oslo}`, 'now={}'],
  },
  {
    name: 'brackets that are no recipient',
    file: 'functionary',
    options: opened,
    text: 'all\n>>> 1 + 1\n2 >>>x\n',
    said: ['>>> 1 + 1\n2 >>>x\n'],
  },
  {
    name: 'a recipient without tools',
    file: 'functionary',
    options: { ...opened, tools: [] },
    text: 'all\nHi',
    said: ['Hi'],
  },
  // Mistral
  {
    name: 'a list of calls',
    file: 'mistral',
    text: `[TOOL_CALLS] [{"name": "get_weather", "arguments": ${oslo}, "id": "abcdefghi"}, {"name": "now", "arguments": {}}]`,
    said: [`get_weather=${oslo}`, 'now={}'],
  },
  {
    name: 'names and arguments between tokens',
    file: 'mistral-args',
    text: `Sure. [TOOL_CALLS]get_weather[ARGS]${oslo}[TOOL_CALLS]now[CALL_ID]abcdefghi[ARGS]{}`,
    said: ['Sure.', `get_weather=${oslo}`, 'now:abcdefghi={}'],
  },
  {
    name: 'a token that begins no call',
    file: 'mistral',
    text: '[TOOL_CALLS]none at all',
    said: ['[TOOL_CALLS]none at all'],
  },
  // DeepSeek
  {
    name: 'calls in fences',
    file: 'deepseek',
    options: { prompt: '<｜Assistant｜><think>\n' },
    text: `Hm\n</think>\n\n${begin}${fenced(oslo)}\n${fenced(lima)}${ends}`,
    said: ['(Hm)', `get_weather=${oslo}`, `get_weather=${lima}`],
  },
  {
    name: 'calls without fences',
    file: 'deepseek-plain',
    text: `a${begin}${call}get_weather${sep}${oslo}${end}${call}now${sep}{}${end}${ends}`,
    said: ['a', `get_weather=${oslo}`, 'now={}'],
  },
  {
    name: 'a frame without arguments',
    file: 'deepseek',
    text: `${begin}${call}function${sep}now\nno`,
    said: [`${begin}${call}function${sep}now\nno`],
  },
  // Phi
  {
    name: 'a list between tokens',
    file: 'phi',
    text: `<|tool_call|>[{"name": "get_weather", "arguments": ${oslo}}, {"name": "now", "arguments": {}}]<|/tool_call|>`,
    said: [`get_weather=${oslo}`, 'now={}'],
  },
  { name: 'a list after a word', file: 'phi', text: 'functools[{"name": "now", "arguments": {}}]', said: ['now={}'] },
  // gpt-oss
  {
    name: 'channels',
    file: 'harmony',
    text: '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>One moment.<|end|><|start|>assistant<|channel|>final<|message|>Hi <b><|return|>',
    said: ['(Hm.)', 'One moment.\n\nHi <b>'],
  },
  {
    name: 'a thought and a call',
    file: 'harmony',
    text: `<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>${oslo}<|call|>`,
    said: ['(Hm.)', `get_weather=${oslo}`],
  },
  {
    name: 'a recipient before the channel',
    file: 'harmony',
    text: ` to=functions.now<|channel|>commentary json<|message|>{}`,
    said: ['now={}'],
  },
  { name: 'a thought cut off', file: 'harmony', text: '<|channel|>analysis<|message|>Hm', said: ['(Hm)'] },
  { name: 'no frame at all', file: 'harmony', text: 'to be or <not>', said: ['to be or <not>'] },
  {
    name: 'two thoughts',
    file: 'harmony',
    text: '<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>analysis to=python<|message|>b<|call|>',
    said: ['(a\n\nb)'],
  },
  // What has no calls of its own
  {
    name: 'fenced JSON',
    file: 'gemma',
    text: 'Ok\n```json\n{"name": "now", "parameters": {}}\n```\n',
    said: ['Ok', 'now={}'],
  },
  {
    name: 'a fence with code',
    file: 'gemma',
    text: '```tool_code\nprint(1)\n```\n```json\n{"a": 1}\n```',
    said: ['```tool_code\nprint(1)\n```\n```json\n{"a": 1}\n```'],
  },
  { name: 'a call in tags', file: 'chatml', text: hermes(oslo), said: [`get_weather=${oslo}`] },
  { name: 'a list at the start', file: 'chatml', text: '[{"name": "now", "arguments": {}}]', said: ['now={}'] },
  { name: 'an answer that is a list', file: 'chatml', text: '[1] is the first', said: ['[1] is the first'] },
  ...formSamples,
]
