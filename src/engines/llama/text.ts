/**
 * From tokens to text that may be sent: whole characters only, and nothing of a stop sequence, also when both are split over tokens.
 */
export class ReplyText {
  readonly #pieces: Pieces
  readonly #stops: Stops

  /**
   * @param decode the text of tokens that follow one another; U+FFFD for bytes that are no character
   * @param before the last tokens of the prompt: some tokenizers write a token differently at the start of a text
   */
  constructor(decode: (tokens: number[]) => string, before: readonly number[], stop: readonly string[]) {
    this.#pieces = new Pieces(decode, before)
    this.#stops = new Stops(stop)
  }

  /** Takes the next token. `stopped` means that a stop sequence is complete: the text before it is all there is. */
  push(token: number): { text: string; stopped: boolean } {
    return this.#stops.push(this.#pieces.push(token))
  }

  /** What was held back, at the end of a reply that no stop sequence ended. Bytes that are no whole character are left out. */
  end(): string {
    const { text, stopped } = this.#stops.push(this.#pieces.end())
    return stopped ? text : text + this.#stops.held()
  }
}

const replacement = '\ufffd'
/** A character has at most 4 bytes, and a token at least one: after this many tokens the bytes are no character. */
const pendingMax = 4
const beforeMax = 4

/** Whole characters out of tokens that may end inside one. */
class Pieces {
  readonly #decode: (tokens: number[]) => string
  /** Tokens whose text is known, for the decoder's sake. */
  #before: number[]
  #beforeText: string
  #pending: number[] = []

  constructor(decode: (tokens: number[]) => string, before: readonly number[]) {
    this.#decode = decode
    this.#before = before.slice(-beforeMax)
    this.#beforeText = decode(this.#before)
  }

  push(token: number): string {
    this.#pending.push(token)
    const text = this.#text()
    if (text.endsWith(replacement) && this.#pending.length < pendingMax) return ''
    this.#before = [...this.#before, ...this.#pending].slice(-beforeMax)
    this.#beforeText = this.#decode(this.#before)
    this.#pending = []
    return text
  }

  end(): string {
    if (this.#pending.length === 0) return ''
    return this.#text().replace(/\ufffd+$/, '')
  }

  #text(): string {
    const whole = this.#decode([...this.#before, ...this.#pending])
    return whole.startsWith(this.#beforeText) ? whole.slice(this.#beforeText.length) : this.#decode(this.#pending)
  }
}

/** Finds stop sequences in a text that comes in pieces (Knuth, Morris and Pratt: constant work per character). */
class Stops {
  readonly #patterns: { text: string; failure: Uint16Array; matched: number }[]
  #held = ''

  constructor(stops: readonly string[]) {
    this.#patterns = stops.filter(stop => stop !== '').map(text => ({ text, failure: failureOf(text), matched: 0 }))
  }

  push(text: string): { text: string; stopped: boolean } {
    if (this.#patterns.length === 0) return { text, stopped: false }
    const before = this.#held.length
    const all = this.#held + text
    for (let at = before; at < all.length; at++) {
      const length = this.#step(all[at] as string)
      if (length > 0) return { text: all.slice(0, at + 1 - length), stopped: true }
    }
    const keep = Math.max(...this.#patterns.map(pattern => pattern.matched))
    this.#held = all.slice(all.length - keep)
    return { text: all.slice(0, all.length - keep), stopped: false }
  }

  /** The beginning of a stop sequence that never came to its end. */
  held(): string {
    const text = this.#held
    this.#held = ''
    return text
  }

  /** The length of the longest stop sequence that this character completes, or 0. */
  #step(character: string): number {
    let complete = 0
    for (const pattern of this.#patterns) {
      while (pattern.matched > 0 && pattern.text[pattern.matched] !== character)
        pattern.matched = pattern.failure[pattern.matched - 1] as number
      if (pattern.text[pattern.matched] === character) pattern.matched++
      if (pattern.matched === pattern.text.length) complete = Math.max(complete, pattern.matched)
    }
    return complete
  }
}

/** For each place the length of the longest proper prefix that ends there. */
function failureOf(text: string): Uint16Array {
  const failure = new Uint16Array(text.length)
  for (let at = 1, length = 0; at < text.length; at++) {
    while (length > 0 && text[at] !== text[length]) length = failure[length - 1] as number
    if (text[at] === text[length]) length++
    failure[at] = length
  }
  return failure
}
