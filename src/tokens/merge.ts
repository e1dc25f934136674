import type { Vocabulary } from './vocabulary.ts'

/**
 * Byte-pair merging: of all neighbouring parts whose joined bytes are a token, the pair of the lowest rank is joined first, the
 * leftmost among equals, until none is left. Here in three sizes, all with the same answer:
 * - `mergeShort`, for a few dozen bytes: looks for the lowest pair by reading all of them;
 * - `mergeHeap`, for any length: a heap of pairs over a linked list, O(n log n);
 * - `LongMerge`, for a piece of any length in bounded steps of work and, but for the tokens, bounded memory.
 */

/** Pieces up to this many bytes go to `mergeShort`. */
export const shortMax = 64

const none = 0x7fffffff
/** By part: the rank of it joined with its right neighbour; `none` where they do not join, and for the last. */
const joined = new Int32Array(shortMax)
const starts = new Int32Array(shortMax + 1)
const ranks = new Int32Array(shortMax)

/**
 * Writes the ranks of 1 to `shortMax` bytes to `out` from `at` on, which needs room for one per byte.
 * @returns where in `out` the next rank goes
 */
export function mergeShort(
  vocabulary: Vocabulary,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  out: Int32Array,
  at: number,
): number {
  const { pairs } = vocabulary
  let parts = vocabulary.characters.parts(bytes, start, end, starts, ranks)
  starts[parts] = end
  for (let i = 0; i + 1 < parts; i++) {
    const size = starts[i + 2]! - starts[i]!
    const rank =
      size === 2 ? pairs[(bytes[starts[i]!]! << 8) | bytes[starts[i]! + 1]!]! : vocabulary.find(view, starts[i]!, size)
    joined[i] = rank < 0 ? none : rank
  }
  joined[parts - 1] = none
  for (;;) {
    let lowest = none
    let left = 0
    for (let i = 0; i < parts; i++) {
      const rank = joined[i]!
      if (rank < lowest) {
        lowest = rank
        left = i
      }
    }
    if (lowest === none) break
    parts--
    ranks[left] = lowest
    for (let i = left + 1; i < parts; i++) {
      starts[i] = starts[i + 1]!
      ranks[i] = ranks[i + 1]!
      joined[i] = joined[i + 1]!
    }
    starts[parts] = end
    joined[left] = left + 1 < parts ? joinedRank(vocabulary, view, starts[left]!, starts[left + 2]!) : none
    if (left > 0) joined[left - 1] = joinedRank(vocabulary, view, starts[left - 1]!, starts[left + 1]!)
  }
  for (let i = 0; i < parts; i++) out[at + i] = ranks[i]!
  return at + parts
}

function joinedRank(vocabulary: Vocabulary, view: DataView, start: number, end: number): number {
  const rank = vocabulary.find(view, start, end - start)
  return rank < 0 ? none : rank
}
