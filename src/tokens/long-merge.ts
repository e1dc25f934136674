import type { Vocabulary } from './vocabulary.ts'

/**
 * The merge of one long piece, window by window, in O(n log n) steps on every input and with working memory for a window only.
 *
 * It stands on one fact about byte-pair merging. Let a list of tokens be *settled* when the merge of each two neighbours' bytes gives
 * these two tokens again. Then the merge of all the bytes gives exactly this list: a first join across one of its borders would be
 * the lowest pair of the whole text, hence also of the two neighbours alone, where no such join happens. So the result for a
 * window, which is settled, may be continued at any of its borders by the result for the bytes from there on, provided that this
 * begins with the token that stood there: then the neighbours at the seam are ones of the first window.
 *
 * When it begins otherwise, the seam was too near to the end of the window: the window before is done again at double width, for the
 * rest of the piece. In the worst case the last window is the whole piece; every failure doubles the width, so the work of all of
 * them together is at most a few times that of the last.
 */
export class LongMerge {
  /** The tokens so far; final once `step` has said true. */
  tokens: Int32Array = new Int32Array(256)
  count = 0
  /** Windows merged so far and seams that had to be moved, counted for the tests. */
  windows = 0
  moved = 0
  readonly #vocabulary: Vocabulary
  readonly #bytes: Uint8Array
  readonly #view: DataView
  /** Where the piece ends. */
  readonly end: number
  #width: number
  /** Where the window under way starts, and the token that stood there in the window before; -1 in the first. */
  #start: number
  #expected = -1
  /** The windows before this one, to go back to: where each started, its first token's index and what it was expected to be. */
  readonly #seams: Seam[] = []

  constructor(
    vocabulary: Vocabulary,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    widthBytes = windowBytes,
  ) {
    this.#vocabulary = vocabulary
    this.#bytes = bytes
    this.#view = view
    this.#start = start
    this.end = end
    this.#width = widthBytes
  }

