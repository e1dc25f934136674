/** A seeded source of chance: the same seed gives the same training data on every machine. */
export class Chance {
  #a: number
  #b = 0x9e3779b9
  #c = 0x243f6a88
  #d = 1

  constructor(seed: number) {
    this.#a = seed >>> 0
    for (let i = 0; i < 16; i++) this.#word()
  }

  /** A number in [0, 1). */
  next(): number {
    return this.#word() / 2 ** 32
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  /** True with the given probability. */
  maybe(probability: number): boolean {
    return this.next() < probability
  }

  /** One element of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    const value = list[Math.floor(this.next() * list.length)]
    if (value === undefined) throw new RangeError('pick from an empty list')
    return value
  }

  /** `count` different elements, or all of them in chance order when there are fewer. */
  sample<T>(list: readonly T[], count: number): T[] {
    const chosen = new Set<T>()
    const wanted = Math.min(count, list.length)
    for (let tries = 0; chosen.size < wanted && tries < 50 * wanted; tries++) chosen.add(this.pick(list))
    return [...chosen]
  }

  /** One key, drawn by weight. */
  weighted<T>(table: readonly (readonly [T, number])[]): T {
    let at = this.next() * table.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [value, weight] of table) {
      at -= weight
      if (at < 0) return value
    }
    const last = table.at(-1)
    if (!last) throw new RangeError('draw from an empty table')
    return last[0]
  }

  shuffle<T>(list: readonly T[]): T[] {
    const out = [...list]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.between(0, i)
      const held = out[i]
      const other = out[j]
      if (held === undefined || other === undefined) continue
      out[i] = other
      out[j] = held
    }
    return out
  }

  /** sfc32. */
  #word(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t
    this.#c |= 0
    return t >>> 0
  }
}

/** FNV-1a over UTF-16 units: decides which names are held out of the training. */
export function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0
  h ^= h >>> 15
  return Math.imul(h, 0x2c1b3c6d) >>> 0
}
