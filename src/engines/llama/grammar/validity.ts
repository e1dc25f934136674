import type { Format } from './formats.ts'
import { type Bound, isObject, type Json, type Kind, type Node } from './nodes.ts'
import { type Decimal, decimal } from './numbers.ts'
import { refuse, type Spot } from './spot.ts'

/** What is needed to check a text against patterns in linear time. */
export interface Texts {
  matches(text: string, wanted: { pattern: string; spot: Spot } | { format: Format }): boolean
  readonly budget: { spend(steps: number, spot: Spot): void }
}

const depthMax = 200

/**
 * Whether a value of an `enum` or `const` satisfies the schema that stands beside it. `oneOf` counts as `anyOf`.
 * @param options.flat leaves out `$ref`, `allOf`, `anyOf` and `oneOf` of the node itself
 */
export function satisfies(
  value: Json,
  node: Node,
  texts: Texts,
  options: { flat?: boolean; depth?: number } = {},
): boolean {
  const { flat = false, depth = 0 } = options
  texts.budget.spend(2, node.spot)
  if (depth > depthMax) refuse(node.spot, 'the schema refers to itself with nothing in between.')
  if (node.never || (node.kinds !== undefined && !kindsOf(value).some(kind => node.kinds?.has(kind)))) return false
  const inside = (part: Json, inner: Node) => satisfies(part, inner, texts, { depth: depth + 1 })
  if (!flat) {
    if (!node.all.every(part => inside(value, part))) return false
    if (!node.any.every(group => group.some(part => inside(value, part)))) return false
    if (!node.literals.every(values => values.some(literal => equal(literal, value)))) return false
  }
  if (typeof value === 'number') return fitsNumber(value, node)
  if (typeof value === 'string') return fitsString(value, node, texts)
  if (Array.isArray(value)) return fitsArray(value, node, inside)
  return !isObject(value) || fitsObject(value, node, inside)
}

function kindsOf(value: Json): Kind[] {
  if (value === null) return ['null']
  if (Array.isArray(value)) return ['array']
  switch (typeof value) {
    case 'boolean':
      return ['boolean']
    case 'number':
      return Number.isInteger(value) ? ['integer', 'number'] : ['number']
    case 'string':
      return ['string']
    default:
      return ['object']
  }
}

function fitsNumber(value: number, { number }: Node): boolean {
  const own = decimal(value)
  const above = ({ value: bound, exclusive }: Bound) => difference(own, bound) > (exclusive ? 0n : -1n)
  const below = ({ value: bound, exclusive }: Bound) => difference(bound, own) > (exclusive ? 0n : -1n)
  return (
    number.min.every(above) && number.max.every(below) && number.multiplesOf.every(divisor => divides(divisor, own))
  )
}

function difference(a: Decimal, b: Decimal): bigint {
  const scale = Math.max(a.scale, b.scale)
  return a.units * 10n ** BigInt(scale - a.scale) - b.units * 10n ** BigInt(scale - b.scale)
}

function divides(divisor: Decimal, value: Decimal): boolean {
  const scale = Math.max(divisor.scale, value.scale)
  return (
    (value.units * 10n ** BigInt(scale - value.scale)) % (divisor.units * 10n ** BigInt(scale - divisor.scale)) === 0n
  )
}

function fitsString(value: string, { string, spot }: Node, texts: Texts): boolean {
  const length = [...value].length
  if (length < string.min || length > (string.max ?? length)) return false
  if (!string.patterns.every(({ source, spot: at }) => texts.matches(value, { pattern: source, spot: at })))
    return false
  texts.budget.spend(1, spot)
  return string.format === undefined || texts.matches(value, { format: string.format })
}

function fitsArray(value: readonly Json[], { array }: Node, inside: (part: Json, node: Node) => boolean): boolean {
  if (value.length < array.min || value.length > (array.max ?? value.length)) return false
  return value.every((item, i) => {
    const schema = array.prefix[i] ?? array.rest
    return schema === undefined || inside(item, schema)
  })
}

function fitsObject(
  value: { readonly [key: string]: Json },
  { object }: Node,
  inside: (part: Json, node: Node) => boolean,
): boolean {
  const entries = Object.entries(value)
  if (entries.length < object.min || entries.length > (object.max ?? entries.length)) return false
  if (![...object.required].every(name => Object.hasOwn(value, name))) return false
  return entries.every(([name, part]) => {
    const schema = object.properties.get(name) ?? object.additional
    return schema === undefined || inside(part, schema)
  })
}

/** As JSON Schema has it: the order of keys does not count. */
function equal(a: Json, b: Json): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equal(item, b[i]))
  if (!isObject(a) || !isObject(b)) return a === b
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every(key => Object.hasOwn(b, key) && equal(a[key] ?? null, b[key] ?? null))
  )
}
