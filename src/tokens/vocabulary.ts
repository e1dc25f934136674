/**
 * The tokens of one rank table: bytes by rank, and rank by bytes. Both directions are flat typed arrays, so that a table costs a few
 * megabytes and no objects, and a look-up neither allocates nor makes a string.
 *
 * The way back is an open hash table of four words per slot: for a token of up to 8 bytes the bytes themselves, for a longer one
 * its first four bytes and a hash; then the rank and the length. A short look-up is therefore exact after one slot; a long one is
 * confirmed by its bytes.
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
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #offsets: Uint32Array
  readonly #slots: Int32Array
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
    let bits = 4
    while (1 << bits < this.size * 2) bits++
    this.#shift = 32 - bits
    this.#slots = new Int32Array(4 << bits)
    this.pairs = new Int32Array(0x10000).fill(-1)
    this.singles = new Int32Array(0x100).fill(-1)
    this.longestBytes = this.#index()
  }

  /** The bytes of a token, as a view that must not be written to; undefined when the rank does not exist. */
  bytesOf(rank: number): Uint8Array | undefined {
    const start = this.#offsets[rank]
    const end = this.#offsets[rank + 1]
    if (start === undefined || end === undefined || start === end) return undefined
    return this.#bytes.subarray(start, end)
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
   */
  find(view: DataView, start: number, length: number): number {
    let low = view.getInt32(start, true)
    let high = 0
    if (length <= 4) low &= lowMasks[length]!
    else if (length <= 8) high = view.getInt32(start + 4, true) & lowMasks[length - 4]!
    else high = hashRest(view, start, length)
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = slotOf(low, high, this.#shift)
    for (;;) {
      const stored = slots[slot + 3]!
      if (stored === 0) return -1
      if (stored === length && slots[slot] === low && slots[slot + 1] === high) {
        const rank = slots[slot + 2]!
        if (length <= 8 || this.#equals(rank, view, start, length)) return rank
      }
      slot = (slot + 4) & mask
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
    const [slots, view, offsets, bytes, shift] = [this.#slots, this.#view, this.#offsets, this.#bytes, this.#shift]
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
      let high = 0
      if (length <= 4) low &= lowMasks[length]!
      else if (length <= 8) high = view.getInt32(start + 4, true) & lowMasks[length - 4]!
      else high = hashRest(view, start, length)
      let slot = slotOf(low, high, shift)
      while (slots[slot + 3] !== 0) slot = (slot + 4) & mask
      slots[slot] = low
      slots[slot + 1] = high
      slots[slot + 2] = rank
      slots[slot + 3] = length
      start = end
    }
    return longest
  }
}

/** Bytes that must be readable after the end of every text and table, because words of four bytes are read. */
export const padding = 8

/** Where the search for a token starts. */
function slotOf(low: number, high: number, shift: number): number {
  return (Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> shift) << 2
}

/** Keep the first n bytes of a little-endian word. */
const lowMasks = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1)

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
