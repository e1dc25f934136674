import { Emitter } from './emit.ts'
import { Budget } from './limits.ts'
import { SchemaReader } from './nodes.ts'
import { Rules } from './rules.ts'
import { Shapes } from './shapes.ts'
import type { Place } from './spot.ts'

export interface Grammar {
  /** GBNF; it starts with the rule `root`. */
  readonly text: string
  /** The work it took, in units well under a microsecond. */
  readonly steps: number
}

/**
 * A grammar whose texts are JSON values that satisfy a JSON Schema (2020-12, and `items` lists, `definitions` and boolean
 * `exclusiveMinimum` of older drafts).
 *
 * It never admits a value that the schema refuses; it may admit fewer than the schema does:
 * - properties come in the order of the schema; further ones after them, and none unless `additionalProperties` allows them or the
 *   schema lists no property at all;
 * - numbers have at most 15 digits before and after the point, in bounds no exponent; strings of a pattern, an enumeration or a key
 *   have one spelling; the only white space is one space after a colon or a comma;
 * - `oneOf` is read as `anyOf`: what fits two of its schemas is admitted, the one exception from the above.
 *
 * @throws fault.invalidValue with code `invalid_json_schema` and the path of the keyword, for everything that is broken, unsupported,
 * contradictory, or too costly to enforce
 */
export function schemaToGrammar(schema: unknown, place: Place): Grammar {
  const budget = new Budget()
  const spot = { place, path: [] }
  const reader = new SchemaReader(schema, place, budget)
  const rules = new Rules(budget)
  const root = new Emitter(new Shapes(budget), rules, spot).value([reader.root()])
  return { text: rules.text(root, spot), steps: budget.spent }
}

/** Any JSON object: for `response_format: { type: 'json_object' }`. */
export const jsonGrammar: Grammar = schemaToGrammar(
  { type: 'object' },
  { param: 'response_format', subject: "response_format 'json_object'" },
)
