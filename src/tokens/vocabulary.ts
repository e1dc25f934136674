import { Characters } from './characters.ts'

/**
 * The tokens of one rank table: bytes by rank, and rank by bytes. Both directions are flat typed arrays, so that a table costs a few
 * megabytes and no objects, and a look-up neither allocates nor makes a string.
 *
 * Merging asks mostly for bytes that are no token, all over the table, so its speed is that of the processor's cache. The way back
 * is therefore an open hash table of one word per slot (the rank and 14 bits of the hash: nearly every miss ends here) beside two
 * words per rank: for a token of up to 7 bytes the bytes themselves and the length, which makes a hit exact without further
 * reading; for a longer one the hash and the length, confirmed by its bytes.
 */
export class Vocabulary {
  /** One more than the highest rank. */
  readonly size: number
  /** The longest token, in bytes. */
  readonly longestBytes: number
  /** Rank of every token of two bytes, by `first << 8 | second`; -1 where there is none. */
  readonly pairs: Int32Array
  /** Rank of every single byte. */
  readonly singles: Int32Array
  /** What a merge may start with. */
  readonly characters: Characters
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #offsets: Uint32Array
  /** `tag << 18 | rank + 1`; 0 where empty. */
  readonly #slots: Int32Array
  /** Two words by rank. */
  readonly #keys: Int32Array
  readonly #shift: number

  /**
   * @param bytes the bytes of all tokens, in order of rank, followed by at least `padding` more
   * @param offsets where each rank starts; one entry more than there are ranks. A rank without bytes does not exist
   */
  constructor(bytes: Uint8Array, offsets: Uint32Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#offsets = offsets
    this.size = offsets.length - 1
    if (this.size >= rankMask) throw new Error(`a table may have at most ${rankMask - 1} ranks`)
    let bits = 4
    while (1 << bits < this.size * 2) bits++
    this.#shift = 32 - bits
    this.#slots = new Int32Array(1 << bits)
    this.#keys = new Int32Array(this.size * 2)
    this.pairs = new Int32Array(0x10000).fill(-1)
    this.singles = new Int32Array(0x100).fill(-1)
    this.longestBytes = this.#index()
    this.characters = new Characters(this, bytes, offsets)
  }

  /** The bytes of a token, as a view that must not be written to; undefined when the rank does not exist. */
  bytesOf(rank: number): Uint8Array | undefined {
    const start = this.#offsets[rank]
    const end = this.#offsets[rank + 1]
    if (start === undefined || end === undefined || start === end) return undefined
    return this.#bytes.subarray(start, end)
  }

  /** The length of a token that exists, in bytes. */
  lengthOf(rank: number): number {
    return this.#keys[rank * 2 + 1]! >>> 24
  }

  /** The rank of the token that is exactly these bytes. */
  rankOf(bytes: Uint8Array): number | undefined {
    if (bytes.length === 0 || bytes.length > this.longestBytes) return undefined
    const padded = new Uint8Array(bytes.length + padding)
    padded.set(bytes)
    const rank = this.find(new DataView(padded.buffer), 0, bytes.length)
    return rank < 0 ? undefined : rank
  }

  /**
   * The rank of the token that is exactly these bytes, or -1.
   * @param view the text; readable for `padding` bytes past its end
   * @param length 1 to 255
   */
  find(view: DataView, start: number, length: number): number {
    let low = view.getInt32(start, true)
    let high = length << 24
    if (length <= 4) low &= lowMasks[length]!
    else if (length <= inlineMax) high |= view.getInt32(start + 4, true) & lowMasks[length - 4]!
    else high |= hashRest(view, start, length) & 0xffffff
    const slots = this.#slots
    const hash = hashOf(low, high)
    const tag = hash << tagShift
    let slot = hash >>> this.#shift
    for (;;) {
      const stored = slots[slot]!
      if (stored === 0) return -1
      if ((stored & tagMask) === tag) {
        const rank = (stored & rankMask) - 1
        if (
          this.#keys[rank * 2] === low &&
          this.#keys[rank * 2 + 1] === high &&
          (length <= inlineMax || this.#equals(rank, view, start, length))
        ) {
          return rank
        }
      }
      slot = (slot + 1) & (slots.length - 1)
    }
  }

  #equals(rank: number, view: DataView, start: number, length: number): boolean {
    const offset = this.#offsets[rank]!
    for (let i = 4; i < length; i += 4) {
      const differing = this.#view.getInt32(offset + i, true) ^ view.getInt32(start + i, true)
      if (differing !== 0 && (length - i >= 4 || (differing & lowMasks[length - i]!) !== 0)) return false
    }
    return true
  }

  /** Puts every token into its slot. Returns the greatest length. */
  #index(): number {
    // Private fields are read once: this loop is most of the time a table takes to load.
    const [slots, keys, view, offsets, bytes] = [this.#slots, this.#keys, this.#view, this.#offsets, this.#bytes]
    const shift = this.#shift
    const mask = slots.length - 1
    let longest = 0
    for (let rank = 0, start = 0; rank < this.size; rank++) {
      const end = offsets[rank + 1]!
      const length = end - start
      if (length === 0) continue
      if (length > longest) longest = length
      if (length === 1) this.singles[bytes[start]!] = rank
      if (length === 2) this.pairs[(bytes[start]! << 8) | bytes[start + 1]!] = rank
      let low = view.getInt32(start, true)
      let high = length << 24
      if (length <= 4) low &= lowMasks[length]!
      else if (length <= inlineMax) high |= view.getInt32(start + 4, true) & lowMasks[length - 4]!
      else high |= hashRest(view, start, length) & 0xffffff
      const hash = hashOf(low, high)
      let slot = hash >>> shift
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = (hash << tagShift) | (rank + 1)
      keys[rank * 2] = low
      keys[rank * 2 + 1] = high
      start = end
    }
    if (longest > 255) throw new Error('a token may have at most 255 bytes')
    return longest
  }
}

/** Bytes that must be readable after the end of every text and table, because words of four bytes are read. */
export const padding = 8

/** Tokens up to this many bytes are kept in their two words, with the length in the last byte. */
const inlineMax = 7

const rankMask = 0x3ffff
const tagMask = ~rankMask
const tagShift = 18

/** Keep the first n bytes of a little-endian word. */
const lowMasks = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1)

/** The high bits choose the slot, the low ones are the tag. */
function hashOf(low: number, high: number): number {
  let hash = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  return hash ^ (hash >>> 13)
}

/** A hash of everything after the first four bytes. */
function hashRest(view: DataView, start: number, length: number): number {
  let hash = length
  let i = 4
  for (; i + 4 <= length; i += 4) {
    hash = Math.imul(hash ^ view.getInt32(start + i, true), 0x5bd1e995)
    hash ^= hash >>> 15
  }
  if (i < length) {
    hash = Math.imul(hash ^ (view.getInt32(start + i, true) & lowMasks[length - i]!), 0x5bd1e995)
    hash ^= hash >>> 15
  }
  return hash
}
