import { fault } from '../../../lib/faults.ts'

/** Where a schema stands in a request, and what its errors call it. */
export interface Place {
  /** E.g. `response_format.json_schema.schema` or `tools.0.function.parameters`. */
  readonly param: string
  /** E.g. `response_format 'answer'` or `function 'get_weather'`. */
  readonly subject: string
}

/** A point inside a schema. */
export interface Spot {
  readonly place: Place
  readonly path: readonly string[]
}

export const below = (spot: Spot, ...keys: readonly (string | number)[]): Spot => ({
  place: spot.place,
  path: [...spot.path, ...keys.map(String)],
})

/** Keys quoted in a message are cut to so many characters. */
const quotedMax = 100

/**
 * Refuses a schema, in OpenAI's words: `Invalid schema for response_format 'a': In context=('properties', 'b'), …`.
 * @throws fault.invalidValue, code `invalid_json_schema`, its `param` the path of the spot in the request
 */
export function refuse(spot: Spot, why: string): never {
  const { param, subject } = spot.place
  const context = spot.path.map(key => `'${key.slice(0, quotedMax)}'`).join(', ')
  const where = spot.path.map(key => `.${key.slice(0, quotedMax)}`).join('')
  throw fault.invalidValue(
    `${param}${where}`,
    `Invalid schema for ${subject}: In context=(${context}), ${why}`,
    'invalid_json_schema',
  )
}

/** A name or value of the request, as a message quotes it. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > quotedMax ? `${text.slice(0, quotedMax)}…` : text
}
