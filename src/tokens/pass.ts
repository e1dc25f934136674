import { LongMerge } from './longMerge.ts'
import { mergeShort, shortMax } from './merge.ts'
import type { Splitter } from './split.ts'
import { padding, type Vocabulary } from './vocabulary.ts'

/**
 * One text on its way through the splitter and the merge. It can be left after any piece, and inside a long piece after any window,
 * so that a large text is done in slices; nothing is shared with other passes between two calls.
 */
export class Pass {
  /** The tokens found; `count` of them. The caller may set `count` back to 0 between two calls. */
  tokens: Int32Array
  count = 0
  readonly #vocabulary: Vocabulary
  readonly #split: Splitter
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #end: number
  #at = 0
  #long: LongMerge | undefined

  /**
   * @param bytes well-formed UTF-8 and `padding` more bytes
   * @param end the length of the text in bytes
   */
  constructor(vocabulary: Vocabulary, split: Splitter, bytes: Uint8Array, end: number) {
    this.#vocabulary = vocabulary
    this.#split = split
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, end + padding)
    this.#end = end
    // A first guess; four bytes a token is usual for text.
    this.tokens = new Int32Array((end >> 2) + 2 * shortMax)
  }

  /**
   * Goes on for about so many bytes.
   * @returns true when the text is done
   */
  advance(sliceBytes: number): boolean {
    const stop = Math.min(this.#at + sliceBytes, this.#end)
    while (this.#at < stop) {
      if (this.#long === undefined) this.#pieces(stop)
      // Every window is at least half of a slice's usual work, so one of them ends the slice.
      else return this.#window() && this.#at >= this.#end
    }
    return this.#at >= this.#end && this.#long === undefined
  }

  /** Pieces up to `stop` or the next long one. */
  #pieces(stop: number): void {
    const vocabulary = this.#vocabulary
    const bytes = this.#bytes
    const view = this.#view
    const split = this.#split
    const longest = vocabulary.longestBytes
    let tokens = this.tokens
    let count = this.count
    let at = this.#at
    while (at < stop) {
      if (count + shortMax > tokens.length) tokens = this.#grow(count)
      const next = split(bytes, at, this.#end)
      const length = next - at
      const rank = length <= longest ? vocabulary.find(view, at, length) : -1
      if (rank >= 0) tokens[count++] = rank
      else if (length <= shortMax) count = mergeShort(vocabulary, bytes, view, at, next, tokens, count)
      else {
        this.#long = new LongMerge(vocabulary, bytes, view, at, next)
        break
      }
      at = next
    }
    this.count = count
    this.#at = at
  }
}
