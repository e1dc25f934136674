/**
 * Finds the first problem of a value that a compiled check has refused. It stops there, so a list of a million wrong items costs
 * one item. It knows the keywords that the schemas of `wire/` use; a fuzz test holds it and the compiled check to one verdict.
 */
import type { TSchema } from 'typebox'

export type Path = readonly (string | number)[]

export type Problem = { path: Path } & (
  | { kind: 'missing' }
  | { kind: 'type'; expected: readonly Shape[]; value: unknown }
  | { kind: 'value'; supported: readonly unknown[]; value: unknown }
  | { kind: 'pattern'; pattern: string }
  | { kind: 'bound'; bound: Bound; limit: number; actual: number }
)
export type Bound =
  | 'minLength'
  | 'maxLength'
  | 'maxKeyLength'
  | 'minItems'
  | 'maxItems'
  | 'maxProperties'
  | 'minInteger'
  | 'maxInteger'
  | 'minDecimal'
  | 'maxDecimal'

/** The keywords in use. */
export interface Shape {
  type?: string
  const?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly Shape[]
  not?: Shape
  properties?: Readonly<Record<string, Shape>>
  required?: readonly string[]
  additionalProperties?: Shape | boolean
  patternProperties?: Readonly<Record<string, Shape>>
  propertyNames?: Shape
  maxProperties?: number
  items?: Shape
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  pattern?: string
}

/** A schema as plain JSON Schema. */
export function shapeOf(schema: TSchema): Shape {
  return schema
}

/** The first problem in document order of the schema, or null when the value fits. */
export function firstProblem(schema: Shape, value: unknown, path: Path = []): Problem | null {
  if (schema.anyOf !== undefined) return inUnion(schema.anyOf, value, path)
  if (!hasType(schema, value)) return { path, kind: 'type', expected: [schema], value }
  if (schema.const !== undefined && value !== schema.const) {
    return { path, kind: 'value', supported: [schema.const], value }
  }
  if (schema.enum?.includes(value) === false) return { path, kind: 'value', supported: schema.enum, value }
  if (schema.not !== undefined && firstProblem(schema.not, value, path) === null) {
    return { path, kind: 'value', supported: [], value }
  }
  if (typeof value === 'string') return inString(schema, value, path)
  if (typeof value === 'number') return inNumber(schema, value, path)
  if (Array.isArray(value)) return inArray(schema, value, path)
  if (isRecord(value)) return inObject(schema, value, path)
  return null
}

function inString(schema: Shape, value: string, path: Path): Problem | null {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema
  if (value.length < minLength)
    return { path, kind: 'bound', bound: 'minLength', limit: minLength, actual: value.length }
  const actual = value.length <= maxLength ? value.length : codePoints(value)
  if (actual > maxLength) return { path, kind: 'bound', bound: 'maxLength', limit: maxLength, actual }
  const { pattern } = schema
  if (pattern === undefined || new RegExp(pattern, 'u').test(value)) return null
  return { path, kind: 'pattern', pattern }
}

function inNumber(schema: Shape, actual: number, path: Path): Problem | null {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema
  const integer = schema.type === 'integer'
  if (actual < minimum) {
    return { path, kind: 'bound', bound: integer ? 'minInteger' : 'minDecimal', limit: minimum, actual }
  }
  if (actual > maximum) {
    return { path, kind: 'bound', bound: integer ? 'maxInteger' : 'maxDecimal', limit: maximum, actual }
  }
  return null
}

function inArray(schema: Shape, value: readonly unknown[], path: Path): Problem | null {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items } = schema
  const actual = value.length
  if (actual < minItems) return { path, kind: 'bound', bound: 'minItems', limit: minItems, actual }
  if (actual > maxItems) return { path, kind: 'bound', bound: 'maxItems', limit: maxItems, actual }
  if (items === undefined) return null
  for (let index = 0; index < actual; index++) {
    const problem = firstProblem(items, value[index], [...path, index])
    if (problem !== null) return problem
  }
  return null
}

function inObject(schema: Shape, value: Readonly<Record<string, unknown>>, path: Path): Problem | null {
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const here = [...path, name]
    if (value[name] === undefined) {
      if (schema.required?.includes(name)) return { path: here, kind: 'missing' }
      continue
    }
    const problem = firstProblem(inner, value[name], here)
    if (problem !== null) return problem
  }
  const values = valuesOf(schema)
  return values === undefined ? null : inMap(schema, values, value, path)
}

/** Of a map: what each value has to be. */
function valuesOf({ additionalProperties, patternProperties = {} }: Shape): Shape | undefined {
  if (typeof additionalProperties === 'object') return additionalProperties
  return Object.values(patternProperties)[0]
}

