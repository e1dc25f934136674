import type { UsageUnit } from '../../store/schema/money.ts'
import type { UsdPrice } from './usd.ts'

/**
 * Money is integers. A price is pico-dollars per token (USD per million tokens × 1,000,000, so six decimals are exact), a cost is
 * nano-dollars: a token at 0.15 USD per million costs exactly 150.
 */
export interface Price {
  readonly inputPico: number
  readonly cachedInputPico: number
  readonly outputPico: number
  /** What is counted in tokens has no price: the three above are 0 and mean nothing. */
  readonly tokenless?: true
  /** What is not counted in tokens, by its unit. What is not here has no price. */
  readonly units?: Readonly<Partial<Record<UsageUnit, UnitPrice>>>
}

interface UnitPrice {
  /** So many of the unit cost so much. */
  readonly per: number
  /** Pico-dollars, by variant; `any` for all that are not named. */
  readonly pico: Readonly<Record<string, number>>
}

/** What is not counted in tokens. */
interface Quantity {
  unit: UsageUnit
  amount: number
  /** Of what: an image's size and quality, such as `1024x1024 hd`. */
  variant?: string | null
}

export interface Use {
  input: number
  /** How many of the input tokens came from a cache. */
  cached: number
  output: number
  quantity?: Quantity | null
}

const anyVariant = 'any'
const usualQuality = / standard$/
const flat = (per: number, usd: number, picoPerUsd = 1e12): UnitPrice => ({
  per,
  pico: { [anyVariant]: Math.round(usd * picoPerUsd) },
})

const nothing = flat(1, 0)

/** What runs on this machine costs nothing until somebody says so. */
export const free: Price = {
  inputPico: 0,
  cachedInputPico: 0,
  outputPico: 0,
  units: {
    images: nothing,
    milliseconds: nothing,
    characters: nothing,
    bytes: nothing,
    sessions: nothing,
    calls: nothing,
  },
}

/** From USD, as prices are written. */
export function priceOf(usd: UsdPrice): Price {
  const pico = (amount: number) => Math.round(amount * 1_000_000)
  const { input = 0, output = 0, cached_input: cached = input } = usd
  const units = unitsOf(usd)
  return {
    inputPico: pico(input),
    cachedInputPico: pico(cached),
    outputPico: pico(output),
    ...(usd.input === undefined && { tokenless: true }),
    ...(Object.keys(units).length > 0 && { units }),
  }
}

function unitsOf(usd: UsdPrice): Partial<Record<UsageUnit, UnitPrice>> {
  const { image, audio_second: second, audio_minute: minute, speech, storage_gb_day: storage } = usd
  return {
    ...(image !== undefined && { images: { per: 1, pico: byVariant(image) } }),
    ...(second !== undefined && { milliseconds: flat(1000, second) }),
    ...(minute !== undefined && { milliseconds: flat(60_000, minute) }),
    ...(speech !== undefined && { characters: flat(1_000_000, speech) }),
    ...(storage !== undefined && { bytes: flat(1e9, storage) }),
    ...(usd.code_session !== undefined && { sessions: flat(1, usd.code_session) }),
    ...(usd.call !== undefined && { calls: flat(1, usd.call) }),
  }
}

const byVariant = (usd: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(usd).map(([name, amount]) => [name.replace(usualQuality, ''), Math.round(amount * 1e12)]),
  )

/** Whether this has a price at all. Null: what is counted in tokens. */
export function covers(price: Price, quantity: Pick<Quantity, 'unit' | 'variant'> | null): boolean {
  if (quantity === null) return price.tokenless !== true
  return unitPico(price.units?.[quantity.unit], quantity.variant) !== undefined
}

/**
 * Nano-dollars, rounded up once at the end, so that nothing that has a price is free. What has no price (see `covers`) adds nothing:
 * it was refused before.
 */
export function costOf(price: Price, { input, cached, output, quantity = null }: Use): number {
  const unit = quantity === null ? undefined : price.units?.[quantity.unit]
  const pico = quantity === null ? 0 : (unitPico(unit, quantity.variant) ?? 0)
  const fromCache = Math.min(cached, input)
  const { inputPico, cachedInputPico, outputPico } = price
  const tokens = (input - fromCache) * inputPico + fromCache * cachedInputPico + output * outputPico
  if (pico === 0 && tokens <= Number.MAX_SAFE_INTEGER)
    return (tokens - (tokens % 1000)) / 1000 + (tokens % 1000 > 0 ? 1 : 0)
  const exact =
    BigInt(input - fromCache) * BigInt(inputPico) +
    BigInt(fromCache) * BigInt(cachedInputPico) +
    BigInt(output) * BigInt(outputPico)
  const per = BigInt(unit?.per ?? 1)
  const total = exact * per + BigInt(Math.ceil(quantity?.amount ?? 0)) * BigInt(pico)
  const nano = 1000n * per
  return Number((total + nano - 1n) / nano)
}

function unitPico(unit: UnitPrice | undefined, variant: string | null | undefined): number | undefined {
  if (unit === undefined) return undefined
  const name = variant?.replace(usualQuality, '') ?? anyVariant
  return Object.hasOwn(unit.pico, name) ? unit.pico[name] : unit.pico[anyVariant]
}
