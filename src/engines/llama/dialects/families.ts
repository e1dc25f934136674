import type { CallFraming, RowFraming, Wrapping } from './dialect.ts'
import { framedForm, pythonCalls } from './framed.ts'
import { harmonyReply, harmonyTokens } from './harmony.ts'
import {
  deepseekCalls,
  deepseekTokens,
  functionaryCalls,
  llamaCalls,
  mistralCalls,
  phiCalls,
  toolCallTag,
} from './readers.ts'
import { type Form, plainReply } from './reading.ts'
import type { Reply } from './reply.ts'
import type { Reading } from './tape.ts'

/** What all models of a family have in common, whatever their template. */
export interface Family {
  readonly name: string
  readonly visible: readonly string[]
  readonly thoughts: readonly Wrapping[]
  /** As the family was trained to call. A template that spells calls itself knows better, unless this is `fixed`. */
  readonly framing: CallFraming
  readonly fixed: boolean
  /** How a text begins, where that has a mark which templates do not tell. */
  readonly answerOpen: string
  readonly read: (marks: Marks) => (reply: Reply) => Reading<void>
}

/** What a template puts around the parts of a reply. */
export interface Marks {
  readonly thoughts: readonly Wrapping[]
  readonly answer: Wrapping | null
}

const think: Wrapping = { open: '<think>', close: '</think>' }
const never = () => false
const object = (character: string) => character === '{'
const objectOrList = (character: string) => character === '{' || character === '['

const form = (parts: Partial<Form> & Pick<Form, 'opens' | 'read'>) => (marks: Marks) => (reply: Reply) =>
  plainReply(reply, { bare: never, promptOpen: null, ...parts, ...marks })

const framing = (parts: Partial<CallFraming>): CallFraming => ({
  open: '',
  before: '{"name": "',
  between: '", "arguments": ',
  after: '}',
  separator: '\n',
  close: '',
  name: 'json',
  parameters: null,
  ...parts,
})

const row = (parts: Pick<RowFraming, 'before' | 'between' | 'after'> & Partial<RowFraming>): RowFraming => ({
  separator: '',
  other: null,
  python: false,
  cdata: false,
  ...parts,
})

const family = (parts: Omit<Family, 'thoughts' | 'visible' | 'fixed' | 'answerOpen'> & Partial<Family>): Family => {
  const { thoughts = [think], visible = ['<tool_call>', '</tool_call>'] } = parts
  return { fixed: false, answerOpen: '', ...parts, thoughts, visible }
}

const tagged = framing({ before: '<tool_call>\n{"name": "', after: '}\n</tool_call>' })

export const generic = family({
  name: 'generic',
  framing: tagged,
  read: form({
    opens: ['<tool_call>', '```tool_call', '```tool_code', '```json', '\n{'],
    bare: objectOrList,
    read: toolCallTag,
  }),
})

const hermes = family({
  name: 'hermes',
  framing: tagged,
  read: form({ opens: ['<tool_call>'], bare: object, read: toolCallTag }),
})

const qwenCoder = family({
  name: 'qwen-coder',
  framing: framing({
    before: '<tool_call>\n<function=',
    between: '>\n',
    after: '</function>\n</tool_call>',
    name: 'plain',
    parameters: row({ before: '<parameter=', between: '>\n', after: '\n</parameter>\n', python: true }),
  }),
  read: form({ opens: ['<tool_call>', '<function='], read: toolCallTag }),
})

const glm = family({
  name: 'glm',
  framing: framing({
    before: '<tool_call>',
    between: '\n',
    after: '</tool_call>',
    name: 'plain',
    parameters: row({ before: '<arg_key>', between: '</arg_key>\n<arg_value>', after: '</arg_value>\n' }),
  }),
  read: form({ opens: ['<tool_call>'], read: toolCallTag }),
})

const llama = family({
  name: 'llama',
  visible: ['<|python_tag|>'],
  framing: framing({ between: '", "parameters": ', separator: null }),
  read: form({ opens: ['<|python_tag|>', '\n{'], bare: objectOrList, read: llamaCalls }),
})

/** Functionary 3.1 and Llama 3 with functions of one's own in tags. */
const functionTags = family({
  name: 'function-tags',
  visible: ['<|python_tag|>'],
  framing: framing({
    before: '<function=',
    between: '>',
    after: '</function>',
    separator: '',
    name: 'plain',
  }),
  read: form({ opens: ['<function=', '<|python_tag|>'], read: llamaCalls }),
})

const functionary = family({
  name: 'functionary',
  thoughts: [],
  answerOpen: 'all\n',
  framing: framing({ before: '', between: '\n', after: '', separator: '>>>', name: 'plain' }),
  read: form({ opens: ['>>>'], promptOpen: '>>>', read: functionaryCalls }),
})