function inMap(schema: Shape, values: Shape, value: Readonly<Record<string, unknown>>, path: Path): Problem | null {
  const names = Object.keys(value)
  const { maxProperties = Number.POSITIVE_INFINITY } = schema
  if (names.length > maxProperties) {
    return { path, kind: 'bound', bound: 'maxProperties', limit: maxProperties, actual: names.length }
  }
  const keyLengthMax = schema.propertyNames?.maxLength ?? Number.POSITIVE_INFINITY
  for (const name of names) {
    const here = [...path, name]
    if (name.length > keyLengthMax && codePoints(name) > keyLengthMax) {
      return { path: here, kind: 'bound', bound: 'maxKeyLength', limit: keyLengthMax, actual: codePoints(name) }
    }
    const problem = firstProblem(values, value[name], here)
    if (problem !== null) return problem
  }
  return null
}

/** The problem of the branch that was meant: by its tag, by the type of the value, or else of the one that got furthest. */
function inUnion(branches: readonly Shape[], value: unknown, path: Path): Problem | null {
  const fitting = branches.filter(branch => hasType(branch, value))
  if (fitting.length === 0) return { path, kind: 'type', expected: branches, value }
  if (isRecord(value)) {
    const tag = tagOf(fitting)
    if (tag !== null) return inTagged(fitting, tag, value, path)
  }
  let furthest: Problem | null = null
  for (const branch of fitting) {
    const problem = firstProblem(branch, value, path)
    if (problem === null) return null
    furthest = furthest === null ? problem : further(furthest, problem)
  }
  return furthest
}

/**
 * The first name in the value, at any depth, that the schema does not have, as a path; null when there is none. The names of a map are
 * its owner's. What has the wrong type is not looked into: that is for `firstProblem` to say.
 */
export function unknownName(schema: Shape, value: unknown, path: Path = []): Path | null {
  if (schema.anyOf !== undefined) {
    const found = schema.anyOf.filter(branch => hasType(branch, value)).map(branch => unknownName(branch, value, path))
    return found.includes(null) ? null : (found[0] ?? null)
  }
  if (Array.isArray(value) && schema.items !== undefined) {
    for (const [index, item] of value.entries()) {
      const found = unknownName(schema.items, item, [...path, index])
      if (found !== null) return found
    }
  }
  if (!isRecord(value) || schema.properties === undefined) return null
  for (const [name, inner] of Object.entries(value)) {
    const here = [...path, name]
    if (!Object.hasOwn(schema.properties, name)) return here
    const found = unknownName(schema.properties[name]!, inner, here)
    if (found !== null) return found
  }
  return null
}

/** The property that tells object branches apart: required in all, a constant in at least one. */
function tagOf(branches: readonly Shape[]): string | null {
  for (const tag of ['role', 'type']) {
    const everywhere = branches.every(branch => branch.required?.includes(tag))
    if (everywhere && branches.some(branch => tagValue(branch, tag) !== undefined)) return tag
  }
  return null
}

function inTagged(
  branches: readonly Shape[],
  tag: string,
  value: Readonly<Record<string, unknown>>,
  path: Path,
): Problem | null {
  const here = [...path, tag]
  const given = value[tag]
  if (given === undefined) return { path: here, kind: 'missing' }
  if (typeof given !== 'string') return { path: here, kind: 'type', expected: [{ type: 'string' }], value: given }
  const meant =
    branches.find(branch => tagValue(branch, tag) === given) ??
    branches.find(branch => tagValue(branch, tag) === undefined)
  if (meant !== undefined) return firstProblem(meant, value, path)
  return { path: here, kind: 'value', supported: branches.map(branch => tagValue(branch, tag)), value: given }
}

function tagValue(branch: Shape, tag: string): unknown {
  return branch.properties?.[tag]?.const
}

/** The deeper one; at the same depth the later one; at the same place the one whose type fits, or else both expectations. */
function further(a: Problem, b: Problem): Problem {
  if (a.path.length !== b.path.length) return a.path.length > b.path.length ? a : b
  for (const [depth, step] of a.path.entries()) {
    const other = b.path[depth]
    if (typeof step === 'number' && typeof other === 'number' && step !== other) return step > other ? a : b
  }
  if (a.kind !== 'type') return a
  return b.kind === 'type' ? { ...a, expected: [...a.expected, ...b.expected] } : b
}

function hasType(schema: Shape, value: unknown): boolean {
  if (schema.anyOf !== undefined) return schema.anyOf.some(branch => hasType(branch, value))
  switch (schema.type) {
    case 'string':
      return typeof value === 'string'
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return Number.isFinite(value)
    case 'boolean':
      return typeof value === 'boolean'
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isRecord(value)
    default:
      return true
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Characters outside the basic plane take two code units. Counted by unit: a loop over characters is ten times slower. */
function codePoints(value: string): number {
  let count = value.length
  for (let at = 1; at < value.length; at++) {
    if ((value.charCodeAt(at) & 0xfc00) === 0xdc00 && (value.charCodeAt(at - 1) & 0xfc00) === 0xd800) count--
  }
  return count
}
