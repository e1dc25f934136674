/** Jinja's filters: `value | name(…)`. */
import { bound, numberArgument, textArgument } from './arguments.ts'
import type { Budget } from './budget.ts'
import { TemplateError } from './errors.ts'
import { attribute, item, pairs } from './methods.ts'
import { formatted } from './operators.ts'
import { tested } from './tests.ts'
import * as texts from './texts.ts'
import {
  type Arguments,
  compare,
  contains,
  equal,
  Float,
  float,
  isDict,
  isFloat,
  isNumber,
  itemsOf,
  lengthOf,
  plainNumber,
  truth,
  typeName,
  type Value,
} from './values.ts'
import { jsonOf, plainJson, textOf } from './writing.ts'

type Filter = (value: Value, given: Arguments, budget: Budget) => Value

/** @throws TemplateError for a filter that nobody knows */
export function filtered(name: string, value: Value, given: Arguments, budget: Budget): Value {
  const filter = filters.get(name)
  if (filter === undefined) throw new TemplateError(`there is no filter '${name.slice(0, 64)}'`)
  budget.step()
  return filter(value, given, budget)
}

const of =
  (names: readonly string[], run: (value: Value, given: readonly Value[], budget: Budget) => Value): Filter =>
  (value, given, budget) =>
    run(value, bound(names, given), budget)

/** Of a text; anything else is printed first. */
const ofText = (names: readonly string[], run: (text: string, given: readonly Value[], budget: Budget) => Value) =>
  of(names, (value, given, budget) => {
    const text = textOf(value, budget)
    budget.text(text.length)
    return run(text, given, budget)
  })

/** Of the items of a list, a dict or a text. */
const ofItems = (
  names: readonly string[],
  run: (items: readonly Value[], given: readonly Value[], budget: Budget) => Value,
) =>
  of(names, (value, given, budget) => {
    const items = itemsOf(value, budget)
    budget.items(items.length)
    budget.step(items.length)
    return run(items, given, budget)
  })

/** `a.b.0`, as filters name attributes. */
function path(value: Value, name: Value, budget: Budget): Value {
  if (typeof name === 'number') return item(value, name, budget)
  return textArgument(name)
    .split('.')
    .reduce<Value>((at, part) => item(at, /^\d+$/.test(part) ? Number(part) : part, budget), value)
}

const picks = (name: Value, budget: Budget) => (one: Value) =>
  name === undefined || name === null ? one : path(one, name, budget)

const folded = (value: Value, caseSensitive: Value) =>
  typeof value === 'string' && caseSensitive !== true ? value.toLowerCase() : value

const defaulted = of(['default_value', 'boolean'], (value, [other = '', falsy]) =>
  value === undefined || (falsy === true && !truth(value)) ? other : value,
)
const counted = of([], (value, _, budget) => lengthOf(value, budget))
const escaped = ofText([], (text, _, budget) => {
  budget.text(5 * texts.count(text, '&') + 5 * text.length)
  return text.replace(/[&<>"']/g, character => entities.get(character) ?? character)
})
const entities = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&#34;'],
  ["'", '&#39;'],
])

/** @param wanted what the test must come to */
const selecting =
  (wanted: boolean, byAttribute: boolean): Filter =>
  (value, { list }, budget) => {
    const [name, test, ...others] = byAttribute ? list : [null, ...list]
    const items = itemsOf(value, budget)
    budget.items(items.length)
    return items.filter(one => {
      const picked = picks(name, budget)(one)
      return (test === undefined ? truth(picked) : tested(textArgument(test), picked, others, budget)) === wanted
    })
  }

const mapped: Filter = (value, { list: [name, ...list], named }, budget) => {
  const items = itemsOf(value, budget)
  budget.items(items.length)
  if (name !== undefined) return items.map(one => filtered(textArgument(name), one, { list, named }, budget))
  const [attributeName, other] = bound(['attribute', 'default'], { list: [], named })
  if (attributeName === undefined) throw new TemplateError("'map' needs a filter or an attribute")
  budget.step(items.length)
  return items.map(one => path(one, attributeName, budget) ?? other)
}

