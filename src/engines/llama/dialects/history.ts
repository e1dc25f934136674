import { fault } from '../../../lib/faults.ts'
import { type ChatMessage, textOf } from '../../../wire/chat.ts'
import type { CallFraming, Conversation, FunctionTool, TemplateTurn } from './dialect.ts'
import type { Manners } from './manners.ts'
import { entriesOf, nine, parsed, spaced, type WrittenCall, written } from './writing.ts'

/** A turn on its way to the template: calls still with the text of their arguments. */
interface Turn {
  role: 'system' | 'user' | 'assistant' | 'tool'
  content: string
  calls?: readonly Call[]
  thought?: string
  callId?: string
  /** Of the function that a result comes from. */
  name?: string
  /** The tools, where the template looks for them in a message. */
  tools?: string
}

type Call = WrittenCall

/**
 * OpenAI's messages as a template takes them.
 * @throws fault.unsupportedValue for content that is not text
 */
export function conversation(
  messages: readonly ChatMessage[],
  tools: readonly FunctionTool[],
  { manners, framing }: { manners: Manners; framing: CallFraming },
): Conversation {
  const listed = tools.map(tool => plainTool(tool, manners))
  const told = tools.length > 0 && !manners.listsTools
  let turns = inOrder(turnsOf(messages))
  if (manners.toolsInSystem && listed.length > 0) turns = withTools(turns, listed)
  else if (told) turns = withPreamble(turns, preamble(listed, framing))
  if (!manners.knowsCalls) turns = turns.map(turn => spoken(turn, manners, framing))
  else {
    if (manners.oneCall) turns = oneByOne(turns)
    if (manners.textApart) turns = turns.flatMap(apart)
  }
  turns = systemPlaced(turns, manners.system)
  if (manners.alternates || !manners.knowsCalls) turns = merged(turns, manners)
  return {
    messages: turns.map(turn => rendered(turn, manners)),
    tools: listed.length === 0 || told ? undefined : listed,
  }
}

function turnsOf(messages: readonly ChatMessage[]): Turn[] {
  const results = new Results()
  return messages.map((message, index): Turn => {
    const content = plainText(message, index)
    if (message.role === 'assistant') {
      const calls = callsOf(message, index)
      results.expect(calls)
      const thought = thoughtOf(message)
      return { role: 'assistant', content, ...(calls.length > 0 ? { calls } : {}), ...(thought ? { thought } : {}) }
    }
    if (message.role === 'tool') return { role: 'tool', content, ...results.byId(message.tool_call_id) }
    if (message.role === 'function') return { role: 'tool', content, ...results.byName(message.name, index) }
    return { role: message.role === 'user' ? 'user' : 'system', content: signed(content, message.name) }
  })
}

/** Finds the call that a result belongs to. */
class Results {
  readonly #names = new Map<string, string>()
  #open: Call[] = []

  expect(calls: readonly Call[]): void {
    for (const { id, name } of calls) this.#names.set(id, name)
    this.#open.push(...calls)
  }

  byId(callId: string): Pick<Turn, 'callId' | 'name'> {
    const name = this.#names.get(callId)
    return { callId, ...(name === undefined ? {} : { name }) }
  }

  /** The older form has no ids: the first call of that name that has no result yet. */
  byName(name: string, index: number): Pick<Turn, 'callId' | 'name'> {
    const call = this.#open.find(each => each.name === name)
    this.#open = this.#open.filter(each => each !== call)
    return { callId: call?.id ?? `function-${index}`, name }
  }
}

type AssistantMessage = Extract<ChatMessage, { role: 'assistant' }>

function callsOf({ tool_calls, function_call }: AssistantMessage, index: number): Call[] {
  const calls = (tool_calls ?? []).map(call =>
    call.type === 'function'
      ? { id: call.id, ...call.function }
      : { id: call.id, name: call.custom.name, arguments: JSON.stringify({ input: call.custom.input }) },
  )
  return function_call ? [...calls, { id: `function-${index}`, ...function_call }] : calls
}

