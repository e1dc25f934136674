import type { CallFraming } from './dialect.ts'
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
import { type Form, plainReply, type Thought } from './reading.ts'
import type { Reply } from './reply.ts'
import type { Reading } from './tape.ts'

/** What all models of a family have in common, whatever their template. */
export interface Family {
  readonly name: string
  readonly visible: readonly string[]
  readonly thoughts: readonly Thought[]
  readonly framing: CallFraming
  readonly read: (reply: Reply) => Reading<void>
  /** What templates of the family are known to do with messages; see `history.ts`. */
  readonly habits: Partial<Habits>
}

export interface Habits {
  /** System messages after the first place are lost or refused. */
  readonly systemFirst: boolean
  /** One call in a message: several calls become several messages, each followed by its result. */
  readonly oneCall: boolean
  /** Text beside calls is lost: it becomes a message of its own. */
  readonly textApart: boolean
  /** The field for the thoughts of earlier turns. */
  readonly thoughtField: string
}

const think: Thought = { open: '<think>', close: '</think>' }
const never = () => false
const object = (character: string) => character === '{'
const objectOrList = (character: string) => character === '{' || character === '['

const form = (parts: Partial<Form> & Pick<Form, 'opens' | 'read'>) => (reply: Reply) =>
  plainReply(reply, { thoughts: [think], bare: never, promptOpen: null, ...parts })

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

const family = (parts: Omit<Family, 'thoughts' | 'visible' | 'habits'> & Partial<Family>): Family => {
  const { thoughts = [think], visible = ['<tool_call>', '</tool_call>'] } = parts
  return {
    habits: {},
    ...parts,
    thoughts,
    visible: [...thoughts.flatMap(({ open, close }) => [open, close]), ...visible],
  }
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
    parameters: { before: '<parameter=', between: '>\n', after: '\n</parameter>\n' },
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
    parameters: { before: '<arg_key>', between: '</arg_key>\n<arg_value>', after: '</arg_value>\n' },
  }),
  read: form({ opens: ['<tool_call>'], read: toolCallTag }),
})

const llama = family({
  name: 'llama',
  visible: ['<|python_tag|>'],
  framing: framing({ between: '", "parameters": ', separator: null }),
  read: form({ opens: ['<|python_tag|>', '\n{'], bare: objectOrList, read: llamaCalls }),
  habits: { textApart: true },
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
  framing: framing({ before: '', between: '\n', after: '', separator: '>>>', name: 'plain' }),
  read: form({ thoughts: [], opens: ['>>>'], promptOpen: '>>>', read: functionaryCalls }),
})

const bracketThought: Thought = { open: '[THINK]', close: '[/THINK]' }
const mistralBase = {
  visible: ['[TOOL_CALLS]', '[ARGS]', '[CALL_ID]'],
  thoughts: [bracketThought, think],
  read: form({ thoughts: [bracketThought, think], opens: ['[TOOL_CALLS]'], read: mistralCalls }),
}
const mistral = family({
  ...mistralBase,
  name: 'mistral',
  framing: framing({ open: '[TOOL_CALLS][', separator: ', ', close: ']' }),
  habits: { systemFirst: true },
})
const mistralArgs = family({
  ...mistralBase,
  name: 'mistral-args',
  framing: framing({ before: '[TOOL_CALLS]', between: '[ARGS]', after: '', separator: '', name: 'plain' }),
})

const { calls, call, middle, callEnd, callsEnd } = deepseekTokens
const deepseekBase = {
  visible: Object.values(deepseekTokens),
  read: form({ opens: [calls, call], read: deepseekCalls }),
  habits: { systemFirst: true },
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
  visible: ['<|tool_call|>', '<|/tool_call|>'],
  framing: framing({ open: '<|tool_call|>[', separator: ', ', close: ']<|/tool_call|>' }),
  read: form({ opens: ['<|tool_call|>', 'functools['], read: phiCalls }),
  habits: { systemFirst: true },
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
  read: harmonyReply,
  habits: { systemFirst: true, oneCall: true, thoughtField: 'thinking' },
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
