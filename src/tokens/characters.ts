import type { Vocabulary } from './vocabulary.ts'

/**
 * The parts a merge may start with. It is defined on bytes, but most of its joins only put characters together; starting with whole
 * characters saves two thirds of the work on Chinese text. A character may start whole when that cannot change the result:
 *
 * 1. The merge of its bytes alone gives one token, and the highest rank joined on the way is below that of every longer token that
 *    holds the character. So while it is incomplete, one of its own joins is always before any join that needs it complete.
 * 2. No token takes a part of it together with a part of its neighbour, here: at neither border. Such tokens exist, but few; they
 *    are kept by the last byte before and the first two bytes after the border.
 *
 * Then a merge from bytes makes the same other joins in the same order: would the merge from characters make an earlier one first,
 * that one would need a character that is still incomplete in the merge from bytes, which by (1) has a join of its own yet before.
 */
export class Characters {
  readonly #vocabulary: Vocabulary
  readonly #bytes: Uint8Array
  readonly #offsets: Uint32Array
  /** Rank of each character of two or three bytes that satisfies (1), else -1. Made when first needed: some milliseconds. */
  readonly #whole = new Int32Array(0x10000).fill(-1)
  /** The highest rank joined on the way to each. */
  readonly #highest = new Int32Array(0x10000)
  /** How many ranks were read; every one is read twice. */
  #learned = 0
  /** The borders of (2), one bit each. */
  readonly #borders = new Uint32Array((classesBefore << 12) >> 5)

  /** @param bytes the bytes of all tokens, by rank from `offsets[rank]` to `offsets[rank + 1]` */
  constructor(vocabulary: Vocabulary, bytes: Uint8Array, offsets: Uint32Array) {
    this.#vocabulary = vocabulary
    this.#bytes = bytes
    this.#offsets = offsets
  }

