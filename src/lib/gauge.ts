/** What counts against one limit now. Times are milliseconds of a clock that never goes back; amounts are whole numbers. */
export interface Gauge {
  used(nowMs: number): number
  take(nowMs: number, amount: number): void
  /** The request that took so much has ended, and really used so much. */
  settle(takenAtMs: number, nowMs: number, taken: number, used: number): void
  /** How long until at least so much has come back, as far as it is known. */
  waitMs(nowMs: number, amount: number): number
  /** How long until everything has come back. */
  resetMs(nowMs: number): number
}

/** Uses that are remembered one by one; beyond that they are put together. */
export const usesMax = 1024
/** The uses of one such part of a window are put together. */
const partsPerWindow = usesMax / 2
const usesAtFirst = 8

/**
 * What was used within the last window: uses by their time, as a ring. What was used comes back when it is one window old, so there
 * is no moment at which a window begins anew, and no span of its length sees more than the limit.
 *
 * When there are too many uses, those of each 512th of the window become one with the time of the last of them: capacity may then
 * come back up to that much later, never earlier.
 */
export class WindowGauge implements Gauge {
  readonly #windowMs: number
  #times = new Float64Array(usesAtFirst)
  #amounts = new Float64Array(usesAtFirst)
  #first = 0
  #count = 0
  #sum = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  used(nowMs: number): number {
    const times = this.#times
    const mask = times.length - 1
    const goneMs = nowMs - this.#windowMs
    while (this.#count > 0 && times[this.#first]! <= goneMs) {
      this.#sum -= this.#amounts[this.#first]!
      this.#first = (this.#first + 1) & mask
      this.#count--
    }
    return this.#sum
  }

  take(nowMs: number, amount: number): void {
    this.used(nowMs)
    if (amount === 0) return
    this.#sum += amount
    const last = (this.#first + this.#count - 1) & (this.#times.length - 1)
    if (this.#count > 0 && this.#times[last] === nowMs) {
      this.#amounts[last]! += amount
      return
    }
    if (this.#count === this.#times.length) this.#makeRoom()
    const next = (this.#first + this.#count) & (this.#times.length - 1)
    this.#times[next] = nowMs
    this.#amounts[next] = amount
    this.#count++
  }

  /** Less than was taken: the rest was never used. More: it was used by now. */
  settle(takenAtMs: number, nowMs: number, taken: number, used: number): void {
    if (used > taken) this.take(nowMs, used - taken)
    else if (used < taken) this.#giveBack(takenAtMs, nowMs, taken - used)
  }

  #giveBack(takenAtMs: number, nowMs: number, amount: number): void {
    this.used(nowMs)
    if (takenAtMs <= nowMs - this.#windowMs) return
    const mask = this.#times.length - 1
    this.#amounts[(this.#first + this.#rankOf(takenAtMs)) & mask]! -= amount
    this.#sum -= amount
    // So that the last use is one that still counts.
    while (this.#count > 0 && this.#amounts[(this.#first + this.#count - 1) & mask] === 0) this.#count--
  }

  waitMs(nowMs: number, amount: number): number {
    const mask = this.#times.length - 1
    let back = 0
    for (let rank = 0; rank < this.#count; rank++) {
      const place = (this.#first + rank) & mask
      back += this.#amounts[place]!
      if (back >= amount) return this.#times[place]! + this.#windowMs - nowMs
    }
    return this.#windowMs
  }

  resetMs(nowMs: number): number {
    if (this.#count === 0) return 0
    const last = (this.#first + this.#count - 1) & (this.#times.length - 1)
    return Math.max(0, this.#times[last]! + this.#windowMs - nowMs)
  }

  /** Which use holds what was taken then: the first that is not older. */
  #rankOf(atMs: number): number {
    const mask = this.#times.length - 1
    let low = 0
    let high = this.#count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#times[(this.#first + middle) & mask]! < atMs) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Twice the room, or half of the uses. */
  #makeRoom(): void {
    const size = this.#times.length
    const [times, amounts] = [this.#times, this.#amounts]
    const [first, count] = [this.#first, this.#count]
    const isFull = size === usesMax
    const partMs = isFull ? this.#windowMs / partsPerWindow : 0
    this.#times = new Float64Array(isFull ? size : size * 2)
    this.#amounts = new Float64Array(isFull ? size : size * 2)
    this.#first = 0
    let kept = -1
    let part = Number.NaN
    for (let rank = 0; rank < count; rank++) {
      const place = (first + rank) & (size - 1)
      const next = isFull ? Math.floor(times[place]! / partMs) : rank
      if (next !== part) kept++
      part = next
      this.#times[kept] = times[place]!
      this.#amounts[kept]! += amounts[place]!
    }
    this.#count = kept + 1
  }
}

/** How long whoever was one too many should wait: nobody knows when another request ends. */
const crowdWaitMs = 1000

/** What runs at this moment. */
export class CrowdGauge implements Gauge {
  #running = 0

  used(): number {
    return this.#running
  }

  take(_nowMs: number, amount: number): void {
    this.#running += amount
  }

  /** Whatever it used: it runs no more. */
  settle(_takenAtMs: number, _nowMs: number, taken: number): void {
    this.#running -= taken
  }

  waitMs(): number {
    return crowdWaitMs
  }

  resetMs(): number {
    return this.#running === 0 ? 0 : crowdWaitMs
  }
}
