import type { Log } from '../../lib/log.ts'

/** Tokens of a prompt and its reply; undefined: cannot be counted. */
export interface Spent {
  input: number | undefined
  output: number | undefined
}

/** A reply is looked at once in so long. */
const periodMs = 60_000
/** Counts that differ by less are taken for equal: what a server puts around a prompt is its own. */
const tolerance = { tokens: 16, part: 0.1 }

/**
 * Whether what an upstream reports of a model is what we would count: of one reply a minute, because counting is work, and nobody
 * waits for it.
 */
export class UsageComparison {
  readonly #name: string
  readonly #log: Log
  readonly #monotonic: () => number
  #nextMs = Number.NEGATIVE_INFINITY
  #detail: string | undefined

  constructor(name: string, log: Log, monotonic: () => number) {
    this.#name = name
    this.#log = log
    this.#monotonic = monotonic
  }

  /** How the last reply that was looked at differed; undefined: it did not. */
  get detail(): string | undefined {
    return this.#detail
  }

  /** Whether it is time to look at a reply; the next one then is a minute away. */
  isDue(): boolean {
    const nowMs = this.#monotonic()
    if (nowMs < this.#nextMs) return false
    this.#nextMs = nowMs + periodMs
    return true
  }

  compare(reported: { input: number; output: number }, counted: Spent, requestId: string | undefined): void {
    const { input = reported.input, output = reported.output } = counted
    if (!differ(reported.input, input) && !differ(reported.output, output)) {
      this.#detail = undefined
      return
    }
    this.#detail = `reports ${reported.input} + ${reported.output} tokens where we count ${input} + ${output}`
    this.#log.warn('upstream.usage_differs', {
      engine: this.#name,
      requestId,
      ...{ input: reported.input, inputCounted: input, output: reported.output, outputCounted: output },
    })
  }
}

const differ = (one: number, other: number): boolean =>
  Math.abs(one - other) > Math.max(tolerance.tokens, tolerance.part * Math.max(one, other))
