/** Values as text: as Python prints them, and as its `json.dumps` writes them. */
import type { Budget } from './budget.ts'
import { TemplateError } from './errors.ts'
import { Callable, Float, isDict, type Key, Namespace, typeName, type Value } from './values.ts'

export interface JsonOptions {
  readonly indent: string | null
  readonly ensureAscii: boolean
  readonly sortKeys: boolean
  readonly separators: readonly [item: string, key: string] | null
}

export const plainJson: JsonOptions = { indent: null, ensureAscii: false, sortKeys: false, separators: null }

/** Python's `str`; nothing where it is undefined. */
export function textOf(value: Value, budget: Budget): string {
  if (typeof value === 'string') return value
  if (value === undefined) return ''
  return new Writer(budget).python(value)
}

/** @throws TemplateError for what is no JSON */
export function jsonOf(value: Value, options: JsonOptions, budget: Budget): string {
  return new Writer(budget).json(value, options)
}

/** Collects a text and pays for it as it grows. */
class Writer {
  readonly #budget: Budget
  #pieces: string[] = []

  constructor(budget: Budget) {
    this.#budget = budget
  }

  python(value: Value): string {
    this.#python(value)
    return this.#pieces.join('')
  }

  json(value: Value, options: JsonOptions): string {
    const [item, key] = options.separators ?? (options.indent === null ? [', ', ': '] : [',', ': '])
    this.#json(value, { ...options, item, key }, '\n')
    return this.#pieces.join('')
  }

  #write(text: string): void {
    this.#budget.text(text.length)
    this.#pieces.push(text)
  }

  #python(value: Value): void {
    this.#budget.step()
    if (typeof value === 'string') this.#write(quoted(value, this.#budget))
    else if (Array.isArray(value)) this.#row('[', ']', value, item => this.#python(item))
    else if (isDict(value))
      this.#row('{', '}', value, ([key, item]) => {
        this.#python(key)
        this.#write(': ')
        this.#python(item)
      })
    else if (value instanceof Namespace || value instanceof Callable) this.#write(`<${typeName(value)}>`)
    else this.#write(scalar(value))
  }

  #row<T>(open: string, close: string, items: Iterable<T>, write: (item: T) => void): void {
    this.#write(open)
    this.#budget.enter()
    let first = true
    for (const item of items) {
      if (!first) this.#write(', ')
      first = false
      write(item)
    }
    this.#budget.leave()
    this.#write(close)
  }

  #json(value: Value, form: JsonOptions & { item: string; key: string }, line: string): void {
    this.#budget.step()
    if (typeof value === 'string') this.#string(value, form)
    else if (value === null || typeof value === 'boolean') this.#write(String(value))
    else if (typeof value === 'number' || value instanceof Float) this.#write(scalar(value))
    else if (Array.isArray(value))
      this.#block('[', ']', value, form, line, (item, below) => this.#json(item, form, below))
    else if (isDict(value)) {
      const entries = [...value]
      if (form.sortKeys) entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
      this.#block('{', '}', entries, form, line, ([key, item], below) => {
        this.#string(keyText(key), form)
        this.#write(form.key)
        this.#json(item, form, below)
      })
    } else throw new TemplateError(`${typeName(value)} cannot be written as JSON`)
  }

  #string(text: string, { ensureAscii }: JsonOptions): void {
    this.#budget.text(text.length)
    const json = JSON.stringify(text)
    this.#write(ensureAscii ? json.replace(/[\x7f-\uffff]/g, unicode) : json)
  }

  #block<T>(
    open: string,
    close: string,
    items: readonly T[],
    form: JsonOptions & { item: string },
    line: string,
    write: (item: T, below: string) => void,
  ): void {
    const below = form.indent === null ? line : line + form.indent
    this.#write(open)
    this.#budget.enter()
    for (const [i, item] of items.entries()) {
      if (i > 0) this.#write(form.item)
      if (form.indent !== null) this.#write(below)
      write(item, below)
    }
    this.#budget.leave()
    if (form.indent !== null && items.length > 0) this.#write(line)
    this.#write(close)
  }
}

const unicode = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Python's keys of JSON. */
function keyText(key: Key): string {
  if (typeof key === 'string') return key
  return key === null ? 'null' : String(key)
}

const words = new Map<Value, string>([
  [null, 'None'],
  [true, 'True'],
  [false, 'False'],
  [undefined, 'Undefined'],
])

function scalar(value: Value): string {
  if (value instanceof Float) return pythonFloat(value.value)
  if (typeof value !== 'number') return words.get(value) ?? ''
  return Number.isInteger(value) ? BigInt(value).toString() : pythonFloat(value)
}

/** Python changes to exponents at other places than JavaScript. */
function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  const size = Math.abs(value)
  if (value === 0 || (size >= 1e-4 && size < 1e16)) return Number.isInteger(value) ? value.toFixed(1) : String(value)
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

const escapes = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\\', '\\\\'],
])

/** Python's `repr` of a text. */
function quoted(text: string, budget: Budget): string {
  budget.text(text.length)
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const body = text.replace(/[\\\n\r\t]/g, character => escapes.get(character) ?? character)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
  const plain = body.replace(/[\x00-\x1f\x7f-\xa0\xad]/g, hex)
  return quote + (quote === "'" ? plain.replaceAll("'", "\\'") : plain) + quote
}

const hex = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
