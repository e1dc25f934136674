import type { Random } from '../../lib/random.ts'
import { preferred } from './sticky.ts'

export const policyNames = ['priority', 'weighted', 'latency', 'cost'] as const
export type PolicyName = (typeof policyNames)[number]

/** What a choice can go by. */
export interface Choosable {
  readonly weight: number
  /** USD per million tokens of a usual request; undefined: nobody said. */
  readonly costUsd: number | undefined
  /** For conversations. */
  readonly hash: number
  /** Requests that run there. */
  readonly running: number
  /** Until the reply begins, as it was lately; undefined: nobody asked yet. */
  latencyMs(streamed: boolean): number | undefined
}

/** What is known of the request. */
export interface Chosen {
  readonly streamed: boolean
  /** Undefined where its target does not matter, or it has no prefix. */
  readonly conversation: number | undefined
}

/** Picks one of those that may be asked; they come in the order of the settings, and at least one is there. */
export type Policy = <Item extends Choosable>(items: readonly [Item, ...Item[]], chosen: Chosen, random: Random) => Item

export const policies: Readonly<Record<PolicyName, Policy>> = {
  priority: ([first]) => first,
  weighted: (items, { conversation }, random) =>
    conversation === undefined ? drawn(items, random) : preferred(items, conversation),
  latency: fastest,
  cost: ([first, ...others]) =>
    others.reduce((best, item) => ((item.costUsd ?? Infinity) < (best.costUsd ?? Infinity) ? item : best), first),
}

/** One of them, as often as its weight says. Where all weights are 0: the first. */
function drawn<Item extends Choosable>(items: readonly [Item, ...Item[]], random: Random): Item {
  if (items.length === 1) return items[0]
  let total = 0
  for (const { weight } of items) total += weight
  let left = (random.uint32() / 2 ** 32) * total
  for (const item of items) {
    left -= item.weight
    if (left < 0) return item
  }
  return items[0]
}

/** Every so manieth request asks somebody else, so that what was slow once is known when it is fast again. */
const exploredEvery = 20

function fastest<Item extends Choosable>(
  items: readonly [Item, ...Item[]],
  { streamed }: Chosen,
  random: Random,
): Item {
  let best = items[0]
  if (items.length === 1) return best
  for (const item of items) if (isFaster(item, best, streamed)) best = item
  if (random.uint32() % exploredEvery !== 0) return best
  const others = items.filter(item => item !== best)
  return others[random.uint32() % others.length] ?? best
}

/** Nobody knows how fast those are that were not asked yet: they come first, the one with the fewest requests before others. */
function isFaster(item: Choosable, best: Choosable, streamed: boolean): boolean {
  const ms = item.latencyMs(streamed)
  const bestMs = best.latencyMs(streamed)
  if (ms === undefined) return bestMs !== undefined || item.running < best.running
  return bestMs !== undefined && ms < bestMs
}
