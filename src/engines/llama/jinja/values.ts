/** The values of the template language: those of Python, as far as templates of chats meet them. */
import type { Budget } from './budget.ts'
import { TemplateError } from './errors.ts'

/** `undefined` is Jinja's undefined, `null` Python's None. A number is an int when it is whole; a float that is whole is a `Float`. */
export type Value = undefined | null | boolean | number | string | Float | List | Dict | Namespace | Callable
export type List = Value[]
export type Key = string | number | boolean | null
export type Dict = Map<Key, Value>

/** A float without a fraction, which is written with one. */
export class Float {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** What `namespace()` makes: its attributes can be set from inside a loop. */
export class Namespace {
  readonly fields: Map<string, Value>

  constructor(fields: Iterable<readonly [string, Value]> = []) {
    this.fields = new Map(fields)
  }

  read(name: string): Value {
    return this.fields.get(name)
  }
}

/** What a loop tells of itself. */
export class Loop extends Namespace {
  readonly #items: readonly Value[]
  readonly #at: number

  constructor(items: readonly Value[], at: number) {
    super()
    this.#items = items
    this.#at = at
  }

  override read(name: string): Value {
    const { length } = this.#items
    const at = this.#at
    if (name === 'index') return at + 1
    if (name === 'index0') return at
    if (name === 'revindex') return length - at
    if (name === 'revindex0') return length - at - 1
    if (name === 'first') return at === 0
    if (name === 'last') return at === length - 1
    if (name === 'length') return length
    if (name === 'previtem') return this.#items[at - 1]
    if (name === 'nextitem') return this.#items[at + 1]
    if (name === 'cycle') return new Callable(({ list }) => list[at % Math.max(1, list.length)])
    return undefined
  }
}

export interface Arguments {
  readonly list: readonly Value[]
  readonly named: ReadonlyMap<string, Value>
}

/** A function, a macro or a method. */
export class Callable {
  readonly call: (given: Arguments) => Value

  constructor(call: (given: Arguments) => Value) {
    this.call = call
  }
}

export const float = (value: number): number | Float => (Number.isInteger(value) ? new Float(value) : value)
export const isDict = (value: Value): value is Dict => value instanceof Map
export const isNumber = (value: Value): value is number | Float | boolean =>
  typeof value === 'number' || typeof value === 'boolean' || value instanceof Float
export const isFloat = (value: Value): boolean =>
  value instanceof Float || (typeof value === 'number' && !Number.isInteger(value))
export const plainNumber = (value: number | Float | boolean): number =>
  value instanceof Float ? value.value : Number(value)

export function truth(value: Value): boolean {
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) return value.length > 0
    if (isDict(value)) return value.size > 0
    if (value instanceof Float) return value.value !== 0
    return true
  }
  return Boolean(value)
}

/** What a caller gave, from plain objects and lists. */
export function fromPlain(given: unknown): Value {
  if (Array.isArray(given)) return given.map(fromPlain)
  if (typeof given === 'object' && given !== null)
    return new Map(Object.entries(given).map(([key, item]) => [key, fromPlain(item)]))
  if (given === null || typeof given === 'string' || typeof given === 'number' || typeof given === 'boolean')
    return given
  return undefined
}

/** Python's `==`: by value, and of lists and dicts all the way down. */
export function equal(a: Value, b: Value, budget: Budget): boolean {
  budget.step()
  if (typeof a === 'string' && typeof b === 'string') {
    if (a.length !== b.length) return false
    budget.text(a.length)
  }
  if (a === b) return true
  if (isNumber(a) && isNumber(b)) return plainNumber(a) === plainNumber(b)
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && budget.nested(() => a.every((item, i) => equal(item, b[i], budget)))
  if (isDict(a) && isDict(b))
    return (
      a.size === b.size &&
      budget.nested(() => [...a].every(([key, item]) => b.has(key) && equal(item, b.get(key), budget)))
    )
  return false
}

/** @throws TemplateError for what Python does not compare either */
export function compare(a: Value, b: Value, budget: Budget): number {
  budget.step()
  if (isNumber(a) && isNumber(b)) return Math.sign(plainNumber(a) - plainNumber(b))
  if (typeof a === 'string' && typeof b === 'string') {
    budget.text(a.length + b.length)
    return a < b ? -1 : a > b ? 1 : 0
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    for (const [i, item] of a.entries()) {
      if (i >= b.length) return 1
      if (!equal(item, b[i], budget)) return budget.nested(() => compare(item, b[i], budget))
    }
    return a.length - b.length
  }
  throw new TemplateError(`${typeName(a)} and ${typeName(b)} cannot be compared`)
}

/** The items of what a loop can go through: a list, the keys of a dict, the characters of a text; nothing where it is undefined. */
export function itemsOf(value: Value, budget: Budget): readonly Value[] {
  if (Array.isArray(value)) return value
  if (value === undefined) return []
  if (isDict(value)) {
    budget.items(value.size)
    return [...value.keys()]
  }
  if (typeof value === 'string') {
    budget.items(value.length)
    return [...value]
  }
  throw new TemplateError(`${typeName(value)} holds nothing to go through`)
}

export function contains(container: Value, item: Value, budget: Budget): boolean {
  if (typeof container === 'string') {
    if (typeof item !== 'string') throw new TemplateError(`a text holds no ${typeName(item)}`)
    budget.text(container.length + item.length)
    return container.includes(item)
  }
  if (isDict(container)) {
    if (typeof item === 'string') budget.text(item.length)
    return isKey(item) && container.has(item)
  }
  return itemsOf(container, budget).some(one => equal(one, item, budget))
}

export const isKey = (value: Value): value is Key =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

/** A key as text, as attributes are named. */
export const textKey = (key: Key): string => (typeof key === 'string' ? key : String(key))

/** Python's `len`, of a text in code points. @throws TemplateError */
export function lengthOf(value: Value, budget: Budget): number {
  if (typeof value === 'string') {
    budget.text(value.length)
    return codePoints(value)
  }
  if (Array.isArray(value)) return value.length
  if (isDict(value)) return value.size
  if (value === undefined) return 0
  throw new TemplateError(`${typeName(value)} has no length`)
}

/** Half a pair, as it may stand in a text of JSON, counts too. */
function codePoints(text: string): number {
  let count = text.length
  for (let at = 0; at + 1 < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0xd800 || unit > 0xdbff) continue
    const next = text.charCodeAt(at + 1)
    if (next < 0xdc00 || next > 0xdfff) continue
    count--
    at++
  }
  return count
}

/** For messages. */
export function typeName(value: Value): string {
  if (value === undefined) return 'an undefined value'
  if (value === null) return 'None'
  if (typeof value === 'string') return 'a text'
  if (typeof value === 'boolean') return 'a boolean'
  if (isNumber(value)) return 'a number'
  if (Array.isArray(value)) return 'a list'
  if (isDict(value)) return 'a dict'
  return value instanceof Namespace ? 'a namespace' : 'a function'
}
