/** Calls as a family writes them. */
import { createHash } from 'node:crypto'
import { slots } from '../grammar/slots.ts'
import type { CallFraming, RowFraming } from './dialect.ts'

/** A call as it stands in a message: the arguments as JSON, if the model was right. */
export interface WrittenCall {
  readonly id: string
  readonly name: string
  readonly arguments: string
}

/** All calls of a message. */
export function written(calls: readonly WrittenCall[], framing: CallFraming): string {
  const { open, separator, close } = framing
  return `${open}${calls.map((call, i) => callText(call, i, framing)).join(separator ?? '\n')}${close}`
}

function callText(call: WrittenCall, index: number, framing: CallFraming): string {
  const { before, between, after, parameters } = framing
  const value = parsed(call.arguments)
  const body = parameters === null ? spaced(value) : rows(entriesOf(value), parameters)
  return `${before}${spelt(call.name, framing)}${between}${body}${after}`
    .replaceAll(slots.index, `${index}`)
    .replaceAll(slots.id, nine(call.id))
}

function rows(value: object, { before, between, after, separator, other, python, cdata }: RowFraming): string {
  return Object.entries(value)
    .map(([key, item]) => {
      const around = typeof item === 'string' || other === null ? { between, after } : other
      const plain = bare(item, python)
      const text = cdata && typeof item === 'string' && /[<>&]/.test(item) ? `<![CDATA[${plain}]]>` : plain
      const quote = typeof item === 'string' ? /['"]$/.exec(around.between)?.[0] : undefined
      return before + key + around.between + (quote === undefined ? text : inQuotes(text, quote)) + around.after
    })
    .join(separator)
}

/** As Python's source has it. */
const inQuotes = (text: string, quote: string) =>
  JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll(quote, `\\${quote}`)

function bare(value: unknown, python: boolean): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean' && python) return value ? 'True' : 'False'
  return spaced(value)
}

/** A function's name as it stands inside a call. */
export function spelt(name: string, { name: form }: Pick<CallFraming, 'name'>): string {
  return form === 'json' ? JSON.stringify(name).slice(1, -1) : name
}

/** Mistral's templates refuse other ids. The same id gives the same nine characters. */
export function nine(id: string): string {
  return /^[a-zA-Z0-9]{9}$/.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, 9)
}

/** What a model wrote need not be JSON; and what is nested beyond reason is left as it is, for templates walk through it. */
export function parsed(text: string): unknown {
  try {
    return depthOf(text) > depthMax ? text : JSON.parse(text)
  } catch {
    return text
  }
}

const depthMax = 100

function depthOf(json: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (character === '"') inString = !inString
    else if (inString && character === '\\') at++
    else if (inString) continue
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth)
    else if (character === '}' || character === ']') depth--
  }
  return deepest
}

export const entriesOf = (value: unknown): object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : { arguments: value }

/** JSON as Python's `json.dumps` writes it, and so as models saw it. */
export function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, item]) => item !== undefined)
  return `{${fields.map(([key, item]) => `${JSON.stringify(key)}: ${spaced(item)}`).join(', ')}}`
}