/** Upstreams and thinking models have this field, OpenAI has not. */
function thoughtOf(message: object): string | undefined {
  const thought: unknown = 'reasoning_content' in message ? message.reasoning_content : undefined
  return typeof thought === 'string' && thought !== '' ? thought : undefined
}

function plainText(message: ChatMessage, index: number): string {
  const { content = null } = message
  const text = content === null ? '' : textOf(content)
  if (text === null)
    throw fault.unsupportedValue(`messages.${index}.content`, 'This model takes text alone, no images, audio or files.')
  // A refusal is what the assistant said then.
  return text === '' && message.role === 'assistant' && message.refusal ? message.refusal : text
}

/** Templates know no names of participants. */
const signed = (content: string, name: string | null | undefined) => (name ? `${name}: ${content}` : content)

/** A tool as templates print it: in this order, nothing that is null, and whole where they look inside. */
function plainTool({ function: { name, description, parameters } }: FunctionTool, manners: Manners) {
  const schema = parameters ?? { type: 'object', properties: {} }
  return {
    type: 'function',
    function: {
      name,
      ...(description || manners.describes ? { description: description ?? '' } : {}),
      parameters: manners.describesParameters ? described(schema) : manners.describes ? propertied(schema) : schema,
    },
  }
}

const propertied = (schema: object): object => ('properties' in schema ? schema : { ...schema, properties: {} })

function described(schema: object): object {
  const properties = 'properties' in schema ? schema.properties : {}
  const whole = typeof properties === 'object' && properties !== null ? Object.entries(properties) : []
  const told = whole.map(([key, property]): [string, unknown] => [
    key,
    typeof property === 'object' && property !== null && !property.description
      ? { ...property, description: '' }
      : property,
  ])
  return { ...schema, properties: Object.fromEntries(told) }
}

/** For templates that do not list tools. The words for the usual form are those that Hermes and Qwen were trained on. */
function preamble(tools: readonly object[], { open, before, between, after, close, parameters }: CallFraming): string {
  const usual = parameters === null && before.startsWith('<tool_call>')
  const how = usual
    ? 'For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:'
    : 'To call a function, answer in this form:'
  const body = parameters
    ? `${parameters.before}<parameter-name>${parameters.between}<value>${parameters.after}`
    : '<args-json-object>'
  // The quotes belong to the name.
  const name = usual
    ? [before.replace(/"$/, ''), between.replace(/^"/, '')].join('<function-name>')
    : `${before}<function-name>${between}`
  const example = `${open}${name}${body}${after}${close}`
  return ['# Tools', '<tools>', ...tools.map(spaced), '</tools>', '', how, example].join('\n')
}

/** For templates that look for the tools in the system message, as text. */
function withTools(turns: Turn[], tools: readonly { function: object }[]): Turn[] {
  const text = spaced(tools.map(tool => tool.function))
  const [first, ...others] = turns
  if (first?.role !== 'system') return [{ role: 'system', content: '', tools: text }, ...turns]
  return [{ ...first, tools: text }, ...others]
}

function withPreamble(turns: Turn[], text: string): Turn[] {
  const [first, ...others] = turns
  if (first?.role !== 'system') return [{ role: 'system', content: text }, ...turns]
  return [{ ...first, content: `${first.content}\n\n${text}` }, ...others]
}

/** Calls and results as text, for templates that know neither. */
function spoken(turn: Turn, { showsResults }: Manners, framing: CallFraming): Turn {
  if (turn.role === 'tool' && showsResults) return turn
  if (turn.role === 'tool') return { role: 'user', content: `<tool_response>\n${turn.content}\n</tool_response>` }
  const { calls, ...rest } = turn
  if (calls === undefined) return turn
  const text = written(calls, framing)
  return { ...rest, content: rest.content === '' ? text : `${rest.content}\n${text}` }
}

/** Results in the order of their calls: most templates show no ids, so that the order is all that joins them. */
function inOrder(turns: readonly Turn[]): Turn[] {
  const placed: Turn[] = []
  for (let at = 0; at < turns.length; at++) {
    const turn = turns[at] as Turn
    placed.push(turn)
    if (turn.calls === undefined) continue
    const results: Turn[] = []
    while (turns[at + 1]?.role === 'tool') results.push(turns[++at] as Turn)
    const order = new Map(turn.calls.map(({ id }, i) => [id, i]))
    const place = ({ callId = '' }: Turn) => order.get(callId) ?? order.size
    placed.push(...results.sort((a, b) => place(a) - place(b)))
  }
  return placed
}

