import type { Meter } from '../../engines/engine.ts'
import type { UsageUnit } from '../../store/schema/money.ts'

/** What is not counted in tokens: so many of `unit`. */
export interface Quantity {
  unit: UsageUnit
  amount: number
  /** Of what: an image's size and quality, such as `1024x1024 hd`. */
  variant: string | null
}

/** A meter that can be read. */
export interface Reading extends Meter {
  readonly total: Readonly<{ input: number; cached: number; output: number }>
  /** What was made that is not counted in tokens; null: nothing. */
  readonly made: Quantity | null
  /** So much was made so far. */
  quantity(made: Quantity): void
}

export function makeMeter(): Reading {
  const total = { input: 0, cached: 0, output: 0 }
  let made: Quantity | null = null
  return {
    total,
    get made() {
      return made
    },
    input(tokens, cachedTokens = 0) {
      total.input = tokens
      total.cached = Math.min(cachedTokens, tokens)
    },
    output(tokens) {
      total.output = tokens
    },
    quantity(soFar) {
      made = soFar
    },
  }
}
