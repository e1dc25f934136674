import { LongMerge } from './long-merge.ts'
import { mergeShort, shortMax } from './merge.ts'
import type { Splitter } from './split.ts'
import type { Utf8 } from './utf8.ts'
import type { Vocabulary } from './vocabulary.ts'

/**
 * One text on its way through the splitter and the merge. It can be left after any piece, and inside a long piece after any window,
 * so that a large text is done in slices; nothing is shared with other passes between two calls.
 */
export class Pass {
  /** The tokens found; `count` of them. The caller may set `count` back to 0 between two calls. */
  tokens: Int32Array = new Int32Array(1024)
  count = 0
  readonly #vocabulary: Vocabulary
  readonly #split: Splitter
  #text: Utf8
  #at = 0
  #long: LongMerge | undefined

  constructor(vocabulary: Vocabulary, split: Splitter, text: Utf8) {
    this.#vocabulary = vocabulary
    this.#split = split
    this.#text = text
  }

  /** Starts over with another text. */
  begin(text: Utf8): void {
    this.#text = text
    this.#at = 0
    this.#long = undefined
    this.count = 0
  }

  /**
   * Goes on for about so many bytes; one window of a long piece ends a slice, too.
   * @returns true when the text is done
   */
  advance(sliceBytes: number): boolean {
    const end = this.#text.length
    if (this.#long === undefined) this.#pieces(Math.min(this.#at + sliceBytes, end))
    else if (this.#long.step()) {
      const { tokens, count } = this.#long
      this.#reserve(count)
      this.tokens.set(tokens.subarray(0, count), this.count)
      this.count += count
      this.#at = this.#long.end
      this.#long = undefined
    }
    return this.#at === end
  }

  /** Lets go of an unusually large list of tokens. */
  trim(): void {
    if (this.tokens.length > keptTokens) this.tokens = new Int32Array(1024)
  }

  /** Pieces up to `stop` or up to the next long one. */
  #pieces(stop: number): void {
    const vocabulary = this.#vocabulary
    const split = this.#split
    const { bytes, view, length: end } = this.#text
    const longest = vocabulary.longestBytes
    let tokens = this.tokens
    let count = this.count
    let at = this.#at
    while (at < stop) {
      if (count + shortMax > tokens.length) {
        this.count = count
        tokens = this.#reserve(shortMax)
      }
      const next = split(bytes, at, end)
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

  #reserve(more: number): Int32Array {
    if (this.count + more > this.tokens.length) {
      const larger = new Int32Array(Math.max(this.count + more, this.tokens.length * 2))
      larger.set(this.tokens.subarray(0, this.count))
      this.tokens = larger
    }
    return this.tokens
  }
}

const keptTokens = 64 * 1024
