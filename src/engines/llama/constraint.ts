import { Fault, fault } from '../../lib/faults.ts'
import { isRecord } from '../../wire/walk.ts'
import { spelt } from './dialects/choice.ts'
import type { CallFraming, ForcedCall, FunctionTool } from './dialects/index.ts'
import { callsMax, checkStrict, jsonGrammar, type Place, schemaToGrammar, toolCallGrammar } from './grammar/index.ts'
import { literal } from './grammar/rules.ts'
import type { ReplyFormat, ToolsAsked } from './protocol.ts'

/** What a reply may call, and how. */
export interface Callable {
  readonly asked: ToolsAsked
  /** Those of the tools that may be called. */
  readonly tools: readonly FunctionTool[]
  readonly framing: CallFraming
  /** null: any number. */
  readonly most: number | null
  /** Whether this is the spelling of a token that ends the reply: it is then not for the grammar to demand. */
  readonly ends: (spelling: string) => boolean
}

/** The grammar of a reply in JSON. @throws fault.invalidValue for a schema that cannot be enforced */
export function formatGrammar({ name, schema, strict }: ReplyFormat): string {
  if (schema === null) return jsonGrammar.text
  const place = { param: 'response_format.json_schema.schema', subject: `response_format '${name}'` }
  if (strict) checkStrict(schema, place)
  return schemaToGrammar(schema, place).text
}

/** The grammar of what follows a forced beginning of a call. @throws fault.invalidValue for parameters that cannot be enforced */
export function forcedGrammar(callable: Callable, { continues }: ForcedCall): string {
  return callsGrammar(callable, continues)
}

/** The grammar of a reply that is JSON, or calls where there are tools. @param opening stands before the JSON */
export function formatOrCalls(format: string, callable: Callable | null, opening: string): string {
  const json = opening === '' ? 'f-root' : `${literal(opening)} f-root`
  if (callable === null) return [`root ::= ${json}`, renamed(format, 'f-')].join('\n')
  return [`root ::= ${json} | c-root`, renamed(format, 'f-'), renamed(callsGrammar(callable, null), 'c-')].join('\n')
}

/** The grammar of a reply that is any text, or text and then calls. */
export function textOrCalls(callable: Callable): string {
  const { open, before } = callable.framing
  const start = open + before
  // What is read as the beginning of a call must become one.
  const marker = /^(<[^<>]+>|\[[A-Z_]+\])/.exec(start)?.[0] ?? start
  return [...textRules(marker, 'c-root'), renamed(callsGrammar(callable, null), 'c-')].join('\n')
}

/** Whether one of the tools asks for arguments that fit its schema exactly. */
export const someStrict = (tools: readonly FunctionTool[]) => tools.some(tool => tool.function.strict === true)

function callsGrammar(callable: Callable, started: 'name' | 'arguments' | null): string {
  const { tools, framing } = callable
  if (framing.parameters !== null) return rowCalls(callable, started)
  const { before, between } = framing
  const [after, close] = [framing.after, framing.close].map(text => (callable.ends(text) ? '' : text)) as [
    string,
    string,
  ]
  const head = (tool: FunctionTool) => spelt(tool.function.name, framing) + between
  const [only] = tools
  const next = framing.separator ?? ''
  // What the prompt has of the first call, each later one has before it.
  const common = started === null ? '' : started === 'name' || only === undefined ? before : before + head(only)
  return toolCallGrammar({
    calls: tools.map(tool => ({
      prefix: started === null ? before + head(tool) : started === 'name' ? head(tool) : '',
      suffix: after,
      ...parametersOf(tool, callable.asked),
    })),
    opening: started === null ? framing.open : '',
    separator: next + common,
    closing: close,
    most: framing.separator === null ? 1 : (callable.most ?? callsMax),
  }).text
}

/** Calls whose arguments are rows of a name and a value: text as it is, anything else as JSON. */
function rowCalls({ tools, framing, asked, most, ends }: Callable, started: 'name' | 'arguments' | null): string {
  const head = (tool: FunctionTool) => literal(spelt(tool.function.name, framing) + framing.between)
  const after = literal(ends(framing.after) ? '' : framing.after)
  const start = literal(framing.open + framing.before)
  const first = { name: 'call', arguments: `rows-0 ${after}`, none: `${start} call` }[started ?? 'none']
  const single = framing.separator === null || most === 1
  return [
    `root ::= ${first} next ${literal(framing.close)}`,
    `next ::= ""${single ? '' : ` | ${literal((framing.separator ?? '') + framing.before)} call next`}`,
    `call ::= ${tools.map((tool, i) => `${head(tool)} rows-${i} ${after}`).join(' | ')}`,
    ...tools.flatMap((tool, i) => rowsOf(tool, `${i}`, framing, placeOf(tool, asked))),
  ].join('\n')
}