  /**
   * The parts to start with. The bytes may begin or end inside a character.
   * @param starts receives where each part starts; room for one per byte
   * @param ranks receives the rank of each part
   * @returns the number of parts
   */
  parts(bytes: Uint8Array, start: number, end: number, starts: Int32Array, ranks: Int32Array): number {
    const singles = this.#vocabulary.singles
    const toLearn = 2 * (this.#offsets.length - 1)
    let count = 0
    /** Whether the border at `at` is one of (2), where that is known already. */
    let shared: boolean | undefined = false
    for (let at = start; at < end; ) {
      const lead = bytes[at]!
      const size = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
      const next = at + size
      if (size === 1 || next > end) {
        starts[count] = at
        ranks[count++] = singles[lead]!
        at++
        shared = undefined
        continue
      }
      if (this.#learned < toLearn) this.prepare()
      const before: boolean = shared ?? this.#isShared(bytes, at)
      shared = next < end && this.#isShared(bytes, next)
      const rank = before || shared || size === 4 ? -1 : this.#whole[pointAt(bytes, at, size)]!
      if (rank >= 0) {
        starts[count] = at
        ranks[count++] = rank
        at = next
      }
      for (; at < next; at++) {
        starts[count] = at
        ranks[count++] = singles[bytes[at]!]!
      }
    }
    return count
  }

  /**
   * Finds the characters of (1) and the borders of (2) in the table, now instead of with the first text that needs them.
   * @param ranksMax how many ranks to read at a time
   * @returns true when all is known
   */
  prepare(ranksMax = Number.POSITIVE_INFINITY): boolean {
    const count = this.#offsets.length - 1
    const stop = Math.min(this.#learned + ranksMax, 2 * count)
    // First all characters, then what longer tokens do with them.
    this.#learnCharacters(Math.min(this.#learned, count), Math.min(stop, count))
    this.#learnLonger(Math.max(this.#learned - count, 0), stop - count)
    this.#learned = stop
    return stop === 2 * count
  }

  /** True when some token has parts of both characters at this border. */
  #isShared(bytes: Uint8Array, at: number): boolean {
    const index = borderOf(bytes[at - 1]!, bytes[at]!, bytes[at + 1]!)
    return ((this.#borders[index >> 5]! >>> (index & 31)) & 1) === 1
  }

  #learnCharacters(from: number, to: number): void {
    const [bytes, offsets] = [this.#bytes, this.#offsets]
    for (let rank = from; rank < to; rank++) {
      const start = offsets[rank]!
      const size = offsets[rank + 1]! - start
      if (size < 2 || size > 3 || characterSize(bytes, start, start + size) !== size) continue
      const joined = this.#highestJoin(start, size, rank)
      if (joined < 0) continue
      const point = pointAt(bytes, start, size)
      this.#whole[point] = rank
      this.#highest[point] = joined
    }
  }

  #learnLonger(from: number, to: number): void {
    const [bytes, offsets, highest] = [this.#bytes, this.#offsets, this.#highest]
    for (let rank = from; rank < to; rank++) {
      const start = offsets[rank]!
      const end = offsets[rank + 1]!
      for (let at = start; at < end; ) {
        if (bytes[at]! < 0x80) {
          at++
          continue
        }
        const size = characterSize(bytes, at, end)
        if (size === 0) at = this.#learnPart(start, at, end)
        else {
          const isInside = size < 4 && size < end - start
          if (isInside && highest[pointAt(bytes, at, size)]! >= rank) this.#whole[pointAt(bytes, at, size)] = -1
          at += size
        }
      }
    }
  }

  /** A part of a character inside a token: a border at either end of it that lies inside the token is shared. Returns its end. */
  #learnPart(start: number, at: number, end: number): number {
    let after = at + 1
    while (after < end && (this.#bytes[after]! & 0xc0) === 0x80) after++
    if (at > start) this.#share(at, end)
    if (after < end) this.#share(after, end)
    return after
  }

  /** The highest rank joined on the way from the bytes of a character to its token; -1 when they do not get there. */
  #highestJoin(start: number, size: number, rank: number): number {
    if (size === 2) return rank
    const bytes = this.#bytes
    const { pairs } = this.#vocabulary
    const first = pairs[(bytes[start]! << 8) | bytes[start + 1]!]!
    const second = pairs[(bytes[start + 1]! << 8) | bytes[start + 2]!]!
    if (first < 0 && second < 0) return -1
    const joined = first < 0 ? second : second < 0 ? first : Math.min(first, second)
    return Math.max(joined, rank)
  }

  #share(at: number, end: number): void {
    const bytes = this.#bytes
    const isOpen = at + 1 >= end || bytes[at]! < 0x80
    for (let second = 0; second < 64; second++) {
      if (!isOpen && second !== (bytes[at + 1]! & 0x3f)) continue
      const index = borderOf(bytes[at - 1]!, bytes[at]!, second)
      this.#borders[index >> 5]! |= 1 << (index & 31)
    }
  }
}

/** How many bytes the whole character here has; 0 when only a part of one is here. */
function characterSize(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!
  if (lead < 0x80) return 1
  if (lead < 0xc2) return 0
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  if (at + size > end) return 0
  for (let i = 1; i < size; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0
  return size
}

/** The code point of a character of two or three bytes. */
function pointAt(bytes: Uint8Array, at: number, size: number): number {
  if (size === 2) return ((bytes[at]! & 0x1f) << 6) | (bytes[at + 1]! & 0x3f)
  return ((bytes[at]! & 0x0f) << 12) | ((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f)
}

const classesBefore = 66

/** ASCII before or after a border is rare enough to be taken together. */
function borderOf(last: number, first: number, second: number): number {
  const before = last >= 0x80 ? last & 0x3f : last === 0x20 ? 64 : 65
  const after = first < 0x80 ? 0 : first & 0x3f
  return (before << 12) | (after << 6) | (second & 0x3f)
}
