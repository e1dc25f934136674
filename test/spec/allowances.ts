/** Where OpenAI's servers answer what OpenAI's schemas do not have, and so do we. Each entry with its reason. */
import type { JsonSchema } from './normalise.ts'
import type { Era } from './validate.ts'

export interface Allowance {
  eras: readonly Era[]
  schema: string
  /** The place in the schema. */
  at: readonly string[]
  /** What is accepted there besides. */
  also: JsonSchema
  reason: string
}

export const allowances: readonly Allowance[] = []