/** Each call with its result, one after the other. */
function oneByOne(turns: readonly Turn[]): Turn[] {
  const placed: Turn[] = []
  for (let at = 0; at < turns.length; at++) {
    const turn = turns[at] as Turn
    const calls = turn.calls ?? []
    if (calls.length < 2) placed.push(turn)
    else
      for (const [i, call] of calls.entries()) {
        placed.push(i === 0 ? { ...turn, calls: [call] } : { role: 'assistant', content: '', calls: [call] })
        while (turns[at + 1]?.role === 'tool' && turns[at + 1]?.callId === call.id) placed.push(turns[++at] as Turn)
      }
  }
  return placed
}

function apart(turn: Turn): Turn[] {
  if (turn.calls === undefined || turn.content === '') return [turn]
  const { calls, ...text } = turn
  return [text, { role: 'assistant', content: '', calls }]
}

/** System messages where the template looks for them; elsewhere they are said by the user. */
function systemPlaced(turns: readonly Turn[], place: Manners['system']): Turn[] {
  if (place === 'anywhere') return [...turns]
  const start = turns.findIndex(({ role }) => role !== 'system')
  const leading = start === -1 ? turns : turns.slice(0, start)
  const others = (start === -1 ? [] : turns.slice(start)).map(
    (turn): Turn => (turn.role === 'system' ? { ...turn, role: 'user' } : turn),
  )
  const [first] = leading
  if (first === undefined) return others
  const content = leading.map(turn => turn.content).join('\n\n')
  if (place === 'first') return [{ ...first, content }, ...others]
  const user: Turn['role'] = 'user'
  const at = place === 'lastUser' ? others.findLastIndex(({ role }) => role === user) : 0
  const turn = others[at]
  if (turn?.role !== user) return [{ role: user, content }, ...others]
  return others.with(at, { ...turn, content: `${content}\n\n${turn.content}` })
}

/** Turns of one role in a row become one; results that are said by the user always do. */
function merged(turns: readonly Turn[], { alternates }: Manners): Turn[] {
  const joined: Turn[] = []
  for (const turn of turns) {
    const last = joined.at(-1)
    const results = [last, turn].every(each => each?.role === 'user' && each.content.startsWith('<tool_response>'))
    const same = last?.role === turn.role && turn.role !== 'tool' && !last.calls && !turn.calls
    if (last && same && (alternates || results))
      joined[joined.length - 1] = { ...last, content: `${last.content}${results ? '\n' : '\n\n'}${turn.content}` }
    else joined.push(turn)
  }
  return joined
}

function rendered(turn: Turn, manners: Manners): TemplateTurn {
  const { role, content, calls, thought, callId, name, tools } = turn
  const id = (text: string) => (manners.nineIds ? nine(text) : text)
  return {
    role,
    content: calls && content === '' && manners.nullContent ? null : content,
    ...(thought === undefined || (calls && content !== '' && manners.thoughtField === 'thinking')
      ? {}
      : { [manners.thoughtField]: thought }),
    ...(calls === undefined
      ? manners.walksCalls
        ? { tool_calls: [] }
        : {}
      : {
          tool_calls: calls.map(call => ({
            id: id(call.id),
            type: 'function',
            function: { name: call.name, arguments: argumentsFor(call.arguments, manners.arguments) },
          })),
        }),
    ...(callId === undefined ? {} : { tool_call_id: id(callId) }),
    ...(name === undefined ? {} : { name }),
    ...(tools === undefined ? {} : { tools }),
  }
}

function argumentsFor(text: string, kind: Manners['arguments']): unknown {
  if (kind === 'text') return text === '' ? '{}' : text
  const value = parsed(text === '' ? '{}' : text)
  return kind === 'entries' ? entriesOf(value) : value
}
