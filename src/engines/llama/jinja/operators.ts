/** Python's operators, and its slices. */
import type { Budget } from './budget.ts'
import { TemplateError } from './errors.ts'
import { filled, repeated } from './texts.ts'
import {
  compare,
  contains,
  equal,
  Float,
  float,
  isFloat,
  isNumber,
  plainNumber,
  typeName,
  type Value,
} from './values.ts'
import { textOf } from './writing.ts'

/** @throws TemplateError where Python has no such operation */
export function operated(operator: string, left: Value, right: Value, budget: Budget): Value {
  switch (operator) {
    case '==':
      return equal(left, right, budget)
    case '!=':
      return !equal(left, right, budget)
    case 'in':
      return contains(right, left, budget)
    case 'not in':
      return !contains(right, left, budget)
    case '<':
      return compare(left, right, budget) < 0
    case '>':
      return compare(left, right, budget) > 0
    case '<=':
      return compare(left, right, budget) <= 0
    case '>=':
      return compare(left, right, budget) >= 0
    case '~':
      return concatenated(textOf(left, budget), textOf(right, budget), budget)
    default:
      return calculated(operator, left, right, budget)
  }
}

function concatenated(left: string, right: string, budget: Budget): string {
  budget.joined(left.length + right.length)
  return left + right
}

function calculated(operator: string, left: Value, right: Value, budget: Budget): Value {
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') return concatenated(left, right, budget)
    if (Array.isArray(left) && Array.isArray(right)) {
      budget.items(left.length + right.length)
      return [...left, ...right]
    }
  }
  if (operator === '%' && typeof left === 'string') return formatted(left, right, budget)
  if (isNumber(left) && isNumber(right)) return arithmetic(operator, left, right)
  if (operator === '*') {
    const [many, times] = isNumber(left) ? [right, left] : [left, right]
    if (typeof many === 'string' && isNumber(times)) return repeated(many, plainNumber(times), budget)
    if (Array.isArray(many) && isNumber(times)) return multiplied(many, plainNumber(times), budget)
  }
  throw new TemplateError(`there is no '${operator}' between ${typeName(left)} and ${typeName(right)}`)
}

function multiplied(list: readonly Value[], times: number, budget: Budget): Value[] {
  const count = Math.max(0, Math.floor(times))
  budget.items(list.length * count)
  return Array.from({ length: count }, () => list).flat()
}

function arithmetic(operator: string, left: number | Float | boolean, right: number | Float | boolean): Value {
  const [a, b] = [plainNumber(left), plainNumber(right)]
  const whole = (value: number) => (isFloat(left) || isFloat(right) ? float(value) : value)
  if (b === 0 && ['/', '//', '%'].includes(operator)) throw new TemplateError('a division by zero')
  switch (operator) {
    case '+':
      return whole(a + b)
    case '-':
      return whole(a - b)
    case '*':
      return whole(a * b)
    case '/':
      return float(a / b)
    case '//':
      return whole(Math.floor(a / b))
    case '%':
      return whole(a - b * Math.floor(a / b))
    case '**':
      return b < 0 ? float(a ** b) : whole(a ** b)
    default:
      throw new TemplateError(`there is no operator '${operator}'`)
  }
}

/** `'%s' % value`, or a list of values. */
export function formatted(pattern: string, given: Value, budget: Budget): string {
  const values = Array.isArray(given) ? given : [given]
  let next = 0
  const text = filled(
    pattern,
    kind => {
      const value = values[next++]
      if (next > values.length) throw new TemplateError('there are not enough values to format')
      if (kind === 's') return textOf(value, budget)
      if (kind === 'd' && isNumber(value)) return String(Math.trunc(plainNumber(value)))
      throw new TemplateError(`there is no format '%${kind}' for ${typeName(value)}`)
    },
    budget,
  )
  if (next < values.length) throw new TemplateError('there are more values than places to format')
  return text
}

/** @throws TemplateError for what is no number */
export function signed(operator: string, value: Value): Value {
  if (!isNumber(value)) throw new TemplateError(`there is no '${operator}' of ${typeName(value)}`)
  const number = operator === '-' ? -plainNumber(value) : plainNumber(value)
  return value instanceof Float ? new Float(number) : number
}

/** `value[start:stop:step]` of a text or a list. */
export function sliced(value: Value, bounds: readonly Value[], budget: Budget): Value {
  const [start, stop, step = 1] = bounds.map(bound => {
    if (bound === undefined || bound === null) return undefined
    if (typeof bound === 'number') return bound
    throw new TemplateError(`a slice ends at a number, not at ${typeName(bound)}`)
  })
  if (typeof value === 'string') {
    budget.text(value.length)
    if (!/[\ud800-\udfff]/.test(value)) {
      if (step === 1) return value.slice(start, stop)
      budget.items(value.length)
      return picked(value.split(''), start, stop, step).join('')
    }
    budget.items(value.length)
    return picked([...value], start, stop, step).join('')
  }
  if (!Array.isArray(value)) throw new TemplateError(`${typeName(value)} cannot be sliced`)
  budget.items(value.length)
  return picked(value, start, stop, step)
}

function picked<T>(items: readonly T[], start: number | undefined, stop: number | undefined, step: number): T[] {
  if (step === 0) throw new TemplateError('the step of a slice is zero')
  if (step === 1) return items.slice(start, stop)
  const { length } = items
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1]
  const placed = (at: number | undefined, otherwise: number) =>
    at === undefined ? otherwise : Math.min(Math.max(at < 0 ? at + length : at, low), high)
  const from = placed(start, step > 0 ? low : high)
  const to = placed(stop, step > 0 ? high : low)
  const found: T[] = []
  for (let at = from; step > 0 ? at < to : at > to; at += step) found.push(items[at] as T)
  return found
}
