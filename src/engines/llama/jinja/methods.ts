/** What a dot finds on a value: Python's methods of texts, dicts and lists. Nothing else of a value can be reached. */
import { bound, numberArgument, textArgument } from './arguments.ts'
import type { Budget } from './budget.ts'
import { TemplateError } from './errors.ts'
import * as texts from './texts.ts'
import {
  type Arguments,
  Callable,
  type Dict,
  equal,
  isDict,
  isKey,
  itemsOf,
  type List,
  Namespace,
  typeName,
  type Value,
} from './values.ts'
import { textOf } from './writing.ts'

/** `value.name`: a method, else what the name stands for. */
export function attribute(value: Value, name: string, budget: Budget): Value {
  const method = methodOf(value, name, budget)
  if (method !== undefined) return method
  if (value instanceof Namespace) return value.read(name)
  return isDict(value) ? value.get(name) : undefined
}

/** `value[key]`: what stands there, else a method of that name. */
export function item(value: Value, key: Value, budget: Budget): Value {
  budget.text((typeof key === 'string' ? key.length : 0) + (typeof value === 'string' ? value.length : 0))
  if (isDict(value) && isKey(key) && value.has(key)) return value.get(key)
  if (typeof key === 'string') return attribute(value, key, budget)
  if (typeof key !== 'number') return undefined
  if (Array.isArray(value)) return value.at(key)
  if (typeof value !== 'string') return undefined
  if (/[\ud800-\udfff]/.test(value)) {
    budget.items(value.length)
    return [...value].at(key)
  }
  return value.at(key)
}

function methodOf(value: Value, name: string, budget: Budget): Callable | undefined {
  if (typeof value === 'string') return bind(ofTexts, name, value, budget)
  if (isDict(value)) return bind(ofDicts, name, value, budget)
  if (Array.isArray(value)) return bind(ofLists, name, value, budget)
  return undefined
}

type Method<T> = (value: T, given: Arguments, budget: Budget) => Value

function bind<T>(
  methods: ReadonlyMap<string, Method<T>>,
  name: string,
  value: T,
  budget: Budget,
): Callable | undefined {
  const method = methods.get(name)
  return (
    method &&
    new Callable(given => {
      if (typeof value === 'string') budget.text(value.length)
      return method(value, given, budget)
    })
  )
}

/** A method with named arguments. */
const of =
  <T>(names: readonly string[], run: (value: T, given: readonly Value[], budget: Budget) => Value): Method<T> =>
  (value, given, budget) =>
    run(value, bound(names, given), budget)

/** A text as long as its source. */
const same = (change: (text: string) => string): Method<string> =>
  of([], (text, _, budget) => {
    budget.text(text.length)
    return change(text)
  })

const strip = (left: boolean, right: boolean): Method<string> =>
  of(['chars'], (text, [characters]) => texts.stripped(text, optionalText(characters), left, right))

const optionalText = (value: Value): string | null =>
  value === undefined || value === null ? null : textArgument(value)

/** Python's -1 means all. */
const timesOf = (value: Value) => {
  const times = value === undefined || value === null ? -1 : numberArgument(value)
  return times < 0 ? Number.POSITIVE_INFINITY : times
}

const edge = (fits: (text: string, part: string) => boolean): Method<string> =>
  of(['prefix', 'start'], (text, [parts, start]) => {
    const rest = start === undefined ? text : text.slice(numberArgument(start))
    return (Array.isArray(parts) ? parts : [parts]).some(part => fits(rest, textArgument(part)))
  })

const place = (find: (text: string, part: string) => number, must: boolean): Method<string> =>
  of(['sub'], (text, [part]) => {
    const at = find(text, textArgument(part))
    if (at === -1 && must) throw new TemplateError('the text is not there')
    return at
  })

const every = (pattern: RegExp): Method<string> => of([], text => pattern.test(text))