/** Rules for the rows of one tool's arguments, in the order of its schema. */
function rowsOf(
  { function: tool }: FunctionTool,
  id: string,
  { parameters: row }: CallFraming,
  place: Place,
): string[] {
  const { properties = {}, required = [], ...rest } = schemaOf(tool.parameters)
  if (tool.strict === true) checkStrict(tool.parameters ?? {}, place)
  const rules: string[] = []
  const rows = Object.entries(properties).map(([key, schema], k) => {
    const name = `value-${id}-${k}`
    const below = { ...place, param: `${place.param}.properties.${key}` }
    const value = valueGrammar({ ...rest.definitions, ...objectOf(schema) }, below, tool.strict === true)
    rules.push(...(value === null ? [`${name}-root ::= [^<]+`] : [renamed(value, `${name}-`)]))
    const text = `${literal((row?.before ?? '') + key + (row?.between ?? ''))} ${name}-root ${literal(row?.after ?? '')}`
    return required.includes(key) ? text : `(${text})?`
  })
  return [`rows-${id} ::= ${rows.length === 0 ? '""' : rows.join(' ')}`, ...rules]
}

/** Null: any text. @throws fault.unsupportedValue for what strict arguments promise about texts, which are not quoted here */
function valueGrammar(schema: Readonly<Record<string, unknown>>, place: Place, strict: boolean): string | null {
  const { type, enum: values } = schema
  if (Array.isArray(values) && values.length > 0 && values.every(one => typeof one === 'string'))
    return `root ::= ${values.map(one => literal(one)).join(' | ')}`
  if (type !== 'string') return grammarOrNull(schema, place, strict)
  const promised = ['pattern', 'format', 'minLength', 'maxLength', 'const'].find(keyword => keyword in schema)
  if (strict && promised !== undefined)
    throw fault.unsupportedValue(place.param, `This model does not quote texts, so '${promised}' cannot be enforced.`)
  return null
}

/** Without `strict` a schema is a description: what cannot be enforced is left to the model. */
function grammarOrNull(schema: object, place: Place, strict: boolean): string | null {
  try {
    return schemaToGrammar(schema, place).text
  } catch (error) {
    if (error instanceof Fault && !strict) return null
    throw error
  }
}

interface ObjectSchema {
  readonly properties?: object
  readonly required?: readonly unknown[]
  readonly definitions?: object
}

/** The parts of a schema of arguments that rows are made of; definitions go with every value. */
function schemaOf(parameters: object | null | undefined): ObjectSchema {
  const { properties, required, $defs, definitions } = objectOf(parameters)
  return {
    properties: objectOf(properties),
    required: Array.isArray(required) ? required : [],
    definitions: { ...(isRecord($defs) && { $defs }), ...(isRecord(definitions) && { definitions }) },
  }
}

const objectOf = (value: unknown): Readonly<Record<string, unknown>> => (isRecord(value) ? value : {})

function parametersOf(tool: FunctionTool, asked: ToolsAsked) {
  const place = placeOf(tool, asked)
  const parameters = tool.function.parameters ?? undefined
  if (tool.function.strict === true) checkStrict(parameters ?? {}, place)
  else if (parameters !== undefined && !enforceable(parameters, place)) return { place, parameters: { type: 'object' } }
  return { place, parameters }
}

/** Without `strict` a schema is a description: what cannot be enforced of it is left to the model. */
function enforceable(parameters: object, place: { param: string; subject: string }): boolean {
  try {
    toolCallGrammar({ calls: [{ prefix: '', parameters, suffix: '', place }], most: 1 })
    return true
  } catch (error) {
    if (error instanceof Fault) return false
    throw error
  }
}

function placeOf(tool: FunctionTool, { tools, older }: ToolsAsked) {
  const index = tools.indexOf(tool)
  const param = older ? `functions.${index}.parameters` : `tools.${index}.function.parameters`
  return { param, subject: `function '${tool.function.name}'` }
}

/**
 * Rules of a text that does not hold the marker, and may end with `calls` at any place: one rule for each number of characters of the
 * marker that the text so far ends with. JSON at its beginning would be read as a call too: it must be one.
 */
function textRules(marker: string, calls: string): string[] {
  const characters = [...marker]
  const reached = (count: number, character: string): number => {
    const text = characters.slice(0, count).join('') + character
    for (let length = Math.min(count + 1, characters.length); length > 0; length--)
      if (text.endsWith(characters.slice(0, length).join(''))) return length
    return 0
  }
  const rule = (name: string, count: number, refused: readonly string[], further: readonly string[]) => {
    const told = [...new Set(characters)].filter(character => !refused.includes(character))
    const steps = told
      .map(character => [character, reached(count, character)] as const)
      .filter(([, next]) => next < characters.length)
      .map(([character, next]) => `${literal(character)} t${next}`)
    const other = `[^${[...new Set([...characters, ...refused])].map(escaped).join('')}] t0`
    return `${name} ::= ${['""', calls, ...steps, other, ...further].join(' | ')}`
  }
  return [
    rule('root', 0, ['{', '[', ' ', '\n', '\t', '\r'], ['[ \\n\\t\\r] root']),
    ...characters.map((_, count) => rule(`t${count}`, count, [], [])),
  ]
}

/** A character inside a class of GBNF. */
function escaped(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  if (character === '\t') return '\\t'
  return /[\]\\^-]/.test(character) ? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}` : character
}

/** The same grammar under other names of its rules, so that two can stand beside one another. */
function renamed(grammar: string, prefix: string): string {
  return grammar.replaceAll(/"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[A-Za-z][A-Za-z0-9-]*/g, found =>
    /^["[]/.test(found) ? found : prefix + found,
  )
}
