/** The functions that templates find, as in the transformers library. */
import { bound, numberArgument, textArgument } from './arguments.ts'
import type { Budget } from './budget.ts'
import { formattedDate } from './dates.ts'
import { BudgetSpent, TemplateError } from './errors.ts'
import { Callable, isDict, isKey, itemsOf, Namespace, textKey, typeName, type Value } from './values.ts'
import { textOf } from './writing.ts'

/** The template refuses its messages, with `raise_exception`. */
export class Raised extends Error {}

const rangeMax = 10_000

/** @param now the time of the world */
export function globalsFor(budget: Budget, now: () => Date): Map<string, Value> {
  const values: [string, Value][] = [
    ['true', true],
    ['false', false],
    ['none', null],
    ['True', true],
    ['False', false],
    ['None', null],
    ['raise_exception', new Callable(({ list: [message] }) => raise(message, budget))],
    ['range', new Callable(({ list }) => range(list, budget))],
    ['namespace', new Callable(({ list: [source], named }) => namespace(source, named, budget))],
    [
      'dict',
      new Callable(({ list: [source], named }) => {
        budget.items(named.size)
        return new Map([...(isDict(source) ? source : []), ...named])
      }),
    ],
    ['joiner', new Callable(given => joiner(textArgument(bound(['sep'], given)[0] ?? ', ')))],
    [
      'strftime_now',
      new Callable(given => {
        const format = textArgument(bound(['format'], given)[0])
        budget.text(20 * format.length)
        return formattedDate(format, now())
      }),
    ],
  ]
  return new Map(values)
}

function raise(message: Value, budget: Budget): never {
  throw new Raised(textOf(message, budget))
}

/** @throws BudgetSpent: nobody counts that far in a chat template */
function range(bounds: readonly Value[], budget: Budget): Value[] {
  const [first = 0, second, step = 1] = bounds.map(numberArgument)
  const [start, end] = second === undefined ? [0, first] : [first, second]
  const count = Math.max(0, Math.ceil((end - start) / step))
  if (!(count <= rangeMax)) throw new BudgetSpent('range')
  budget.items(count)
  return Array.from({ length: count }, (_, i) => start + i * step)
}

function namespace(source: Value, named: ReadonlyMap<string, Value>, budget: Budget): Namespace {
  const entries = isDict(source) ? [...source] : itemsOf(source, budget).map(pairOf)
  budget.items(entries.length + named.size)
  return new Namespace([...entries.map(([key, value]) => [textKey(key), value] as const), ...named])
}

function pairOf(pair: Value): [string, Value] {
  if (!Array.isArray(pair) || pair.length !== 2 || !isKey(pair[0]))
    throw new TemplateError(`${typeName(pair)} is no pair`)
  return [textKey(pair[0]), pair[1]]
}

/** Nothing the first time, then the separator. */
function joiner(separator: string): Callable {
  let used = false
  return new Callable(() => {
    const text = used ? separator : ''
    used = true
    return text
  })
}
