/** Finds stop sequences in a text that comes in pieces, and holds back what may be the beginning of one (Knuth, Morris and Pratt: constant work per character). */
export class Stops {
  readonly #patterns: { text: string; failure: Uint16Array; matched: number }[]
  #held = ''

  constructor(stops: readonly string[]) {
    this.#patterns = stops.filter(stop => stop !== '').map(text => ({ text, failure: failureOf(text), matched: 0 }))
  }

  /** Takes the next piece. `stopped` means that a stop sequence is complete: the text before it is all there is. */
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
