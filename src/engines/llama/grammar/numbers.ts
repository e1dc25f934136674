import { type Automaton, Draft, type Range } from './automaton.ts'
import type { Budget } from './limits.ts'
import { refuse, type Spot } from './spot.ts'

/** A decimal number, exactly: `units` / 10^`scale`. */
export interface Decimal {
  readonly units: bigint
  readonly scale: number
}

export interface NumberRange {
  readonly integer: boolean
  readonly min?: { readonly value: Decimal; readonly exclusive: boolean }
  readonly max?: { readonly value: Decimal; readonly exclusive: boolean }
  /** All of them must divide the number; each is above zero. */
  readonly multiplesOf: readonly Decimal[]
}

/** Digits before and after the point that a model may write where the schema sets no end. */
const integerDigits = 15
const fractionDigits = 15
/** Digits of a bound before its point. */
const boundDigitsMax = 30
const multipleMax = 100_000n

/** The number as JSON writes it, exactly. */
export function decimal(value: number): Decimal {
  const [mantissa = '0', exponent = '0'] = String(value).split('e')
  const [whole = '0', fraction = ''] = mantissa.split('.')
  const scale = fraction.length - Number(exponent)
  const units = BigInt(whole + fraction)
  return scale >= 0 ? { units, scale } : { units: units * 10n ** BigInt(-scale), scale: 0 }
}

/**
 * All numbers of the range, written without exponent. Every accepted text lies in the range also as a double: rounding keeps the order,
 * and where a bound itself is excluded no more digits are allowed than a double can tell apart.
 *
 * @returns undefined when the range is empty
 * @throws fault.invalidValue for bounds and divisors too large to be enforced exactly
 */
export function numberAutomaton(range: NumberRange, budget: Budget, spot: Spot): Automaton | undefined {
  const multiple = commonMultiple(range.multiplesOf, spot)
  const scale = digitsAfterPoint(range, multiple, spot)
  const divisor = multiple === undefined ? 1n : multiple.units * 10n ** BigInt(scale - multiple.scale)
  if (multiple !== undefined && multiple.units > multipleMax)
    refuse(spot, `a 'multipleOf' of so many digits cannot be enforced.`)
  const min = lowest(range.min, scale)
  const max = highest(range.max, scale)
  const draft = new Draft(budget, spot)
  const start = draft.state()
  const writer = new DigitWriter(draft, scale, divisor)
  const low = min === undefined || min < 0n ? 0n : min
  if (max === undefined || max >= low) writer.write(start, low, max)
  const smallest = max === undefined || max > -1n ? 1n : -max
  if (min === undefined || -min >= smallest) {
    const negative = draft.state()
    draft.move(start, [[0x2d, 0x2d]], negative)
    writer.write(negative, smallest, min === undefined ? undefined : -min)
  }
  return draft.determined()
}

function lowest(bound: NumberRange['min'], scale: number): bigint | undefined {
  if (bound === undefined) return undefined
  const { whole, exact } = scaled(bound.value, scale)
  return exact && !bound.exclusive ? whole : whole + 1n
}

function highest(bound: NumberRange['max'], scale: number): bigint | undefined {
  if (bound === undefined) return undefined
  const { whole, exact } = scaled(bound.value, scale)
  return exact && bound.exclusive ? whole - 1n : whole
}

/** In units of 10^-scale, rounded down. */
function scaled({ units, scale: own }: Decimal, scale: number): { whole: bigint; exact: boolean } {
  if (own <= scale) return { whole: units * 10n ** BigInt(scale - own), exact: true }
  const factor = 10n ** BigInt(own - scale)
  const whole = units / factor
  const exact = whole * factor === units
  return { whole: !exact && units < 0n ? whole - 1n : whole, exact }
}

function digitsAfterPoint(range: NumberRange, multiple: Decimal | undefined, spot: Spot): number {
  const bounds = [range.min, range.max].filter(bound => bound !== undefined)
  for (const { value, exclusive } of bounds) {
    const digits = wholeDigits(value)
    if (digits > boundDigitsMax || value.scale > 400) refuse(spot, 'a bound of so many digits cannot be enforced.')
    if (exclusive && digits > integerDigits) refuse(spot, 'an excluded bound of so many digits cannot be enforced.')
  }
  if (multiple !== undefined) return multiple.scale
  if (range.integer) return 0
  const told = bounds.filter(({ value, exclusive }) => exclusive && value.units !== 0n)
  return Math.min(fractionDigits, ...told.map(({ value }) => integerDigits - Math.max(1, wholeDigits(value))))
}

function wholeDigits({ units, scale }: Decimal): number {
  const digits = String(units < 0n ? -units : units).length - scale
  return Math.max(0, digits)
}

function commonMultiple(multiples: readonly Decimal[], spot: Spot): Decimal | undefined {
  const scale = Math.max(0, ...multiples.map(multiple => multiple.scale))
  if (scale > fractionDigits) refuse(spot, `a 'multipleOf' of so many digits cannot be enforced.`)
  let common: bigint | undefined
  for (const multiple of multiples) {
    const units = multiple.units * 10n ** BigInt(scale - multiple.scale)
    common = common === undefined ? units : (common / divisorOf(common, units)) * units
    if (common > 10n ** 40n) refuse(spot, `a 'multipleOf' of so many digits cannot be enforced.`)
  }
  return common === undefined ? undefined : { units: common, scale }
}

function divisorOf(a: bigint, b: bigint): bigint {
  return b === 0n ? a : divisorOf(b, a % b)
}

