import { isObject, type Json } from './nodes.ts'
import { below, type Place, quoted, refuse, type Spot } from './spot.ts'

/** What OpenAI documents for `strict: true` (guide "Structured Outputs", section "Supported schemas", 2026). */
export const strictLimits = {
  properties: 5_000,
  depth: 10,
  /** Characters of all names of properties and definitions, enum values and const values. */
  characters: 120_000,
  enumValues: 1_000,
  /** A list of more than `longEnum` strings has at most so many characters. */
  longEnumCharacters: 15_000,
  longEnum: 250,
} as const

/** Keywords that only schemas without `strict` may use. */
const refused = [
  'oneOf',
  'allOf',
  'not',
  'if',
  'then',
  'else',
  'dependentRequired',
  'dependentSchemas',
  'patternProperties',
  'propertyNames',
  'unevaluatedProperties',
  'unevaluatedItems',
  'minProperties',
  'maxProperties',
  'contains',
  'minContains',
  'maxContains',
  'uniqueItems',
]

/**
 * Holds a schema to OpenAI's rules for strict mode: the root is an object without `anyOf`; every object says `additionalProperties: false`
 * and requires all its properties; no more properties, levels, names and enum values than OpenAI allows.
 *
 * @throws fault.invalidValue with code `invalid_json_schema`, in OpenAI's words where they are known
 */
export function checkStrict(schema: unknown, place: Place): void {
  const root: Spot = { place, path: [] }
  if (!isObject(schema)) refuse(root, `schema must be a JSON Schema of 'type: "object"'.`)
  if (schema.type !== 'object')
    refuse(root, `schema must be a JSON Schema of 'type: "object"', got 'type: ${quoted(schema.type ?? 'None')}'.`)
  for (const keyword of ['anyOf', 'enum', 'const', ...refused])
    if (Object.hasOwn(schema, keyword)) refuse(root, `'${keyword}' is not permitted at the top level.`)
  new StrictCheck(root).schema(schema, root, 0)
}

class StrictCheck {
  private properties = 0
  private characters = 0
  private enumValues = 0
  private readonly root: Spot

  constructor(root: Spot) {
    this.root = root
  }

  /** `depth`: objects and arrays around this schema. */
  schema(schema: Json | undefined, spot: Spot, depth: number): void {
    if (depth > strictLimits.depth)
      refuse(spot, `the schema is nested too deeply: at most ${strictLimits.depth} levels are accepted.`)
    if (!isObject(schema)) refuse(spot, "schema must have a 'type' key.")
    for (const keyword of refused)
      if (Object.hasOwn(schema, keyword)) refuse(below(spot, keyword), `'${keyword}' is not permitted.`)
    const types = Array.isArray(schema.type) ? schema.type : [schema.type]
    if (types.includes('object') || schema.properties !== undefined) this.object(schema, spot, depth)
    if (types.includes('array') && schema.items === undefined && schema.prefixItems === undefined)
      refuse(spot, 'array schema missing items.')
    this.constants(schema, spot)
    this.parts(schema, spot, depth)
  }

  private object(schema: { readonly [key: string]: Json }, spot: Spot, depth: number): void {
    if (schema.additionalProperties !== false)
      refuse(below(spot, 'additionalProperties'), `'additionalProperties' is required to be supplied and to be false.`)
    const names = isObject(schema.properties) ? Object.keys(schema.properties) : []
    const required = new Set(Array.isArray(schema.required) ? schema.required : [])
    const missing = names.find(name => !required.has(name))
    if (missing !== undefined)
      refuse(
        below(spot, 'required'),
        `'required' is required to be supplied and to be an array including every key in properties. Missing '${missing.slice(0, 100)}'.`,
      )
    const extra = [...required].find(name => typeof name !== 'string' || !names.includes(name))
    if (extra !== undefined)
      refuse(below(spot, 'required'), `'required' holds ${quoted(extra)}, which is not among the properties.`)
    this.properties += names.length
    if (this.properties > strictLimits.properties)
      refuse(this.root, `the schema has more than ${strictLimits.properties} properties.`)
    for (const name of names) {
      this.count(name.length)
      const value = isObject(schema.properties) ? schema.properties[name] : undefined
      this.schema(value, below(spot, 'properties', name), depth + 1)
    }
  }

  private parts(schema: { readonly [key: string]: Json }, spot: Spot, depth: number): void {
    for (const keyword of ['$defs', 'definitions']) {
      const definitions = schema[keyword]
      if (!isObject(definitions)) continue
      for (const [name, definition] of Object.entries(definitions)) {
        this.count(name.length)
        this.schema(definition, below(spot, keyword, name), depth)
      }
    }
    if (schema.items !== undefined) this.schema(schema.items, below(spot, 'items'), depth + 1)
    for (const [keyword, step] of [
      ['anyOf', 0],
      ['prefixItems', 1],
    ] as const) {
      const list = schema[keyword]
      if (!Array.isArray(list)) continue
      for (const [i, part] of list.entries()) this.schema(part, below(spot, keyword, i), depth + step)
    }
  }

  private constants(schema: { readonly [key: string]: Json }, spot: Spot): void {
    if (typeof schema.const === 'string') this.count(schema.const.length)
    const values = schema.enum
    if (!Array.isArray(values)) return
    this.enumValues += values.length
    if (this.enumValues > strictLimits.enumValues)
      refuse(
        below(spot, 'enum'),
        `expected at most ${strictLimits.enumValues} enum values in total within a single schema when using structured outputs.`,
      )
    const length = values.reduce((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0)
    this.count(length)
    if (values.length > strictLimits.longEnum && length > strictLimits.longEnumCharacters)
      refuse(
        below(spot, 'enum'),
        `a list of more than ${strictLimits.longEnum} values can have at most ${strictLimits.longEnumCharacters} characters.`,
      )
  }

  private count(characters: number): void {
    this.characters += characters
    if (this.characters > strictLimits.characters)
      refuse(this.root, `names and constant values have more than ${strictLimits.characters} characters together.`)
  }
}
