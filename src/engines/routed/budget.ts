import type { Random } from '../../lib/random.ts'

const windowMs = 60_000
const parts = 6
const partMs = windowMs / parts

/** Retries in a minute: so many always, … */
export const retriesMin = 10
/** … and beyond them this part of the requests of that minute. */
export const retriesPart = 0.1

/** Keeps retries from making a bad hour worse: they are a small part of what was asked anyway. */
export class RetryBudget {
  readonly #requests = new Float64Array(parts)
  readonly #retries = new Float64Array(parts)
  #part = 0

  /** A request came in. */
  request(nowMs: number): void {
    this.#requests[this.#at(nowMs)]! += 1
  }

  /** Whether one more retry is within the budget; it is counted then. */
  take(nowMs: number): boolean {
    const place = this.#at(nowMs)
    if (sum(this.#retries) >= retriesMin + retriesPart * sum(this.#requests)) return false
    this.#retries[place]! += 1
    return true
  }

  #at(nowMs: number): number {
    const part = Math.floor(nowMs / partMs)
    if (part !== this.#part) {
      const first = Math.max(this.#part + 1, part - parts + 1)
      for (let gone = first; gone <= part; gone++) this.#requests[gone % parts] = this.#retries[gone % parts] = 0
      this.#part = part
    }
    return part % parts
  }
}

const sum = (counts: Float64Array): number => counts.reduce((total, count) => total + count, 0)

const pauseMs = { first: 250, longest: 2000 } as const

/** How long to wait before the round of that number, from 1: twice as long each time, and not the same for everybody. */
export function backOffMs(round: number, random: Random): number {
  const wholeMs = Math.min(pauseMs.longest, pauseMs.first * 2 ** (round - 1))
  return wholeMs * (0.5 + random.uint32() / 2 ** 33)
}