const zeroCode = 0x30
const point: Range[] = [[0x2e, 0x2e]]

interface Position {
  /** Digits still to come, those after the point included. */
  rest: number
  /** The digits so far are those of the bound. */
  atLow: boolean
  atHigh: boolean
  /** Of the digits so far, divided by the divisor. */
  remainder: number
}

interface Counted {
  digits: number
  remainder: number
}

/** Writes the digits of whole numbers of a range, in units of 10^-scale, with a point before the last `scale` of them. */
class DigitWriter {
  private readonly draft: Draft
  private readonly scale: number
  private readonly divisor: bigint
  private known = new Map<string, number>()
  private low = ''
  private high = ''
  /** So many whole digits at the end decide about all factors of two and five in the divisor. */
  private readonly tail: number

  constructor(draft: Draft, scale: number, divisor: bigint) {
    this.draft = draft
    this.scale = scale
    this.divisor = divisor
    let tail = 0
    while (this.modulus(scale + tail) !== this.modulus(scale + tail + 1)) tail++
    this.tail = tail
  }

  /** `low` is 0 or more; without `high` numbers end at the usual count of digits. */
  write(from: number, low: bigint, high: bigint | undefined): void {
    const { scale } = this
    const most = Math.max(integerDigits, String(low).length - scale)
    const last = high ?? 10n ** BigInt(most + scale) - 1n
    this.known = new Map()
    this.low = String(low).padStart(scale + 1, '0')
    this.high = String(last).padStart(scale + 1, '0')
    const shortest = this.low.length
    const longest = this.high.length
    // Leading zeros are not JSON: where there is more than one digit before the point, the first is none.
    const first = (length: number) => (length > scale + 1 ? 1 : 0)
    const start = { rest: shortest, atLow: true, atHigh: shortest === longest, remainder: 0 }
    this.digits(from, start, first(shortest))
    if (longest === shortest) return
    this.digits(from, { rest: longest, atLow: false, atHigh: true, remainder: 0 }, first(longest))
    for (let length = shortest + 1; length < longest && length <= scale + this.tail; length++)
      this.digits(from, { rest: length, atLow: false, atHigh: false, remainder: 0 }, 1)
    const free: [number, number] = [Math.max(shortest + 1 - scale - this.tail, 1), longest - 1 - scale - this.tail]
    this.between(from, { digits: 0, remainder: 0 }, free)
  }

  /** Numbers with so many digits before the last `tail` whole ones, none of them near a bound: counted from the left. */
  private between(from: number, { digits, remainder }: Counted, lengths: readonly [number, number]): void {
    const [shortest, longest] = lengths
    const rest = this.scale + this.tail
    if (digits >= shortest && digits <= longest)
      this.draft.jump(from, this.state({ rest, atLow: false, atHigh: false, remainder }))
    if (digits >= longest) return
    for (let digit = digits === 0 ? 1 : 0; digit <= 9; digit++) {
      const next: Counted = { digits: digits + 1, remainder: this.following(remainder, digit, rest) }
      const key = `${next.digits} ${next.remainder}`
      const known = this.known.get(key)
      const to = known ?? this.draft.state()
      this.draft.move(from, [[zeroCode + digit, zeroCode + digit]], to)
      if (known !== undefined) continue
      this.known.set(key, to)
      this.between(to, next, lengths)
    }
  }

  /** The remainder after one more digit, as far as it still matters when at least `rest` digits follow. */
  private following(remainder: number, digit: number, rest: number): number {
    if (this.divisor === 1n) return 0
    return Number(BigInt(remainder * 10 + digit) % this.modulus(rest))
  }

  /** Zeros that follow bring their own factors of two and five. */
  private modulus(rest: number): bigint {
    return this.divisor / divisorOf(this.divisor, 10n ** BigInt(rest))
  }

  private digits(from: number, { rest, atLow, atHigh, remainder }: Position, first: number): void {
    const low = Math.max(first, atLow ? Number(this.low.at(-rest)) : 0)
    const high = atHigh ? Number(this.high.at(-rest)) : 9
    for (let digit = low; digit <= high; digit++) {
      const next: Position = {
        rest: rest - 1,
        atLow: atLow && digit === Number(this.low.at(-rest)),
        atHigh: atHigh && digit === high,
        remainder: this.following(remainder, digit, rest - 1),
      }
      this.draft.move(from, [[zeroCode + digit, zeroCode + digit]], this.state(next))
    }
  }

  private state(position: Position): number {
    const { rest, atLow, atHigh, remainder } = position
    const key = `${rest} ${atLow} ${atHigh} ${remainder}`
    const known = this.known.get(key)
    if (known !== undefined) return known
    const state = this.draft.state()
    this.known.set(key, state)
    if (rest <= this.scale && this.mayEnd(position)) this.draft.ends.add(state)
    if (rest === 0) return state
    if (rest !== this.scale) {
      this.digits(state, position, 0)
      return state
    }
    const fraction = this.draft.state()
    this.draft.move(state, point, fraction)
    this.digits(fraction, position, 0)
    return state
  }

  /** Whether zeros in place of the digits that are left out keep the number in the range. */
  private mayEnd({ rest, atLow, remainder }: Position): boolean {
    if (atLow && rest > 0 && /[1-9]/.test(this.low.slice(-rest))) return false
    return this.divisor === 1n || (BigInt(remainder) * 10n ** BigInt(rest)) % this.divisor === 0n
  }
}
