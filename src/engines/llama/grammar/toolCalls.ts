import { Emitter } from './emit.ts'
import { Budget } from './limits.ts'
import { type Node, SchemaReader } from './nodes.ts'
import { joined, Rules } from './rules.ts'
import type { Grammar } from './schema.ts'
import { Shapes } from './shapes.ts'
import { spelled } from './slots.ts'
import { type Place, refuse } from './spot.ts'

/** Calls that one reply may hold. */
export const callsMax = 128

/** How a family of models writes the call of one tool. */
export interface ToolCall {
  /** E.g. `<tool_call>\n{"name": "get_weather", "arguments": `. */
  readonly prefix: string
  /** JSON Schema of the arguments; undefined: an object without properties. */
  readonly parameters: unknown
  /** E.g. `}\n</tool_call>`. */
  readonly suffix: string
  readonly place: Place
}

export interface ToolCalls {
  /** One for each tool the reply may call. */
  readonly calls: readonly ToolCall[]
  /** Before the first call, between two, and after the last. */
  readonly opening?: string
  readonly separator?: string
  readonly closing?: string
  /** How many calls a reply may hold; there is at least one. 1 when calls are not parallel. */
  readonly most: number
}

/**
 * A grammar whose texts are calls of these tools, their arguments fitting the tools' schemas.
 * @throws fault.invalidValue as `schemaToGrammar` does, with the place of the tool
 */
export function toolCallGrammar({ calls, opening = '', separator = '', closing = '', most }: ToolCalls): Grammar {
  const [first] = calls
  if (first === undefined || !(most >= 1 && most <= callsMax)) throw new Error('Tool calls need a tool and a number')
  const budget = new Budget()
  const rules = new Rules(budget)
  const shapes = new Shapes(budget)
  const spot = { place: first.place, path: [] }
  let nextId = 0
  const alternatives = calls.map(({ prefix, parameters, suffix, place }) => {
    const reader = new SchemaReader(parameters ?? {}, place, budget, nextId)
    const root = argumentsOf(reader, parameters)
    nextId = reader.nextId
    const value = new Emitter(shapes, rules, { place, path: [] }).value(root)
    return rules.rule(joined(spelled(prefix), value, spelled(suffix)), { place, path: [] })
  })
  const call = rules.rule([...new Set(alternatives)].join(' | '), spot)
  const next = rules.rule(joined(spelled(separator), call), spot)
  const root = joined(spelled(opening), call, rules.repeat(next, 0, most - 1, spot), spelled(closing))
  return { text: rules.text(root, spot), steps: budget.spent }
}

/** Arguments are an object, also where the schema does not say so. */
function argumentsOf(reader: SchemaReader, parameters: unknown): readonly Node[] {
  if (parameters === undefined) return [reader.closed()]
  const root = reader.root()
  if (root.never) refuse(root.spot, 'the arguments of a function are an object.')
  return [root, reader.plain(['object'])]
}