const sorted = ofItems(['reverse', 'case_sensitive', 'attribute'], (items, [reverse, caseSensitive, name], budget) => {
  const sign = reverse === true ? -1 : 1
  const key = (one: Value) => folded(picks(name, budget)(one), caseSensitive)
  return [...items].sort((a, b) => sign * compare(key(a), key(b), budget))
})

const dictSorted = of(['case_sensitive', 'by', 'reverse'], (value, [caseSensitive, by, reverse], budget) => {
  if (!isDict(value)) throw new TemplateError(`a dict is needed, not ${typeName(value)}`)
  const place = by === 'value' ? 1 : 0
  const sign = reverse === true ? -1 : 1
  const key = (pair: Value) => folded(Array.isArray(pair) ? pair[place] : pair, caseSensitive)
  return pairs(value, budget).sort((a, b) => sign * compare(key(a), key(b), budget))
})

const extreme = (sign: 1 | -1) =>
  ofItems(['case_sensitive', 'attribute'], (items, [caseSensitive, name], budget) => {
    const key = (one: Value) => folded(picks(name, budget)(one), caseSensitive)
    return items.reduce(
      (best, one, i) => (i === 0 || sign * compare(key(one), key(best), budget) > 0 ? one : best),
      undefined,
    )
  })

const unique = ofItems(['case_sensitive', 'attribute'], (items, [caseSensitive, name], budget) => {
  const key = (one: Value) => folded(picks(name, budget)(one), caseSensitive)
  const seen: Value[] = []
  return items.filter(one => {
    const mark = key(one)
    if (contains(seen, mark, budget)) return false
    seen.push(mark)
    return true
  })
})

const grouped = ofItems(['attribute', 'default', 'case_sensitive'], (items, [name, other, caseSensitive], budget) => {
  const key = (one: Value) => path(one, name, budget) ?? other
  const rows = [...items].sort((a, b) => compare(folded(key(a), caseSensitive), folded(key(b), caseSensitive), budget))
  const groups: [Value, Value[]][] = []
  for (const row of rows) {
    const last = groups.at(-1)
    if (last && equal(folded(last[0], caseSensitive), folded(key(row), caseSensitive), budget)) last[1].push(row)
    else groups.push([key(row), [row]])
  }
  return groups
})

const toJson = of(['indent', 'ensure_ascii', 'separators', 'sort_keys'], (value, given, budget) => {
  const [indent, ensureAscii, separators, sortKeys] = given
  const [itemMark, keyMark] = Array.isArray(separators) ? separators.map(textArgument) : []
  return jsonOf(
    value,
    {
      ...plainJson,
      indent: indentOf(indent, budget),
      ensureAscii: ensureAscii === true,
      sortKeys: sortKeys === true,
      separators: itemMark === undefined || keyMark === undefined ? null : [itemMark, keyMark],
    },
    budget,
  )
})

function indentOf(indent: Value, budget: Budget): string | null {
  if (indent === undefined || indent === null) return null
  return typeof indent === 'string' ? indent : texts.repeated(' ', numberArgument(indent), budget)
}

const joined = ofItems(['d', 'attribute'], (items, [separator = '', name], budget) =>
  texts.joined(
    items.map(one => textOf(picks(name, budget)(one), budget)),
    textOf(separator, budget),
    budget,
  ),
)

const toInteger = of(['default', 'base'], (value, [other = 0, base = 10], budget) => {
  if (isNumber(value)) return Math.trunc(plainNumber(value))
  if (typeof value !== 'string') return other
  budget.text(value.length)
  const text = value.trim()
  const radix = numberArgument(base)
  if (radix === 10 && /^[+-]?\d+(\.\d*)?$/.test(text)) return Math.trunc(Number(text))
  const number = Number.parseInt(text, radix)
  return radix === 10 || Number.isNaN(number) ? other : number
})

const toFloat = of(['default'], (value, [other = new Float(0)]) => {
  const number = isNumber(value)
    ? plainNumber(value)
    : typeof value === 'string' && value.trim() !== ''
      ? Number(value)
      : Number.NaN
  return Number.isNaN(number) ? other : float(number)
})

