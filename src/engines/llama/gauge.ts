import type { NativeOdds, NativeSampler, NativeSampling } from './native.ts'

/** How likely a token was, and which were the likeliest at its place, best first. */
export interface Measure {
  readonly logprob: number
  readonly top: readonly { readonly token: number; readonly logprob: number }[]
}

/** OpenAI's number for "very unlikely"; JSON has no infinity. */
export const leastLogprob = -9999

/** Tokens looked at in any case: a sampled token is nearly always among them, which saves looking for it. */
const lookedAt = 20
/** How far a token is lifted to be found, and in which steps: beyond 87 a probability leaves the range of a float. */
const lift = { step: 60, max: 600 } as const

/**
 * Reads logprobs off the logits of a decoded place: of the model itself over its whole vocabulary, before any setting of the request.
 * The addon does not hand out logits, but probabilities after a sampler's filters. So the likeliest token is sampled without filters,
 * which gives its probability; the k likeliest are sampled apart, which gives their ratios; and a token that is not among them is
 * lifted by a known bias until it is.
 */
export class Gauge {
  readonly #context: NativeOdds
  readonly #count: number
  readonly #total: NativeSampler
  readonly #best: NativeSampler
  readonly #make: () => NativeSampler
  #lifted: NativeSampler | undefined

  /** @param count of the likeliest tokens that are told */
  constructor(context: NativeOdds, count: number, make: () => NativeSampler) {
    this.#context = context
    this.#count = count
    this.#make = make
    this.#total = make()
    this.#total.applyConfig({ seed: 0 })
    this.#best = make()
    this.#best.applyConfig(ratios(Math.max(count, lookedAt)))
  }

  /** @param logits where the addon has the logits, as `addToBatch` told */
  async measure(logits: number, token: number): Promise<Measure> {
    const [, , confidence = 0] = await this.#context.sampleToken(logits, this.#total, false, true)
    const best = Math.log(confidence)
    const found = pairs(await this.#context.sampleToken(logits, this.#best, true, false))
    const first = found[0]?.logprob ?? 0
    const likeliest = found.map(one => ({ token: one.token, logprob: finite(best + one.logprob - first) }))
    const known = likeliest.find(one => one.token === token)
    const logprob = known?.logprob ?? finite(best + (await this.#below(logits, token)))
    return { logprob, top: likeliest.slice(0, this.#count) }
  }

  dispose(): void {
    for (const sampler of [this.#total, this.#best, this.#lifted]) sampler?.dispose()
  }

  /** How far the logit of a token lies below the best one, as a negative number. */
  async #below(logits: number, token: number): Promise<number> {
    this.#lifted ??= this.#make()
    for (let bias = lift.step; bias <= lift.max; bias += lift.step) {
      this.#lifted.applyConfig({
        ...ratios(2),
        tokenBiasKeys: Uint32Array.of(token),
        tokenBiasValues: Float32Array.of(bias),
      })
      const [first, second] = pairs(await this.#context.sampleToken(logits, this.#lifted, true, false))
      if (first?.token === token && second !== undefined) return first.logprob - second.logprob - bias
    }
    return Number.NEGATIVE_INFINITY
  }
}

/** Keeps the k likeliest tokens as they are. */
const ratios = (topK: number): NativeSampling => ({ temperature: 1, topK, seed: 0 })

function pairs([, flat = []]: [number, number[]?, number?]): { token: number; logprob: number }[] {
  return Array.from({ length: flat.length / 2 }, (_, i) => ({
    token: flat[2 * i] as number,
    logprob: Math.log(flat[2 * i + 1] as number),
  }))
}

const finite = (logprob: number) => (logprob >= leastLogprob ? logprob : leastLogprob)
