/** The dialects of the model families that people run, told apart by their chat templates. */
import { fault } from '../../../lib/faults.ts'
import { thoughtEnd, toolsChosen } from './choice.ts'
import type { CallFraming, Dialect, FunctionTool, ToolsAsked, Wrapping } from './dialect.ts'
import {
  type Family,
  familyOf,
  framedFamily,
  generic,
  knownThoughts,
  type Marks,
  strange,
  thoughtsIn,
} from './families.ts'
import { conversation } from './history.ts'
import { mannersOf } from './manners.ts'
import { ids, names, Probe } from './probe.ts'
import { ReplyReader } from './reply.ts'
import { type Sample, spellingOf } from './spelling.ts'
import { written } from './writing.ts'

export { toolsAsked } from './choice.ts'
export type * from './dialect.ts'

/**
 * The dialect of a chat template: by the marks of a family in its text, and by what it renders when it is asked. A template that
 * knows no calls gets the generic dialect: tools are described in the system message, calls are JSON in `<tool_call>` tags, results
 * are said by the user.
 */
export function dialectOf(template: string): Dialect {
  const probe = new Probe(template)
  const manners = mannersOf(probe)
  const spelling = spellingOf(probe, manners, knownThoughts)
  const thought = spelling.thought === null ? [] : [spelling.thought]
  const marksOf = (family: Family): Marks => ({
    thoughts: unique([...thoughtsIn(template), ...thought, ...family.thoughts]),
    answer: spelling.answer,
  })
  const { framing: own, sample } = spelling
  const known = familyOf(template)
  const candidates = [known, own && framedFamily(own)].filter(family => family !== null)
  const reads = (family: Family) => sample === null || readsBack(family.read(marksOf(family)), sample)
  const family = candidates.find(reads) ?? (manners.knowsCalls ? strange : generic)
  const marks = marksOf(family)
  const read = family.read(marks)
  const framing = own !== null && !family.fixed && readsBack(read, writtenIn(own)) ? own : family.framing
  const spoken = { framing, thoughts: marks.thoughts }
  return {
    family: family.name,
    answer: spelling.answer ?? { open: family.answerOpen, close: '' },
    visible: visibleIn(family, framing, marks),
    conversation: (messages, tools) => conversation(messages, tools, { manners, framing }),
    choose(asked) {
      if (family === strange) refuseTools(asked)
      return toolsChosen(spoken, asked)
    },
    thoughts: marks.thoughts,
    thoughtEnd: prompt => thoughtEnd(marks.thoughts, prompt),
    parser: options => new ReplyReader(options, read),
  }
}

/** @throws fault.unsupportedValue: calls that cannot be read back are worse than none */
function refuseTools({ tools, choice }: ToolsAsked): void {
  if (tools.length === 0 || choice === 'none') return
  throw fault.unsupportedValue(
    'tools',
    'The chat template of this model spells calls in a form that is not understood here. Without tools it answers.',
  )
}

const both = ({ open, close }: Wrapping) => [open, close]

function unique(thoughts: readonly Wrapping[]): Wrapping[] {
  return thoughts.filter((one, i) => thoughts.findIndex(({ open }) => open === one.open) === i)
}

/** Tokens that must be seen where they may be control tokens: whatever looks like one in the spellings. */
function visibleIn({ visible }: Family, framing: CallFraming, { thoughts, answer }: Marks): string[] {
  const { open, before, between, after, separator, close, parameters } = framing
  const rows = parameters && [parameters.before, parameters.between, parameters.after, parameters.other?.between ?? '']
  const marks = [...thoughts.flatMap(both), ...(answer === null ? [] : both(answer))]
  const text = [open, before, between, after, separator ?? '', close, ...(rows ?? []), ...marks].join(' ')
  return [...new Set([...visible, ...marks, ...(text.match(/<[^<>\s]+>|\[\/?[A-Z_]+\]/g) ?? [])])]
}

const tools: FunctionTool[] = names.map(name => ({
  type: 'function',
  function: {
    name,
    parameters: { type: 'object', properties: { text: { type: 'string' }, number: { type: 'integer' } } },
  },
}))

/** Two calls in a spelling that was read off a template. */
function writtenIn(framing: CallFraming): Sample {
  const both = names.map((name, i) => ({ name, arguments: i === 0 ? { text: 'a b', number: 5 } : { text: 'c' } }))
  const calls = framing.separator === null ? both.slice(0, 1) : both
  const given = calls.map(({ name, arguments: value }, i) => ({
    id: ids[i] ?? '',
    name,
    arguments: JSON.stringify(value),
  }))
  return { prompt: framing.separator === '>>>' ? '>>>' : '', text: written(given, framing), calls }
}

/** Whether the calls of a text come back as they were, and nothing beside them but marks. */
function readsBack(read: ReturnType<Family['read']>, { prompt, text, calls }: Sample): boolean {
  const parser = new ReplyReader({ tools, prompt }, read)
  const found: { name: string; text: string }[] = []
  let rest = ''
  for (const event of [...parser.push(text), ...parser.end()]) {
    if (event.kind === 'toolCall') found.push({ name: event.name, text: '' })
    const last = found.at(-1)
    if (event.kind === 'toolArguments' && last !== undefined) last.text += event.text
    if (event.kind === 'content') rest += event.text
    else if (/\S/.test(rest)) return false
  }
  // Behind the calls stands what ends the turn.
  if (!/^\s*([<[\]]|$)/.test(rest)) return false
  return (
    found.length === calls.length &&
    calls.every(({ name, arguments: value }, i) => found[i]?.name === name && sameJson(found[i].text, value))
  )
}

function sameJson(text: string, value: object): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(value)
  } catch {
    return false
  }
}
