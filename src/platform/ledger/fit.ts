import { costOf, type Price } from '../prices.ts'
import type { Intent, Worst } from './types.ts'

/** What is held for a request. */
export interface Fit {
  /** Nano-dollars. */
  costNano: number
  /** So many tokens for each choice; null: as the request says. */
  outputMax: number | null
}

/** What a request may come to at most, in money. */
export class Bill {
  readonly #price: Price
  readonly #worst: Worst
  readonly #choices: number
  /** Tokens for each choice. */
  readonly #outputEach: number
  /** Nobody says where the model stops: neither the request nor the model itself. */
  readonly #endless: boolean

  constructor(price: Price, worst: Worst, target: Intent['target']) {
    this.#price = price
    this.#worst = worst
    this.#choices = Math.max(1, worst.choices)
    const bound = outputBoundOf(target)
    this.#endless = worst.outputTokens === null && bound === undefined
    this.#outputEach =
      worst.outputTokens === null ? (bound ?? usualOutputMax) : Math.ceil(worst.outputTokens / this.#choices)
  }

  /** All that it may come to, if that fits. What costs nothing always fits. */
  whole(leftNano: number): Fit | undefined {
    const costNano = this.#cost(this.#worst.inputTokens, this.#outputEach)
    if (costNano > leftNano && costNano > 0) return undefined
    // Output that costs nothing may be endless.
    const isBound = this.#endless && costNano > this.#cost(this.#worst.inputTokens, 0)
    return { costNano, outputMax: isBound ? this.#outputEach : null }
  }

  /** Whether anything can fit at all, however little the input turns out to be: to be asked before it is counted. */
  hopeless(leftNano: number): boolean {
    return this.#cost(Math.min(1, this.#worst.inputTokens), Math.min(1, this.#outputEach)) > leftNano
  }

  /** With as much output as fits, at least a token for each choice. */
  clamped(leftNano: number): Fit | undefined {
    const cost = (each: number) => this.#cost(this.#worst.inputTokens, each)
    if (this.#outputEach < 1 || cost(1) > leftNano) return undefined
    let fits = 1
    let exceeds = this.#outputEach + 1
    while (exceeds - fits > 1) {
      const middle = Math.floor((fits + exceeds) / 2)
      if (cost(middle) <= leftNano) fits = middle
      else exceeds = middle
    }
    return { costNano: cost(fits), outputMax: fits }
  }

  /** The least that would have had to be left. */
  leastNano(): number {
    return this.#cost(this.#worst.inputTokens, Math.min(1, this.#outputEach))
  }

  #cost(input: number, outputEach: number): number {
    const use = { input, output: outputEach * this.#choices, quantity: this.#worst.quantity ?? null }
    const cost = costOf(this.#price, { ...use, cached: 0 })
    // A cache that costs more than it saves is a strange price, but it is the operator's.
    return this.#price.cachedInputPico > this.#price.inputPico
      ? Math.max(cost, costOf(this.#price, { ...use, cached: input }))
      : cost
  }
}

/** Of a model that does not say how much it generates at most. A request that may spend more has to say so. */
const usualOutputMax = 4096

function outputBoundOf(target: Intent['target']): number | undefined {
  return target.maxOutputTokens
}
