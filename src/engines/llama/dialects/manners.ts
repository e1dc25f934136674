import type { TemplateTurn } from './dialect.ts'
import { type Call, call, calling, ids, keys, type Probe, result, tool, tools, turns, words } from './probe.ts'

/** What a template does with messages and tools, found by asking it. */
export interface Manners {
  /** It renders `tools`. */
  readonly listsTools: boolean
  /** It renders `tool_calls` and results. */
  readonly knowsCalls: boolean
  /** It renders results, though no `tool_calls`: its models were trained on them. */
  readonly showsResults: boolean
  /** It prints tools that stand in the system message, as text. */
  readonly toolsInSystem: boolean
  /**
   * Where it takes system messages: at any place, in the first alone, or nowhere, so that the first user says it. `lastUser`: it
   * would only print it beside a user message that ends the conversation, so the last user says it.
   */
  readonly system: 'anywhere' | 'first' | 'nowhere' | 'lastUser'
  /** It refuses or loses turns of one role in a row. */
  readonly alternates: boolean
  /** What it expects as arguments: an object to encode, one to walk through, or the text itself. */
  readonly arguments: 'object' | 'entries' | 'text'
  /** A message holds one call. */
  readonly oneCall: boolean
  /** Text beside calls is lost, or the calls are: it becomes a message of its own. */
  readonly textApart: boolean
  /** Messages of calls alone have no content: an empty one hides the calls. */
  readonly nullContent: boolean
  /** It walks through `tool_calls` without asking whether there are any. */
  readonly walksCalls: boolean
  /** Ids of calls are nine letters and digits. */
  readonly nineIds: boolean
  /** It prints descriptions of tools, also where there are none; and those of their parameters. */
  readonly describes: boolean
  readonly describesParameters: boolean
  readonly thoughtField: string
}

const silent: Manners = {
  listsTools: false,
  knowsCalls: false,
  showsResults: false,
  toolsInSystem: false,
  system: 'first',
  alternates: false,
  arguments: 'object',
  oneCall: false,
  textApart: false,
  nullContent: false,
  walksCalls: false,
  nineIds: false,
  describes: false,
  describesParameters: false,
  thoughtField: 'reasoning_content',
}

export function mannersOf(probe: Probe): Manners {
  const { user, again, said } = turns
  if (probe.text([user]) === null) return silent
  const listsTools = probe.shows([tools[0]?.function.name ?? ''], [user], tools)
  const calls = callsOf(probe)
  const alternates =
    !probe.shows([words.user, words.again], [user, again]) ||
    !probe.shows([words.said, 'zsaidtoo'], [user, said, { role: 'assistant', content: 'zsaidtoo' }, again])
  return {
    ...silent,
    ...calls,
    listsTools,
    showsResults: !calls.knowsCalls && listsTools && probe.shows([words.result], [user, said, result(0)], tools),
    toolsInSystem: !listsTools && probe.shows([words.system, 'ztools'], [{ ...turns.system, tools: 'ztools' }, user]),
    system: systemOf(probe, calls),
    alternates,
    walksCalls:
      probe.text([user, said, again]) === null && probe.text([user, { ...said, tool_calls: [] }, again]) !== null,
    describes: listsTools && !takesTool(probe, { told: false, parametersTold: true }),
    describesParameters: listsTools && !takesTool(probe, { told: true, parametersTold: false }),
  }
}

/** Whether a tool may lack its description, or those of its parameters. */
function takesTool(probe: Probe, { told, parametersTold }: { told: boolean; parametersTold: boolean }): boolean {
  const { description, parameters } = tool('zbare').function
  const bare = Object.fromEntries(keys.map(key => [key, { type: 'string' }]))
  const given = {
    name: 'zbare',
    ...(told ? { description } : {}),
    parameters: parametersTold ? parameters : { ...parameters, properties: bare },
  }
  const text = probe.text([turns.user], [{ type: 'function', function: given }])
  return text?.includes('zbare') === true && !/\b(None|Undefined)\b/.test(text)
}