const rounded = of(['precision', 'method'], (value, [precision = 0, method = 'common']) => {
  const scale = 10 ** numberArgument(precision)
  const change = method === 'ceil' ? Math.ceil : method === 'floor' ? Math.floor : evenly
  return float(change(numberArgument(value) * scale) / scale)
})

/** Python rounds a half to the even side. */
const evenly = (value: number) => {
  const down = Math.floor(value)
  return value - down === 0.5 ? down + (Math.abs(down) % 2) : Math.round(value)
}

const summed = ofItems(['attribute', 'start'], (items, [name, start = 0], budget) => {
  const values = [start, ...items.map(picks(name, budget))]
  const sum = values.reduce((total: number, one) => total + numberArgument(one), 0)
  return values.some(isFloat) ? float(sum) : sum
})

const batched = ofItems(['linecount', 'fill_with'], (items, [size, fill], budget) => {
  const width = Math.max(1, numberArgument(size))
  const rows: Value[][] = []
  for (let at = 0; at < items.length; at += width) rows.push(items.slice(at, at + width))
  const last = rows.at(-1)
  if (last !== undefined && fill !== undefined) {
    budget.items(width)
    while (last.length < width) last.push(fill)
  }
  return rows
})

const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['abs', of([], value => (isFloat(value) ? float(Math.abs(numberArgument(value))) : Math.abs(numberArgument(value))))],
  ['attr', of(['name'], (value, [name], budget) => attribute(value, textArgument(name), budget))],
  ['batch', batched],
  ['capitalize', ofText([], texts.capitalized)],
  ['count', counted],
  ['d', defaulted],
  ['default', defaulted],
  ['dictsort', dictSorted],
  ['e', escaped],
  ['escape', escaped],
  ['first', ofItems([], items => items[0])],
  ['float', toFloat],
  ['format', (value, { list }, budget) => formatted(textOf(value, budget), [...list], budget)],
  ['groupby', grouped],
  [
    'indent',
    ofText(['width', 'first', 'blank'], (text, [width = 4, first, blank], budget) =>
      texts.indented(text, indentOf(width, budget) ?? '', first === true, blank === true, budget),
    ),
  ],
  ['int', toInteger],
  [
    'items',
    of([], (value, _, budget) => (isDict(value) ? pairs(value, budget) : value === undefined ? [] : noDict(value))),
  ],
  ['join', joined],
  ['last', ofItems([], items => items.at(-1))],
  ['length', counted],
  ['list', ofItems([], items => [...items])],
  ['lower', ofText([], text => text.toLowerCase())],
  ['map', mapped],
  ['max', extreme(1)],
  ['min', extreme(-1)],
  ['reject', selecting(false, false)],
  ['rejectattr', selecting(false, true)],
  [
    'replace',
    ofText(['old', 'new', 'count'], (text, [old, by, most], budget) =>
      texts.replaced(
        text,
        textOf(old, budget),
        textOf(by, budget),
        most === undefined || most === null ? Number.POSITIVE_INFINITY : numberArgument(most),
        budget,
      ),
    ),
  ],
  [
    'reverse',
    of([], (value, _, budget) => {
      const items = itemsOf(value, budget)
      budget.items(items.length)
      return typeof value === 'string' ? texts.joined(items.map(String).reverse(), '', budget) : [...items].reverse()
    }),
  ],
  ['round', rounded],
  ['safe', of([], value => value)],
  ['select', selecting(true, false)],
  ['selectattr', selecting(true, true)],
  ['sort', sorted],
  ['string', of([], (value, _, budget) => textOf(value, budget))],
  ['sum', summed],
  ['title', ofText([], texts.wordsTitled)],
  ['tojson', toJson],
  [
    'trim',
    ofText(['chars'], (text, [characters]) =>
      texts.stripped(
        text,
        characters === undefined || characters === null ? null : textArgument(characters),
        true,
        true,
      ),
    ),
  ],
  ['unique', unique],
  ['upper', ofText([], text => text.toUpperCase())],
  ['wordcount', ofText([], text => text.match(/\w+/g)?.length ?? 0)],
])

function noDict(value: Value): never {
  throw new TemplateError(`a dict is needed, not ${typeName(value)}`)
}
