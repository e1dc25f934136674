import { Fault, fault } from '../../lib/faults.ts'
import { isRecord } from '../../wire/walk.ts'
import type { CallFraming, ForcedCall, FunctionTool, RowFraming } from './dialects/index.ts'
import { spelt } from './dialects/writing.ts'
import { callsMax, checkStrict, jsonGrammar, type Place, schemaToGrammar, toolCallGrammar } from './grammar/index.ts'
import { literal } from './grammar/rules.ts'
import { spelled, spellingParts } from './grammar/slots.ts'
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
export function forcedGrammar(callable: Callable, { written }: ForcedCall): string {
  return callsGrammar(callable, written)
}

/** The grammar of a reply that is JSON, or calls where there are tools. @param opening stands before the JSON */
export function formatOrCalls(format: string, callable: Callable | null, opening: string): string {
  const json = opening === '' ? 'f-root' : `${literal(opening)} f-root`
  if (callable === null) return [`root ::= ${json}`, renamed(format, 'f-')].join('\n')
  return [`root ::= ${json} | c-root`, renamed(format, 'f-'), renamed(callsGrammar(callable), 'c-')].join('\n')
}

/** The grammar of a reply that is any text, or text and then calls. @param opening stands before the text */
export function textOrCalls(callable: Callable, opening: string): string {
  const calls = renamed(callsGrammar(callable), 'c-')
  const { separator } = callable.framing
  const marker = markerOf(callable.framing)
  if (marker !== '') return [...textRules(marker, 'c-root'), calls].join('\n')
  // Functionary: a reply is a row of recipients, and the first one has no mark.
  const next = separator ?? '\n'
  const name = (state: number) => `t${state}`
  return [`root ::= c-root | ${literal(opening)} t0`, ...textStates(next, name, `${literal(next)} c-root`), calls].join(
    '\n',
  )
}

/** What is read as the beginning of a call must become one. */
function markerOf({ open, before }: CallFraming): string {
  const [start = ''] = spellingParts((open + before).trimStart())
  return /^(<[^<>]+>|\[[A-Z_]+\])/.exec(start)?.[0] ?? start
}

/** Whether one of the tools asks for arguments that fit its schema exactly. */
export const someStrict = (tools: readonly FunctionTool[]) => tools.some(tool => tool.function.strict === true)

/** @param told what the prompt holds of the first call's spelling */
function callsGrammar(callable: Callable, told = ''): string {
  const { tools, framing, most } = callable
  if (framing.parameters !== null) return rowCalls(callable, framing.parameters, told)
  const { open, separator } = framing
  const { after, close } = unended(callable)
  // What the prompt has of the first call, each later one has before it.
  const common = told.slice(open.length)
  return toolCallGrammar({
    calls: tools.map(tool => ({
      prefix: headOf(tool, framing).slice(common.length),
      suffix: after,
      ...parametersOf(tool, callable.asked),
    })),
    opening: open.slice(told.length),
    separator: (separator ?? '') + common,
    closing: close,
    most: separator === null ? 1 : (most ?? callsMax),
  }).text
}

const headOf = (tool: FunctionTool, framing: CallFraming) =>
  framing.before + spelt(tool.function.name, framing) + framing.between

/** What stands behind the arguments, up to a token that ends the reply: it is not for the grammar to demand. */
function unended({ framing, ends }: Callable): Pick<CallFraming, 'after' | 'close'> {
  const cut = (text: string) => {
    const end = [...text.matchAll(/<[^<>]+>/g)].find(([tag]) => ends(tag))
    return end === undefined ? text : text.slice(0, end.index)
  }
  const after = cut(framing.after)
  return { after, close: after === framing.after ? cut(framing.close) : '' }
}

/** Calls whose arguments are rows of a name and a value: text as it is, anything else as JSON. */
function rowCalls(callable: Callable, form: RowFraming, told: string): string {
  const { tools, framing, asked, most } = callable
  const { open, separator } = framing
  const { after, close } = unended(callable)
  const common = told.slice(open.length)
  const next = separator === null || most === 1 ? '' : ` | ${spelled(separator + common)} call next`
  return [
    `root ::= ${spelled(open.slice(told.length))} call next ${spelled(close)}`,
    `next ::= ""${next}`,
    `call ::= ${tools.map((tool, i) => `${spelled(headOf(tool, framing).slice(common.length))} rows-${i} ${spelled(after)}`).join(' | ')}`,
    ...tools.flatMap((tool, i) => rowRules({ tool, id: `${i}`, form, place: placeOf(tool, asked) })),
  ].join('\n')
}

interface Rows {
  readonly tool: FunctionTool
  readonly id: string
  readonly form: RowFraming
  readonly place: Place
}