  /** Merges one window. @returns true when the piece is done */
  step(): boolean {
    if (this.#repeat()) return false
    const start = this.#start
    const end = Math.min(start + this.#width, this.end)
    const work = mergeHeap(this.#vocabulary, this.#bytes, this.#view, start, end)
    this.windows++
    if (this.#expected >= 0 && work.ranks[0] !== this.#expected) {
      const seam = this.#seams.pop()!
      this.moved++
      this.#start = seam.start
      this.#expected = seam.expected
      this.count = seam.count
      this.#width *= 2
      return false
    }
    const last = end === this.end
    // The last eighth of a window (four of the longest tokens in the usual one) only serves to let the seam settle.
    const border = last ? end : end - (this.#width >> 3)
    const count = this.count
    let at = start
    while (at < border) {
      const next = start + work.next[at - start]!
      // A token has to be left to be met again.
      if (next === end && !last) break
      if (this.count === this.tokens.length) this.tokens = grown(this.tokens)
      this.tokens[this.count++] = work.ranks[at - start]!
      at = next
    }
    if (last) return true
    if (at === start) {
      this.#width *= 2
      return false
    }
    this.#seams.push({ start, width: this.#width, count, expected: this.#expected })
    this.#start = at
    this.#expected = work.ranks[at - start]!
    return false
  }

  /** Copies the window before when this one has the same bytes, as in a run of one character. @returns true when it did */
  #repeat(): boolean {
    const before = this.#seams.at(-1)
    const start = this.#start
    const width = this.#width
    if (before === undefined || before.width !== width || start + width >= this.end) return false
    if (this.tokens[before.count] !== this.#expected) return false
    const bytes = this.#bytes
    const same = Buffer.compare(
      bytes.subarray(before.start, before.start + width),
      bytes.subarray(start, start + width),
    )
    if (same !== 0) return false
    const count = this.count
    const more = count - before.count
    while (count + more > this.tokens.length) this.tokens = grown(this.tokens)
    this.tokens.copyWithin(count, before.count, count)
    this.count += more
    this.#seams.push({ start, width, count, expected: this.#expected })
    this.#start += start - before.start
    return true
  }
}

interface Seam {
  start: number
  width: number
  count: number
  expected: number
}

/** Wide enough that the overlap costs little, small enough that a window's lists stay in the processor's cache. */
export const windowBytes = 4096

function grown(list: Int32Array): Int32Array {
  const larger = new Int32Array(list.length * 2)
  larger.set(list)
  return larger
}

/** A linked list of parts by the offset of their first byte, and a heap of the pairs that join. */
interface Work {
  /** Rank of the part that starts here. */
  ranks: Int32Array
  /** Where the part after this one starts. */
  next: Int32Array
  previous: Int32Array
  /** Rank of this part joined with the next one; -1 where they do not join or no part starts here. */
  joined: Int32Array
  /** `rank * 2^32 + offset`: the lowest pair first, the leftmost among equals. */
  heap: Float64Array
}

function newWork(capacity: number): Work {
  return {
    ranks: new Int32Array(capacity),
    next: new Int32Array(capacity),
    previous: new Int32Array(capacity),
    joined: new Int32Array(capacity),
    // Each part gives a pair at first, and each of the fewer joins at most two more, after taking one out.
    heap: new Float64Array(capacity * 2 + 2),
  }
}

/** The lists of the usual window are kept; a wider one has its own. */
const usual = newWork(windowBytes)

/**
 * Merges the bytes; walk `next` from 0 for the parts.
 * @returns lists that are valid until the next call
 */
function mergeHeap(vocabulary: Vocabulary, bytes: Uint8Array, view: DataView, start: number, end: number): Work {
  const length = end - start
  const work = length <= windowBytes ? usual : newWork(length)
  const { ranks, next, previous, joined, heap } = work
  const { longestBytes } = vocabulary
  link(work, vocabulary.characters.parts(bytes, start, end, previous, joined), start, length)
  let size = 0
  for (let left = 0; next[left]! < length; left = next[left]!) {
    const rank = vocabulary.find(view, start + left, next[next[left]!]! - left)
    joined[left] = rank
    if (rank >= 0) size = push(heap, size, rank * 0x100000000 + left)
  }
  while (size > 0) {
    const key = heap[0]!
    size = pop(heap, size)
    const rank = Math.floor(key / 0x100000000)
    const left = key - rank * 0x100000000
    if (joined[left] !== rank) continue
    const right = next[left]!
    const after = next[right]!
    ranks[left] = rank
    next[left] = after
    joined[right] = -1
    joined[left] = -1
    if (after < length) {
      previous[after] = left
      const width = next[after]! - left
      const above = width <= longestBytes ? vocabulary.find(view, start + left, width) : -1
      joined[left] = above
      if (above >= 0) size = push(heap, size, above * 0x100000000 + left)
    }
    if (left > 0) {
      const before = previous[left]!
      const width = after - before
      const above = width <= longestBytes ? vocabulary.find(view, start + before, width) : -1
      joined[before] = above
      if (above >= 0) size = push(heap, size, above * 0x100000000 + before)
    }
  }
  return work
}

/** Turns the parts, given as starts in `previous` and ranks in `joined`, into the linked list. */
function link(work: Work, count: number, start: number, length: number): void {
  const { ranks, next, previous, joined } = work
  // `next` and `ranks` first: a part is never written before it is read, as it starts at or after its number.
  for (let i = 0; i < count; i++) {
    const at = previous[i]! - start
    ranks[at] = joined[i]!
    next[at] = i + 1 < count ? previous[i + 1]! - start : length
  }
  joined.fill(-1, 0, length)
  for (let at = 0, before = -1; at < length; before = at, at = next[at]!) previous[at] = before
}

/** A heap with four children per node: half the levels of one with two. Returns the new size. */
function push(heap: Float64Array, size: number, key: number): number {
  let at = size
  while (at > 0) {
    const parent = (at - 1) >> 2
    if (heap[parent]! <= key) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = key
  return size + 1
}

function pop(heap: Float64Array, size: number): number {
  const last = size - 1
  const key = heap[last]!
  let at = 0
  for (;;) {
    const first = at * 4 + 1
    if (first >= last) break
    let least = first
    const end = first + 4 < last ? first + 4 : last
    for (let child = first + 1; child < end; child++) if (heap[child]! < heap[least]!) least = child
    if (heap[least]! >= key) break
    heap[at] = heap[least]!
    at = least
  }
  heap[at] = key
  return last
}
