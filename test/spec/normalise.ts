/**
 * Turns a schema of an OpenAPI file (3.0, or 3.1 with leftovers of 3.0) into JSON Schema 2020-12, without its prose:
 * `nullable: true` becomes a union with null, a boolean `exclusiveMinimum` takes the value of `minimum`, and `oneOf` becomes `anyOf`
 * because OpenAI's unions overlap.
 */
export type JsonSchema = { readonly [keyword: string]: unknown }

/** Throws on anything that is no schema, and on a keyword without a rule: it could be one that matters. */
export function normalise(schema: unknown): JsonSchema {
  if (!isObject(schema)) throw new TypeError(`Not a schema: ${JSON.stringify(schema)}`)
  const made: Record<string, unknown> = {}
  for (const [keyword, value] of Object.entries(schema)) {
    if (plainKeywords.has(keyword)) made[keyword] = value
    else if (keyword === 'oneOf' || keyword === 'anyOf') made.anyOf = each(value)
    else if (keyword === 'allOf') made.allOf = each(value)
    else if (keyword === 'properties' && isObject(value)) made.properties = mapped(value)
    else if (schemaKeywords.has(keyword)) made[keyword] = typeof value === 'boolean' ? value : normalise(value)
    else if (!handledBelow.has(keyword) && !prose.has(keyword) && !keyword.startsWith('x-')) {
      throw new TypeError(`No rule for the keyword '${keyword}'.`)
    }
  }
  exclusive(schema, made, 'exclusiveMinimum', 'minimum')
  exclusive(schema, made, 'exclusiveMaximum', 'maximum')
  return schema.nullable === true ? { anyOf: [made, { type: 'null' }] } : made
}

/** The names of the components that a schema refers to. */
export function references(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(references)
  if (!isObject(schema)) return []
  const inner = Object.values(schema).flatMap(references)
  if (typeof schema.$ref !== 'string') return inner
  const name = /^#\/components\/schemas\/(.+)$/.exec(schema.$ref)?.[1]
  if (name === undefined) throw new Error(`A reference to somewhere else: ${schema.$ref}`)
  return [name, ...inner]
}

const plainKeywords = new Set([
  ...[
    '$ref',
    'type',
    'enum',
    'const',
    'required',
    'pattern',
    'minLength',
    'maxLength',
    'minimum',
    'maximum',
    'multipleOf',
  ],
  ...['minItems', 'maxItems', 'uniqueItems', 'minProperties', 'maxProperties'],
])
const schemaKeywords = new Set(['items', 'additionalProperties', 'propertyNames', 'not'])
const handledBelow = new Set(['nullable', 'exclusiveMinimum', 'exclusiveMaximum'])
/** Says nothing that is checked. */
const prose = new Set([
  'description',
  'title',
  'example',
  'examples',
  'default',
  'deprecated',
  'format',
  'discriminator',
])

function each(value: unknown): JsonSchema[] {
  if (!Array.isArray(value)) throw new TypeError('A union without a list.')
  return value.map(normalise)
}

function mapped(properties: Record<string, unknown>): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, normalise(schema)]))
}

function exclusive(
  schema: Record<string, unknown>,
  made: Record<string, unknown>,
  keyword: 'exclusiveMinimum' | 'exclusiveMaximum',
  bound: 'minimum' | 'maximum',
): void {
  const value = schema[keyword]
  if (typeof value === 'number') made[keyword] = value
  if (value !== true) return
  made[keyword] = made[bound]
  delete made[bound]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
