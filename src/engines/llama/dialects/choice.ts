import { fault } from '../../../lib/faults.ts'
import type { ChatRequest, Tool } from '../../../wire/chat.ts'
import { slots } from '../grammar/slots.ts'
import type { CallFraming, ForcedCall, FunctionTool, ToolsAsked, ToolsChosen, Wrapping } from './dialect.ts'
import { spelt } from './writing.ts'

/** How a template’s models call, and what they may be in the middle of. */
export interface Spoken {
  readonly framing: CallFraming
  readonly thoughts: readonly Wrapping[]
}

/**
 * What a request says of tools, in the newer form or the older one (`functions`, `function_call`: one call at most).
 * @throws fault.unsupportedValue for tools that are not functions
 */
export function toolsAsked(request: ChatRequest): Pick<ToolsAsked, 'tools' | 'choice' | 'parallel'> {
  const { tools, tool_choice: choice, functions, function_call: call, parallel_tool_calls: parallel } = request
  if (!functions) return { tools: (tools ?? []).map(functionTool), choice, parallel: parallel ?? true }
  return {
    tools: functions.map(definition => ({ type: 'function', function: definition })),
    choice: typeof call === 'object' && call !== null ? { type: 'function', function: { name: call.name } } : call,
    parallel: false,
  }
}

function functionTool(tool: Tool, index: number): FunctionTool {
  if (tool.type === 'function') return tool
  throw fault.unsupportedValue(`tools.${index}.type`, 'This model calls functions alone, no custom tools.')
}

/**
 * What a choice of tools comes to in a family's words.
 * @throws fault.invalidValue when a function is named that is not offered, or a call is demanded without tools
 * @throws fault.unsupportedValue when a custom tool is named
 */
export function toolsChosen(spoken: Spoken, { tools, choice, parallel, prompt = '' }: ToolsAsked): ToolsChosen {
  const free = (offered: readonly FunctionTool[]): ToolsChosen => ({
    tools: offered,
    callsMax: parallel ? null : 1,
    forced: null,
  })
  const forced = (offered: readonly FunctionTool[], callable = offered): ToolsChosen => {
    if (callable.length === 0)
      throw fault.invalidValue('tool_choice', 'A call can only be demanded of tools that are given.')
    const names = callable.map(tool => tool.function.name)
    // A named function is called once.
    const many = parallel && callable === offered && spoken.framing.separator !== null
    return { tools: offered, callsMax: many ? null : 1, forced: forcedCall(spoken, names, prompt) }
  }
  if (choice === 'none') return free([])
  if (choice === undefined || choice === null || choice === 'auto') return free(tools)
  if (choice === 'required') return forced(tools)
  if (choice.type === 'function') return forced(tools, [named(tools, choice.function.name)])
  if (choice.type === 'custom')
    throw fault.unsupportedValue('tool_choice', 'This model calls functions alone, no custom tools.')
  const { mode, tools: allowed } = choice.allowed_tools
  const offered = allowed.map(tool => named(tools, nameOf(tool)))
  return mode === 'required' ? forced(offered) : free(offered)
}

function named(tools: readonly FunctionTool[], name: string): FunctionTool {
  const tool = tools.find(candidate => candidate.function.name === name)
  if (tool === undefined)
    throw fault.invalidValue('tool_choice', `The function '${name.slice(0, 256)}' is not among the tools.`)
  return tool
}

function nameOf(tool: object): string {
  const named: unknown = 'function' in tool ? tool.function : tool
  const name: unknown = typeof named === 'object' && named !== null && 'name' in named ? named.name : undefined
  if (typeof name !== 'string') throw fault.invalidValue('tool_choice', 'An allowed tool is a function with a name.')
  return name
}

function forcedCall({ framing, thoughts }: Spoken, names: readonly string[], prompt: string): ForcedCall {
  const end = thoughtEnd(thoughts, prompt)
  const start = framing.open + framing.before
  const [name, other] = names
  const head = name === undefined || other !== undefined ? [] : [spelt(name, framing), framing.between]
  // The model finds an id of its own.
  const whole = [start, ...head].join('')
  const [told = ''] = whole.split(slots.id)
  const pieces = [start, ...head].map((text, i, all) => {
    const at = all.slice(0, i).join('').length
    return { text: told.slice(at, at + text.length), control: i !== 1 }
  })
  const [first, ...others] = pieces
  const prefix = [{ text: end + (first?.text ?? ''), control: true }, ...others]
    .map(piece => ({ ...piece, text: piece.text.replaceAll(slots.index, '0') }))
    .filter(({ text }) => text !== '')
  return { prefix, written: told, names, framing }
}

/** What ends a thought that the prompt has begun: without it the reply would be taken for the thought. */
export function thoughtEnd(thoughts: readonly Wrapping[], prompt: string): string {
  const thought = thoughts.find(({ open }) => prompt.trimEnd().endsWith(open))
  return thought === undefined ? '' : `\n${thought.close}\n\n`
}
