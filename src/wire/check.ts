/**
 * Checks values from outside against a schema and names the first fault as OpenAI does.
 *
 * A compiled check says yes or no in about a microsecond; only after a no does the walker look for the fault.
 */
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/schema'
import { fault } from '../lib/faults.ts'
import { firstProblem, shapeOf, unknownName } from './walk.ts'
import { pathText, toFault } from './wording.ts'

/**
 * Throws the fault of the first thing in `value` that does not fit `schema`: `missing_required_parameter`, `invalid_type`,
 * `invalid_value`, or a bound such as `integer_below_min_value`. `param` is the path: `messages[0].content`.
 */
export function check<Schema extends TSchema>(schema: Schema, value: unknown): asserts value is Static<Schema> {
  if (compiled(schema)(value)) return
  const problem = firstProblem(shapeOf(schema), value)
  throw problem === null
    ? fault.badRequest('The body of the request does not have the expected form.')
    : toFault(problem)
}

/** Whether `value` fits `schema`; for values whose faults nobody has to explain. */
export function fits<Schema extends TSchema>(schema: Schema, value: unknown): value is Static<Schema> {
  return compiled(schema)(value)
}

/** The names at the top of `value` that the schema does not have. */
export function unknownFields(schema: TSchema, value: object): string[] {
  const known = shapeOf(schema).properties ?? {}
  return Object.keys(value).filter(name => !Object.hasOwn(known, name))
}

/**
 * Throws `unknown_parameter` for the first name in `value`, at any depth, that the schema does not have: where nothing may pass that is
 * not understood, such as a misspelt `after` or a right that nobody may set.
 */
export function refuseUnknown(schema: TSchema, value: unknown): void {
  const path = unknownName(shapeOf(schema), value)
  if (path !== null) throw fault.unknownParameter(pathText(path))
}

const checks = new WeakMap<TSchema, (value: unknown) => boolean>()

/** Compiled at first use: about a millisecond for a large schema, and most schemas are never used by one process. */
export function compiled(schema: TSchema): (value: unknown) => boolean {
  let known = checks.get(schema)
  if (known === undefined) {
    const validator = Compile(schema)
    known = value => validator.Check(value)
    checks.set(schema, known)
  }
  return known
}
