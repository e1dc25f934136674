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
/** By part: rank of it joined with its right neighbour, shifted left to make room for its number; `none` where they do not join. */
const pairKeys = new Int32Array(shortMax + 1)
const partStarts = new Int32Array(shortMax + 2)
const partRanks = new Int32Array(shortMax + 1)

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
  let parts = end - start
  const { pairs, singles } = vocabulary
  for (let i = 0; i < parts; i++) {
    partStarts[i] = start + i
    partRanks[i] = singles[bytes[start + i]!]!
    const rank = i + 1 < parts ? pairs[(bytes[start + i]! << 8) | bytes[start + i + 1]!]! : -1
    pairKeys[i] = rank < 0 ? none : rank
  }
  partStarts[parts] = end
  for (;;) {
    let lowest = none
    let left = -1
    for (let i = 0; i < parts - 1; i++) {
      if (pairKeys[i]! < lowest) {
        lowest = pairKeys[i]!
        left = i
      }
    }
    if (left < 0) break
    parts--
    for (let i = left + 1; i < parts; i++) {
      partStarts[i] = partStarts[i + 1]!
      partRanks[i] = partRanks[i + 1]!
      pairKeys[i] = pairKeys[i + 1]!
    }
    partStarts[parts] = end
    partRanks[left] = lowest
    pairKeys[left] = left + 1 < parts ? keyOf(vocabulary, view, partStarts[left]!, partStarts[left + 2]!) : none
    if (left > 0) pairKeys[left - 1] = keyOf(vocabulary, view, partStarts[left - 1]!, partStarts[left + 1]!)
  }
  for (let i = 0; i < parts; i++) out[at + i] = partRanks[i]!
  return at + parts
}

function keyOf(vocabulary: Vocabulary, view: DataView, start: number, end: number): number {
  const length = end - start
  if (length > vocabulary.longestBytes) return none
  const rank = vocabulary.find(view, start, length)
  return rank < 0 ? none : rank
}
