import type { Call, Meter } from '../../engine.ts'

/** The parts of one call, each for one of its replies: they end together, and their meters add up to its own. */
export class ChoiceCalls {
  readonly parts: readonly Call[]
  readonly #controller = new AbortController()
  readonly #meter: Meter
  /** Of all parts together. */
  readonly #total = { input: 0, cached: 0, output: 0 }

  constructor(call: Call, count: number) {
    const { id, created, log, requestId, tenant, outputMax, seed, meter } = call
    const signal = AbortSignal.any([call.signal, this.#controller.signal])
    this.#meter = meter
    this.parts = Array.from({ length: count }, () => ({
      ...{ id, created, log, requestId, seed, signal }, // together they are one attempt: who asks notes it
      ...(tenant !== undefined && { tenant }),
      ...(outputMax !== undefined && { outputMax }),
      meter: this.#part(),
    }))
  }

  /** Ends those that still run. */
  abort(): void {
    this.#controller.abort()
  }

  #part(): Meter {
    const total = this.#total
    const spent = { input: 0, cached: 0, output: 0 }
    return {
      input: (tokens, cachedTokens = spent.cached) => {
        total.input += tokens - spent.input
        total.cached += cachedTokens - spent.cached
        spent.input = tokens
        spent.cached = cachedTokens
        if (total.cached > 0) this.#meter.input(total.input, total.cached)
        else this.#meter.input(total.input)
      },
      output: tokens => {
        total.output += tokens - spent.output
        spent.output = tokens
        this.#meter.output(total.output)
      },
    }
  }
}
