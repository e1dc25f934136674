/**
 * Divides a whole number by weights, so that the parts sum to it: each gets its whole share, and what is left goes one by one to those
 * with the largest remainders. Weights that are all zero count as equal.
 */
export function shares(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((one, other) => one + other, 0)
  const exact = weights.map(weight => (sum === 0 ? total / weights.length : (total * weight) / sum))
  const parts = exact.map(Math.floor)
  const left = total - parts.reduce((one, other) => one + other, 0)
  const remainder = (place: number) => exact[place]! - parts[place]!
  const places = [...parts.keys()].sort((one, other) => remainder(other) - remainder(one)).slice(0, left)
  for (const place of places) parts[place]!++
  return parts
}
