import type { Family } from './families.ts'

/** What a template does with messages and tools, read off its text. */
export interface Manners {
  /** It renders `tools`. */
  readonly listsTools: boolean
  /** It renders `tool_calls` and results. */
  readonly knowsCalls: boolean
  /** It prints tools that stand in the system message, as text. */
  readonly toolsInSystem: boolean
  /**
   * Where it takes system messages: at any place, in the first alone, or nowhere, so that the first user says it. `lastUser`: it
   * would only print it beside a user message that ends the conversation, so the last user says it.
   */
  readonly system: 'anywhere' | 'first' | 'nowhere' | 'lastUser'
  /** It refuses two turns of one role in a row. */
  readonly alternates: boolean
  /** What it expects as arguments: an object to encode, one to walk through, or the text itself. */
  readonly arguments: 'object' | 'entries' | 'text'
  /** A message holds one call. */
  readonly oneCall: boolean
  /** Text beside calls is lost. */
  readonly textApart: boolean
  /** Messages of calls alone have no content: it asks whether the content is none. */
  readonly nullContent: boolean
  /** It walks through `tool_calls` without asking whether there are any. */
  readonly walksCalls: boolean
  /** Ids of calls are nine letters and digits. */
  readonly nineIds: boolean
  /** It prints descriptions, also where there are none. */
  readonly describes: boolean
  readonly thoughtField: string
}

/** A template is a stranger's text: no more of it is searched, and no pattern below looks further than a few hundred characters. */
const lengthMax = 262_144

export function mannersOf(template: string, { habits }: Family): Manners {
  const code = withoutComments(template.slice(0, lengthMax)).replaceAll(/\s+/g, ' ')
  const knowsCalls = code.includes('tool_calls')
  const emptyCalls = /assistant['"] ?\)? ?and \(?\w{1,40}(\.content|\[['"]content['"]\]) is none/.test(code)
  return {
    listsTools: /\b(in|if|elif|not|and|or) \(?tools\b|\btools ?(\||\[)|\(tools\b/.test(code),
    knowsCalls,
    toolsInSystem: /\bmessage(\.tools\b|\[['"]tools['"]\])/.test(code),
    system: systemOf(code, habits.systemFirst === true),
    alternates: /raise_exception\([^)]{0,300}alternate/i.test(code),
    arguments: argumentsOf(code),
    oneCall: habits.oneCall === true || /single tool[- ]calls?\b/i.test(code),
    textApart: knowsCalls && (habits.textApart === true || emptyCalls || silentBranch(code)),
    nullContent: /(\.content|\[['"]content['"]\]) is (not )?none/.test(code),
    walksCalls:
      knowsCalls &&
      !/tool_calls['"]?\]? is |['"]tool_calls['"] in\b|\b(if|and|not|or) \(?\w{1,40}(\.|\[['"])tool_calls/.test(code),
    nineIds: /length ?(!=|<) ?9\b/.test(code),
    describes: /(\.description\b|\[['"]description['"]\]|\(['"]description['"])/.test(code),
    thoughtField: habits.thoughtField ?? 'reasoning_content',
  }
}

function withoutComments(template: string): string {
  let code = ''
  for (let at = 0; ; ) {
    const start = template.indexOf('{#', at)
    const end = start === -1 ? -1 : template.indexOf('#}', start + 2)
    if (end === -1) return code + template.slice(at)
    code += template.slice(at, start)
    at = end + 2
  }
}

function systemOf(code: string, first: boolean): Manners['system'] {
  if (/system role (is )?not supported/i.test(code)) return 'nowhere'
  if (/\bloop\.last and system_message\b/.test(code)) return 'lastUser'
  if (first) return 'first'
  if (/(\.role|\[['"]role['"]\]) ?(\+|~|-?\}\})/.test(code)) return 'anywhere'
  return code.includes('system') ? 'first' : 'nowhere'
}

function argumentsOf(code: string): Manners['arguments'] {
  if (/arguments['"]?\]? ?(\| ?items|\.items)/.test(code)) return 'entries'
  if (/arguments['"]?\]? ?\| ?tojson|arguments['"]?\]? is (not )?(string|mapping)/.test(code)) return 'object'
  if (/\+ ?\w{1,40}(\.function|\[['"]function['"]\])?(\.arguments|\[['"]arguments['"]\]) ?(\+|-?\}\})/.test(code))
    return 'text'
  if (/(\.function|\[['"]function['"]\]) ?\| ?tojson/.test(code)) return 'object'
  return code.includes('arguments') ? 'text' : 'object'
}

/** The branch for an assistant's calls prints no content. */
function silentBranch(code: string): boolean {
  const head = /elif [^%]{0,200}assistant[^%]{0,200}%\}/.exec(code)
  if (head === null) return false
  const start = head.index + head[0].length
  const end = code.indexOf('elif', start)
  const branch = code.slice(start, end === -1 ? undefined : end)
  return branch.includes('tool_calls') && !branch.includes('content')
}