/** Rules for the rows of one tool's arguments, in the order of its schema. */
function rowRules({ tool: { function: tool }, id, form, place }: Rows): string[] {
  const { properties = {}, required = [], ...rest } = schemaOf(tool.parameters)
  const strict = tool.strict === true
  if (strict) checkStrict(tool.parameters ?? {}, place)
  const rules: string[] = []
  const entries = Object.entries(properties)
  const rows = entries.map(([key, schema], k) => {
    const name = `value-${id}-${k}`
    const below = { ...place, param: `${place.param}.properties.${key}` }
    const own = objectOf(schema)
    const value = valueGrammar({ ...rest.definitions, ...own }, below, { strict, python: form.python })
    const around = isTextual(own) || form.other === null ? form : form.other
    rules.push(...(value === null ? freeText(name, around.after, form.cdata) : [renamed(value, `${name}-`)]))
    return `${literal(form.before + key + around.between)} ${name}-root ${literal(around.after)}`
  })
  // Rows that may be left out: what joins two rows stands before each but the first.
  const mark = literal(form.separator)
  for (const [k, row] of rows.entries()) {
    const must = required.includes(entries[k]?.[0])
    rules.push(`first-${id}-${k} ::= ${row} later-${id}-${k + 1}${must ? '' : ` | first-${id}-${k + 1}`}`)
    rules.push(`later-${id}-${k} ::= ${mark} ${row} later-${id}-${k + 1}${must ? '' : ` | later-${id}-${k + 1}`}`)
  }
  const end = rows.length
  return [`rows-${id} ::= first-${id}-0`, `first-${id}-${end} ::= ""`, `later-${id}-${end} ::= ""`, ...rules]
}

const isTextual = ({ type, enum: values }: Readonly<Record<string, unknown>>) =>
  type === 'string' || (Array.isArray(values) && values.every(one => typeof one === 'string'))

/** Any text that does not hold what stands behind it. */
function freeText(name: string, after: string, cdata: boolean): string[] {
  const mark = after.trim()
  if (cdata) {
    const quoted = textStates(']]>', state => `${name}-q${state}`)
    return [`${name}-root ::= [^<>&]* | "<![CDATA[" ${name}-q0 "]]>"`, ...quoted]
  }
  if (/^['"]/.test(mark)) {
    const quote = escaped(mark.charAt(0))
    return [`${name}-root ::= ([^\\\\${quote}] | "\\\\" [\\\\${quote}bfnrt])*`]
  }
  const marker = /^<[^<>]+>/.exec(mark)?.[0] ?? mark
  if (marker === '') return [`${name}-root ::= [^,)\\]}]*`]
  return textStates(marker, state => `${name}-${state === 0 ? 'root' : `t${state}`}`)
}

/** Null: any text. @throws fault.unsupportedValue for what strict arguments promise about texts, which are not quoted here */
function valueGrammar(
  schema: Readonly<Record<string, unknown>>,
  place: Place,
  { strict, python }: { readonly strict: boolean; readonly python: boolean },
): string | null {
  const { type, enum: values } = schema
  if (type === 'boolean' && python && values === undefined) return 'root ::= "True" | "False" | "true" | "false"'
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
 * Rules of a text that does not hold the marker, and may end with `calls` at any place. JSON at its beginning would be read as a call
 * too: it must be one.
 */
function textRules(marker: string, calls: string): string[] {
  const refused = ['{', '[', ' ', '\n', '\t', '\r']
  const root = textState({ marker, name: state => `t${state}`, state: 0, calls, refused })
  return [`root ::= ${root} | [ \\n\\t\\r] root`, ...textStates(marker, state => `t${state}`, calls)]
}

/** One rule for each number of characters of the marker that the text so far ends with. */
function textStates(marker: string, name: (state: number) => string, calls?: string): string[] {
  return [...marker].map((_, state) => `${name(state)} ::= ${textState({ marker, name, state, calls, refused: [] })}`)
}

interface TextState {
  readonly marker: string
  readonly name: (state: number) => string
  /** How many characters of the marker the text ends with. */
  readonly state: number
  readonly calls: string | undefined
  readonly refused: readonly string[]
}

function textState({ marker, name, state, calls, refused }: TextState): string {
  const characters = [...marker]
  const reached = (character: string): number => {
    const text = characters.slice(0, state).join('') + character
    for (let length = Math.min(state + 1, characters.length); length > 0; length--)
      if (text.endsWith(characters.slice(0, length).join(''))) return length
    return 0
  }
  const told = [...new Set(characters)].filter(character => !refused.includes(character))
  const steps = told
    .map(character => [character, reached(character)] as const)
    .filter(([, next]) => next < characters.length)
    .map(([character, next]) => `${literal(character)} ${name(next)}`)
  const other = `[^${[...new Set([...characters, ...refused])].map(escaped).join('')}] ${name(0)}`
  return ['""', ...(calls === undefined ? [] : [calls]), ...steps, other].join(' | ')
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
