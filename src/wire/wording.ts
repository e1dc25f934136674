/** Turns problems into faults in OpenAI's words, as its API has been seen to answer. */
import { type Fault, fault } from '../lib/faults.ts'
import { type Bound, isRecord, type Path, type Problem, type Shape } from './walk.ts'

/** The fault of a problem; `param` is its path. A problem of the body itself has no path. */
export function toFault(problem: Problem): Fault {
  const param = pathText(problem.path)
  switch (problem.kind) {
    case 'missing':
      return fault.missingParameter(param)
    case 'type':
      if (problem.path.length === 0) return fault.bodyNotObject()
      return fault.invalidType(
        param,
        `Invalid type for '${param}': expected ${expectation(problem.expected)}, but got ${nameOf(problem.value)} instead.`,
      )
    case 'value':
      return fault.invalidValue(param, valueMessage(problem.supported, problem.value))
    case 'pattern': // without the value: it may be a secret
      return fault.invalidValue(param, `Invalid '${param}': expected a string that matches '${problem.pattern}'.`)
    case 'bound': {
      const { what, expected, got, code } = bounds[problem.bound]
      const { limit, actual } = problem
      return fault.invalidValue(
        param,
        `Invalid '${param}': ${what}. Expected ${expected(limit)}, but got ${got(actual)} instead.`,
        code,
      )
    }
  }
}

const keyLengthShown = 64
const valueLengthShown = 64

/** `messages[0].content`. Names given by the caller are cut, so that a message stays short. */
export function pathText(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += `${text === '' ? '' : '.'}${cut(step, keyLengthShown)}`
  }
  return text
}

interface BoundWords {
  what: string
  expected: (limit: number) => string
  got: (actual: number) => string
  code: string
}

const atLeast = (limit: number) => `a value >= ${limit}`
const atMost = (limit: number) => `a value <= ${limit}`
const plain = (actual: number) => String(actual)

const bounds: Record<Bound, BoundWords> = {
  minLength: {
    what: 'empty string',
    expected: limit => `a string with minimum length ${limit}`,
    got: actual => (actual === 0 ? 'an empty string' : `a string with length ${actual}`),
    code: 'empty_string',
  },
  maxLength: {
    what: 'string too long',
    expected: limit => `a string with maximum length ${limit}`,
    got: actual => `a string with length ${actual}`,
    code: 'string_above_max_length',
  },
  maxKeyLength: {
    what: 'key too long',
    expected: limit => `a key with maximum length ${limit}`,
    got: actual => `a key with length ${actual}`,
    code: 'string_above_max_length',
  },
  minItems: {
    what: 'empty array',
    expected: limit => `an array with minimum length ${limit}`,
    got: actual => (actual === 0 ? 'an empty array' : `an array with length ${actual}`),
    code: 'empty_array',
  },
  maxItems: {
    what: 'array too long',
    expected: limit => `an array with maximum length ${limit}`,
    got: actual => `an array with length ${actual}`,
    code: 'array_above_max_length',
  },
  maxProperties: {
    what: 'too many properties',
    expected: limit => `an object with at most ${limit} properties`,
    got: actual => `an object with ${actual} properties`,
    code: 'object_above_max_properties',
  },
  minInteger: { what: 'integer below minimum value', expected: atLeast, got: plain, code: 'integer_below_min_value' },
  maxInteger: { what: 'integer above maximum value', expected: atMost, got: plain, code: 'integer_above_max_value' },
  minDecimal: { what: 'decimal below minimum value', expected: atLeast, got: plain, code: 'decimal_below_min_value' },
  maxDecimal: { what: 'decimal above maximum value', expected: atMost, got: plain, code: 'decimal_above_max_value' },
}

function valueMessage(supported: readonly unknown[], value: unknown): string {
  const given = `Invalid value: ${quoted(value)}.`
  if (supported.length === 0) return given
  if (supported.length === 1) return `${given} Value must be ${quoted(supported[0])}.`
  return `${given} Supported values are: ${listed(supported.map(quoted), 'and')}.`
}

/** `a string`, `one of a string or array of objects`. That null would do too is not said. */
function expectation(shapes: readonly Shape[]): string {
  const names = [...new Set(flat(shapes).map(typeName))].filter(name => name !== 'null')
  const [first = 'null', ...rest] = names
  const opening = first === 'null' ? 'null' : `${article(first)} ${first}`
  return rest.length === 0 ? opening : `one of ${listed([opening, ...rest], 'or')}`
}

function flat(shapes: readonly Shape[]): Shape[] {
  return shapes.flatMap(shape => (shape.anyOf === undefined ? [shape] : flat(shape.anyOf)))
}

function typeName(shape: Shape): string {
  if (shape.type === 'number') return 'decimal'
  if (shape.type !== 'array' || shape.items === undefined) return shape.type ?? 'value'
  const [item, ...others] = [...new Set(flat([shape.items]).map(typeName))]
  if (item === undefined || others.length > 0) return 'array'
  return `array of ${item.startsWith('array') ? 'arrays' : `${item}s`}`
}

/** What was given: `a string`, `an integer`, `a decimal number`, `null`. */
function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (isRecord(value)) return 'an object'
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal number'
  return `a ${typeof value}`
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? 'an' : 'a'
}

/** `a`, `a or b`, `a, b, or c`. */
function listed(items: readonly string[], conjunction: 'and' | 'or'): string {
  if (items.length <= 2) return items.join(` ${conjunction} `)
  return `${items.slice(0, -1).join(', ')}, ${conjunction} ${items.at(-1)}`
}

function quoted(value: unknown): string {
  return typeof value === 'string' ? `'${cut(value, valueLengthShown)}'` : String(value)
}

function cut(value: string, lengthMax: number): string {
  return value.length <= lengthMax ? value : `${value.slice(0, lengthMax).toWellFormed()}…`
}