const partition = (last: boolean): Method<string> =>
  of(['sep'], (text, [separator]) => {
    const mark = textArgument(separator)
    const at = last ? text.lastIndexOf(mark) : text.indexOf(mark)
    if (at === -1) return last ? ['', '', text] : [text, '', '']
    return [text.slice(0, at), mark, text.slice(at + mark.length)]
  })

const padded = (fill: (text: string, by: string) => string): Method<string> =>
  of(['width', 'fillchar'], (text, [width, character], budget) => {
    const by = numberArgument(width) - text.length
    return by <= 0
      ? text
      : fill(text, texts.repeated(character === undefined ? ' ' : textArgument(character), by, budget))
  })

/** `'{} of {name}'.format(…)`: places without a form of their own. */
const format: Method<string> = (text, { list, named }, budget) => {
  let next = 0
  budget.text(text.length)
  return text.replace(/\{\{|\}\}|\{(\w*)\}/g, (found, name: string | undefined) => {
    if (name === undefined) return found.charAt(0)
    const value = name === '' ? list[next++] : /^\d+$/.test(name) ? list[Number(name)] : named.get(name)
    const shown = textOf(value, budget)
    budget.text(shown.length)
    return shown
  })
}

const ofTexts: ReadonlyMap<string, Method<string>> = new Map([
  ['upper', same(text => text.toUpperCase())],
  ['lower', same(text => text.toLowerCase())],
  ['casefold', same(text => text.toLowerCase())],
  ['title', same(texts.titled)],
  ['capitalize', same(texts.capitalized)],
  ['strip', strip(true, true)],
  ['lstrip', strip(true, false)],
  ['rstrip', strip(false, true)],
  ['startswith', edge((text, part) => text.startsWith(part))],
  ['endswith', edge((text, part) => text.endsWith(part))],
  [
    'removeprefix',
    of(['prefix'], (text, [part]) =>
      text.startsWith(textArgument(part)) ? text.slice(textArgument(part).length) : text,
    ),
  ],
  [
    'removesuffix',
    of(['suffix'], (text, [part]) => {
      const suffix = textArgument(part)
      return suffix !== '' && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text
    }),
  ],
  [
    'split',
    of(['sep', 'maxsplit'], (text, [separator, most], budget) =>
      texts.split(text, mark(separator), timesOf(most), budget),
    ),
  ],
  [
    'rsplit',
    of(['sep', 'maxsplit'], (text, [separator, most], budget) =>
      texts.splitFromRight(text, mark(separator) ?? ' ', timesOf(most), budget),
    ),
  ],
  ['splitlines', of(['keepends'], (text, [keep], budget) => texts.lines(text, keep === true, budget))],
  [
    'replace',
    of(['old', 'new', 'count'], (text, [old, by, most], budget) =>
      texts.replaced(text, textArgument(old), textArgument(by), timesOf(most), budget),
    ),
  ],
  [
    'join',
    of(['iterable'], (text, [parts], budget) => texts.joined(itemsOf(parts, budget).map(textArgument), text, budget)),
  ],
  ['find', place((text, part) => text.indexOf(part), false)],
  ['rfind', place((text, part) => text.lastIndexOf(part), false)],
  ['index', place((text, part) => text.indexOf(part), true)],
  ['count', of(['sub'], (text, [part]) => texts.count(text, textArgument(part)))],
  ['partition', partition(false)],
  ['rpartition', partition(true)],
  ['isdigit', every(/^\p{Nd}+$/u)],
  ['isnumeric', every(/^\p{N}+$/u)],
  ['isalpha', every(/^\p{L}+$/u)],
  ['isalnum', every(/^[\p{L}\p{N}]+$/u)],
  ['isspace', every(/^\s+$/)],
  ['isupper', of([], text => text !== text.toLowerCase() && text === text.toUpperCase())],
  ['islower', of([], text => text !== text.toUpperCase() && text === text.toLowerCase())],
  ['ljust', padded((text, by) => text + by)],
  ['rjust', padded((text, by) => by + text)],
  [
    'zfill',
    of(['width'], (text, [width], budget) => texts.repeated('0', numberArgument(width) - text.length, budget) + text),
  ],
  ['format', format],
])

