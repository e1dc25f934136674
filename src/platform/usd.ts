import { fault } from '../lib/faults.ts'

/** Amounts from outside end here: what is above could not be kept as nano-dollars within ±2^53. */
export const usdMax = 9_000_000

/**
 * Dollars for a reply. Made from the digits of the integer, so that it is the number nearest to the exact amount and no sum of
 * fractions comes in between.
 */
export const usdOf = (nano: bigint | number): number => decimal(BigInt(nano), 9)

/** The same in cents. */
export const centsOf = (nano: bigint | number): number => decimal(BigInt(nano), 7)

/**
 * Nano-dollars of an amount in a request, from the digits in which it was written.
 * @param usd 0 to `usdMax`
 * @throws Fault 400 for a fraction of a nano-dollar: nothing is rounded in silence
 */
export function nanoOf(usd: number, param: string): number {
  const written = usd < 1e-6 ? usd.toFixed(18).replace(/\.?0+$/, '') : String(usd)
  const [whole = '', fraction = ''] = written.split('.')
  if (fraction.length > 9)
    throw fault.invalidValue(param, `Invalid '${param}': an amount in dollars has at most nine decimals.`)
  return Number(whole + fraction.padEnd(9, '0'))
}

function decimal(amount: bigint, decimals: number): number {
  const digits = String(amount < 0n ? -amount : amount).padStart(decimals + 1, '0')
  return Number(`${amount < 0n ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`)
}
