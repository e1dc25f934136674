import { refuse, type Spot } from './spot.ts'

/** What one grammar may cost. OpenAI's own limits for strict schemas (`strict.ts`) fit well inside. */
export const limits = {
  /** Objects and arrays of the schema document inside one another. */
  depth: 100,
  /** Schemas inside one another when references are followed. */
  references: 500,
  /** JSON values in the schema document. */
  values: 60_000,
  /** Characters of all its strings and keys together. */
  characters: 400_000,
  /** Combinations of `anyOf`, `oneOf` and `allOf` that one place can stand for. */
  alternatives: 1_000,
  /** Properties of one object that may be left out. */
  optionalProperties: 256,
  /** Readings of a text that llama.cpp would have to follow at once. */
  readings: 1_000,
  patternCharacters: 2_000,
  patternGroupDepth: 32,
  /** States of the automaton of one pattern, format, range or list of values. */
  states: 3_000,
  /** Units of work, each well under a microsecond. */
  steps: 150_000,
  /** Characters of the finished text. llama.cpp reads it again for every reply. */
  grammarCharacters: 512 * 1024,
} as const

/** Work that one grammar still may cost. */
export class Budget {
  spent = 0
  private readonly steps: number

  constructor(steps: number = limits.steps) {
    this.steps = steps
  }

  /** @throws fault.invalidValue when the work is more than a request may cost */
  spend(steps: number, spot: Spot): void {
    this.spent += steps
    if (this.spent > this.steps) refuse(spot, 'the schema is too complex to be enforced.')
  }
}