type CallManners = Pick<
  Manners,
  'knowsCalls' | 'arguments' | 'oneCall' | 'textApart' | 'nullContent' | 'nineIds' | 'thoughtField'
>

/** The ways in which arguments and the content beside calls are given, the usual one first. */
const ways = [
  { encoded: false, content: '' },
  { encoded: false, content: null },
  { encoded: true, content: '' },
  { encoded: true, content: null },
] as const
type Way = (typeof ways)[number]

const given = (value: string, { encoded }: Pick<Way, 'encoded'>) =>
  encoded ? `{"${keys[0]}": "${value}"}` : { [keys[0]]: value }

function callsOf(probe: Probe): Partial<CallManners> {
  const { user, said } = turns
  const after = (message: TemplateTurn) => probe.text([user, message, result(0)], tools)
  const way = ways.find(each => spells(after(calling([call(0, given(words.value, each))], each.content))))
  if (way === undefined) return {}
  const first = call(0, given(words.value, way))
  const second = call(1, given(words.other, way))
  const { content } = way
  const whole = (expected: readonly string[], conversation: readonly TemplateTurn[]) =>
    probe.shows([words.value, words.result, ...expected], [user, ...conversation, result(0)], tools)
  const oneCall =
    !probe.shows([words.value, words.other], [user, calling([first, second], content), result(0), result(1)], tools) &&
    whole([words.other], [calling([first], content), result(0), calling([second], content)])
  const later = { ...said, content: 'zsaidtoo' }
  const textApart =
    !whole([words.said], [calling([first], words.said)]) &&
    probe.shows(
      [words.said, words.value, words.result, 'zsaidtoo', words.again],
      [user, said, calling([first], content), result(0), later, turns.again],
      tools,
    )
  const longId = 'call_zid000001zid000001'
  const long: Call = { ...first, id: longId }
  return {
    knowsCalls: true,
    arguments: argumentsOf(probe, way),
    oneCall,
    textApart,
    nullContent: content === null,
    nineIds: probe.text([user, calling([long], content), result(0, words.result, longId)], tools) === null,
    thoughtField:
      thoughtFields.find(field => whole([words.thought], [calling([first], content, { [field]: words.thought })])) ??
      silent.thoughtField,
  }
}

const thoughtFields = ['reasoning_content', 'reasoning', 'thinking']

/** Whether a rendering shows the call and its result, and the arguments neither encoded twice nor as Python prints a dict. */
function spells(text: string | null): boolean {
  if (text === null || !text.includes(words.value) || !text.includes(words.result)) return false
  return !text.includes(`\\"${words.value}`) && !text.includes(`{'${keys[0]}': '${words.value}'`)
}

function argumentsOf(probe: Probe, { encoded, content }: Way): Manners['arguments'] {
  if (encoded) return 'text'
  // What a model wrote need not be JSON, and is then a text.
  const text = probe.text([turns.user, calling([call(0, words.value)], content), result(0)], tools)
  return text?.includes(words.value) ? 'object' : 'entries'
}

function systemOf(probe: Probe, { knowsCalls, nullContent, arguments: form }: Partial<CallManners>): Manners['system'] {
  const { system, user, said, again } = turns
  if (!probe.shows([words.system], [system, user])) return 'nowhere'
  const called = [
    calling([call(0, given(words.value, { encoded: form === 'text' }), ids[0])], nullContent ? null : ''),
    result(0),
  ]
  if (knowsCalls && !probe.shows([words.system], [system, user, ...called], tools)) return 'lastUser'
  const more = { role: 'system', content: words.more }
  const anywhere =
    probe.shows([words.system, words.more], [system, more, user]) &&
    probe.shows([words.more], [user, said, more, again]) &&
    probe.shows([words.system, words.more], [system, user, said, more, again])
  return anywhere ? 'anywhere' : 'first'
}
