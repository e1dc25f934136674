import type { Log } from '../../lib/log.ts'
import type { Call, Meter } from '../engine.ts'
import type { Target } from './target.ts'

/**
 * What one target gets with a request. What it spends is kept until it answers: an attempt that failed is not billed, whatever it may
 * have told. The target's own count goes on all the same.
 */
export class Attempt implements Call, Meter {
  readonly target: Target
  /** It tries a target that failed before. */
  readonly isTrial: boolean
  readonly startedMs: number
  readonly #call: Call
  readonly #monotonic: () => number
  #input = 0
  #cached: number | undefined
  #output = 0
  #isBilled = false
  #isOpen = true

  constructor(call: Call, target: Target, monotonic: () => number) {
    this.#call = call
    this.#monotonic = monotonic
    this.target = target
    this.startedMs = monotonic()
    this.isTrial = target.enter(this.startedMs)
  }

  get id(): string {
    return this.#call.id
  }

  get created(): number {
    return this.#call.created
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  get log(): Log {
    return this.#call.log
  }

  get seed(): number {
    return this.#call.seed
  }

  get tenant(): string {
    return this.#call.tenant ?? ''
  }

  get outputMax(): number {
    return this.#call.outputMax ?? Number.POSITIVE_INFINITY
  }

  get meter(): Meter {
    return this
  }

  input(tokens: number, cachedTokens?: number): void {
    this.#spent(tokens - this.#input)
    this.#input = tokens
    if (cachedTokens !== undefined) this.#cached = cachedTokens
    if (this.#isBilled) this.#call.meter.input(tokens, cachedTokens)
  }

  output(tokens: number): void {
    this.#spent(tokens - this.#output)
    this.#output = tokens
    if (this.#isBilled) this.#call.meter.output(tokens)
  }

  /** From now on what is spent counts, with what was spent before. */
  bill(): void {
    if (this.#isBilled) return
    this.#isBilled = true
    if (this.#input > 0 || this.#cached !== undefined) this.#call.meter.input(this.#input, this.#cached)
    if (this.#output > 0) this.#call.meter.output(this.#output)
  }

  /** The reply is over, or there is none. Only the first call counts. */
  readonly end = (): void => {
    if (this.#isOpen) this.target.leave()
    this.#isOpen = false
  }

  /** A count that was corrected downwards stays as it was: it is about how much a target is asked, not about money. */
  #spent(more: number): void {
    if (more > 0) this.target.spent(more, this.#monotonic())
  }
}
