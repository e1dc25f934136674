import type { Price } from './price.ts'

/** What is taken off for lines of batches, as OpenAI does. */
export const usualBatchDiscount = 0.5

/** Prices that were lowered, so that each is computed once. A price goes with its model, and its lowered one with it. */
export type Lowered = (price: Price) => Price

/** @param discount 0 to 1. Each amount is rounded up to whole pico-dollars, so that nothing that has a price is free unless the discount is all of it. */
export function loweredBy(discount: number): Lowered {
  const known = new WeakMap<Price, Price>()
  const lower = (pico: number) => Math.ceil(pico * (1 - discount))
  return price => {
    const found = known.get(price)
    if (found !== undefined) return found
    const { inputPico, cachedInputPico, outputPico, units } = price
    const lowered: Price = {
      ...price,
      ...{ inputPico: lower(inputPico), cachedInputPico: lower(cachedInputPico), outputPico: lower(outputPico) },
      ...(units && { units: Object.fromEntries(Object.entries(units).map(([unit, one]) => [unit, each(one, lower)])) }),
    }
    known.set(price, lowered)
    return lowered
  }
}

const each = (unit: { per: number; pico: Readonly<Record<string, number>> }, lower: (pico: number) => number) => ({
  per: unit.per,
  pico: Object.fromEntries(Object.entries(unit.pico).map(([variant, pico]) => [variant, lower(pico)])),
})