function mark(separator: Value): string | null {
  const text = optionalText(separator)
  if (text === '') throw new TemplateError('the separator is empty')
  return text
}

const ofDicts: ReadonlyMap<string, Method<Dict>> = new Map([
  [
    'get',
    of<Dict>(['key', 'default'], (dict, [key, other = null]) => {
      const found = isKey(key) ? dict.get(key) : undefined
      return found === undefined ? other : found
    }),
  ],
  ['items', of<Dict>([], (dict, _, budget) => pairs(dict, budget))],
  ['keys', of<Dict>([], (dict, _, budget) => listed(dict.keys(), dict.size, budget))],
  ['values', of<Dict>([], (dict, _, budget) => listed(dict.values(), dict.size, budget))],
  ['copy', of<Dict>([], (dict, _, budget) => copied(dict, budget))],
  [
    'pop',
    of<Dict>(['key', 'default'], (dict, [key, other]) => {
      const found = isKey(key) ? dict.get(key) : undefined
      if (found === undefined && other === undefined) throw new TemplateError('the key is not there')
      if (isKey(key)) dict.delete(key)
      return found === undefined ? other : found
    }),
  ],
  [
    'setdefault',
    of<Dict>(['key', 'default'], (dict, [key, other = null], budget) => {
      if (!isKey(key)) throw new TemplateError(`${typeName(key)} is no key`)
      budget.items(1)
      if (!dict.has(key)) dict.set(key, other)
      return dict.get(key)
    }),
  ],
  [
    'update',
    (dict, { list: [other], named }, budget) => {
      if (other !== undefined && !isDict(other)) throw new TemplateError(`a dict is needed, not ${typeName(other)}`)
      budget.items((other?.size ?? 0) + named.size)
      for (const [key, value] of other ?? []) dict.set(key, value)
      for (const [key, value] of named) dict.set(key, value)
      return null
    },
  ],
])

/** A dict as a list of pairs. */
export function pairs(dict: Dict, budget: Budget): Value[] {
  budget.items(4 * dict.size)
  return [...dict].map(([key, value]) => [key, value])
}

function listed(values: Iterable<Value>, count: number, budget: Budget): Value[] {
  budget.items(count)
  return [...values]
}

function copied(dict: Dict, budget: Budget): Dict {
  budget.items(dict.size)
  return new Map(dict)
}

const ofLists: ReadonlyMap<string, Method<List>> = new Map([
  ['append', of<List>(['object'], (list, [value], budget) => added(list, [value], list.length, budget))],
  [
    'extend',
    of<List>(['iterable'], (list, [values], budget) => added(list, [...itemsOf(values, budget)], list.length, budget)),
  ],
  [
    'insert',
    of<List>(['index', 'object'], (list, [at, value], budget) => added(list, [value], numberArgument(at), budget)),
  ],
  [
    'pop',
    of<List>(['index'], (list, [at = -1]) => {
      const [value] = list.splice(numberArgument(at), 1)
      return value
    }),
  ],
  ['copy', of<List>([], (list, _, budget) => listed(list, list.length, budget))],
  [
    'reverse',
    of<List>([], list => {
      list.reverse()
      return null
    }),
  ],
  [
    'index',
    of<List>(['value'], (list, [value], budget) => {
      const at = list.findIndex(one => equal(one, value, budget))
      if (at === -1) throw new TemplateError('the value is not there')
      return at
    }),
  ],
  ['count', of<List>(['value'], (list, [value], budget) => list.filter(one => equal(one, value, budget)).length)],
])

function added(list: List, values: readonly Value[], at: number, budget: Budget): null {
  budget.items(values.length)
  // A list shifts what stands behind.
  budget.step(Math.ceil((list.length - at) / 64) + values.length)
  list.splice(at, 0, ...values)
  return null
}
