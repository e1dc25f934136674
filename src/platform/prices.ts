/**
 * Money is integers. A price is pico-dollars per token (USD per million tokens × 1,000,000, so six decimals are exact), a cost is
 * nano-dollars: a token at 0.15 USD per million costs exactly 150.
 */
export interface Price {
  inputPico: number
  cachedInputPico: number
  outputPico: number
}

export const free: Price = { inputPico: 0, cachedInputPico: 0, outputPico: 0 }

/** From USD per million tokens, as prices are written in `parlance.yaml`. */
export function priceOf(
  usd: { input: number; cached_input?: number | undefined; output?: number | undefined } | undefined,
): Price {
  if (usd === undefined) return free
  const pico = (amount: number) => Math.round(amount * 1_000_000)
  return {
    inputPico: pico(usd.input),
    cachedInputPico: pico(usd.cached_input ?? usd.input),
    outputPico: pico(usd.output ?? 0),
  }
}

/** Nano-dollars, rounded up once at the end, so that nothing that has a price is free. */
export function cost(price: Price, tokens: { input: number; cached: number; output: number }): number {
  const pico =
    BigInt(tokens.input - tokens.cached) * BigInt(price.inputPico) +
    BigInt(tokens.cached) * BigInt(price.cachedInputPico) +
    BigInt(tokens.output) * BigInt(price.outputPico)
  return Number((pico + 999n) / 1000n)
}