const bracketThought: Wrapping = { open: '[THINK]', close: '[/THINK]' }
const mistralBase = {
  visible: ['[TOOL_CALLS]', '[ARGS]', '[CALL_ID]'],
  thoughts: [bracketThought, think],
  read: form({ opens: ['[TOOL_CALLS]'], read: mistralCalls }),
}
const mistral = family({
  ...mistralBase,
  name: 'mistral',
  framing: framing({ open: '[TOOL_CALLS][', separator: ', ', close: ']' }),
})
const mistralArgs = family({
  ...mistralBase,
  name: 'mistral-args',
  framing: framing({ before: '[TOOL_CALLS]', between: '[ARGS]', after: '', separator: '', name: 'plain' }),
})

/** For templates that know calls in a form which none of these readers reads: their models chat, and call nothing. */
export const strange = family({ ...generic, name: 'strange', visible: [] })

/** The form of a template that no family is known by; null when its calls cannot be read. */
export function framedFamily(framing: CallFraming): Family | null {
  const found = framedForm(framing)
  return found && family({ name: found.name, visible: [], framing, read: form(found.form) })
}

const { calls, call, middle, callEnd, callsEnd } = deepseekTokens
const deepseekBase = {
  visible: Object.values(deepseekTokens),
  read: form({ opens: [calls, call], read: deepseekCalls }),
}
const deepseek = family({
  ...deepseekBase,
  name: 'deepseek',
  framing: framing({
    open: calls,
    before: `${call}function${middle}`,
    between: '\n```json\n',
    after: `\n\`\`\`${callEnd}`,
    close: callsEnd,
    name: 'plain',
  }),
})
const deepseekPlain = family({
  ...deepseekBase,
  name: 'deepseek-v3.1',
  framing: framing({
    open: calls,
    before: call,
    between: middle,
    after: callEnd,
    separator: '',
    close: callsEnd,
    name: 'plain',
  }),
})

const phi = family({
  name: 'phi',
  fixed: true,
  visible: ['<|tool_call|>', '<|/tool_call|>'],
  framing: framing({ open: '<|tool_call|>[', separator: ', ', close: ']<|/tool_call|>' }),
  read: form({ opens: ['<|tool_call|>', 'functools['], read: phiCalls }),
})

const harmony = family({
  name: 'harmony',
  visible: harmonyTokens,
  thoughts: [],
  framing: framing({
    before: '<|channel|>commentary to=functions.',
    between: ' <|constrain|>json<|message|>',
    after: '<|call|>',
    separator: null,
    name: 'plain',
  }),
  read: () => harmonyReply,
})

const steps: Wrapping = { open: 'Here are my reasoning steps:', close: '[BEGIN FINAL RESPONSE]' }
/** Thoughts that templates leave out of what they render, and so do not tell of. */
const tagThought: Wrapping = { open: '<|open|>think<|sep|>', close: '<|close|>think<|sep|>' }
export const knownThoughts = [steps, bracketThought, tagThought, think]

/** How the thoughts of a template's models are marked, besides those of its family. */
export const thoughtsIn = (template: string): Wrapping[] =>
  knownThoughts.filter(({ close }) => template.includes(close))

/** LFM 2: calls of Python. */
const lfmFraming = framing({
  open: '<|tool_call_start|>[',
  before: '',
  between: '(',
  after: ')',
  separator: ', ',
  close: ']<|tool_call_end|>',
  name: 'plain',
  parameters: row({
    before: '',
    between: '="',
    after: '"',
    separator: ', ',
    other: { between: '=', after: '' },
    python: true,
  }),
})
const lfm = family({
  name: 'lfm',
  visible: [],
  framing: lfmFraming,
  read: form(pythonCalls(lfmFraming)),
})

/** By what stands in the template, the most telling first. */
const marks: readonly (readonly [found: (template: string) => boolean, family: Family])[] = [
  [has('<|channel|>', '<|start|>'), harmony],
  [has('>>>all'), functionary],
  [has('[TOOL_CALLS]', '[ARGS]'), mistralArgs],
  [has('[TOOL_CALLS]'), mistral],
  [has(call, `function${middle}`), deepseek],
  [has(call, '```json'), deepseek],
  [has(call), deepseekPlain],
  [has('<|tool_call|>'), phi],
  [has('<|tool|>', '<|/tool|>'), phi],
  [has('List of tools: '), lfm],
  [has('<arg_key>', '<tool_call>'), glm],
  [has('<parameter=', '<function='), qwenCoder],
  [has('<function='), functionTags],
  [has('<tool_call>'), hermes],
  [has('<|python_tag|>'), llama],
  [has('<|start_header_id|>', '"parameters"'), llama],
]

/** The family of a template; null when it knows no calls of its own. */
export function familyOf(template: string): Family | null {
  return marks.find(([found]) => found(template))?.[1] ?? null
}

function has(...texts: string[]): (template: string) => boolean {
  return template => texts.every(text => template.includes(text))
}
