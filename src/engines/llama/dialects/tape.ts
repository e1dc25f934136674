/** A reader that runs until it needs text that is not there yet: then it yields, and goes on when more has come. */
export type Reading<T> = Generator<undefined, T, undefined>

/** The text read since the mark is no call. Thrown by readers, caught where they are started. */
export const malformed = new Error('not a call')

/** What is read but not yet believed, in characters. A longer beginning of a call is none. */
export const keptMax = 65_536

/** Generated text under a reader. Decisions stand on characters alone, never on where the pieces of the text end. */
export class Tape {
  #text = ''
  #at = 0
  #ended = false
  #kept: string | null = null

  feed(text: string): void {
    this.#text = this.#at === this.#text.length ? text : this.#text.slice(this.#at) + text
    this.#at = 0
  }

  finish(): void {
    this.#ended = true
  }

  get ended(): boolean {
    return this.#ended
  }

  /** All that is there and not read. */
  rest(): string {
    return this.#at === 0 ? this.#text : this.#text.slice(this.#at)
  }

  /** The next character, '' at the end of the text, undefined when it is not there yet. */
  peek(): string | undefined {
    return this.#text[this.#at] ?? (this.#ended ? '' : undefined)
  }

  /** Reads text that is there. @throws malformed when too much is kept */
  take(length: number): string {
    const text = this.#text.slice(this.#at, this.#at + length)
    this.#at += length
    if (this.#kept !== null) {
      this.#kept += text
      if (this.#kept.length > keptMax) throw malformed
    }
    return text
  }

  /** From here on, what is read can be had back. */
  mark(read = ''): void {
    this.#kept = read
  }

  /** What was read is believed. @returns it */
  release(): string {
    const kept = this.#kept ?? ''
    this.#kept = null
    return kept
  }
}

/** The next character, '' at the end. */
export function* next(tape: Tape): Reading<string> {
  for (;;) {
    const character = tape.peek()
    if (character !== undefined) return character
    yield
  }
}

/** Skips white space. @returns the character after it, '' at the end */
export function* space(tape: Tape): Reading<string> {
  for (;;) {
    const character = yield* next(tape)
    if (character === '' || character.trim() !== '') return character
    tape.take(1)
  }
}

/** Reads this text if it stands next. */
export function* literal(tape: Tape, text: string): Reading<boolean> {
  for (;;) {
    const rest = tape.rest()
    if (rest.startsWith(text)) {
      tape.take(text.length)
      return true
    }
    if (tape.ended || !text.startsWith(rest)) return false
    yield
  }
}

/** @throws malformed when something else stands next */
export function* expect(tape: Tape, text: string): Reading<void> {
  if (!(yield* literal(tape, text))) throw malformed
}

/** Reads a short text up to one of these markers, which stays unread. @throws malformed when none comes within `max` characters */
export function* upTo(tape: Tape, markers: Markers, max: number): Reading<string> {
  let text = ''
  const marker = yield* until(tape, markers, piece => {
    text += piece
    if (text.length > max) throw malformed
  })
  if (marker === null) throw malformed
  return text
}

/** Says everything before the first of the markers, as it comes. @returns the marker, still unread; null at the end of the text */
export function* until(tape: Tape, markers: Markers, say: (text: string) => void): Reading<string | null> {
  for (;;) {
    const rest = tape.rest()
    const found = markers.find(rest)
    const length = found?.at ?? rest.length - (tape.ended ? 0 : markers.begun(rest))
    if (length > 0) say(tape.take(length))
    if (found) return found.marker
    if (tape.ended) return null
    yield
  }
}

/** Texts to look out for. None may stand inside another: which one comes first would depend on what has arrived. */
export class Markers {
  readonly #texts: readonly string[]
  readonly #pattern: RegExp | null

  constructor(texts: readonly string[]) {
    for (const text of texts)
      if (text === '' || texts.some(other => other !== text && other.includes(text)))
        throw new Error(`the marker '${text}' is not clear`)
    this.#texts = texts
    this.#pattern = texts.length === 0 ? null : new RegExp(texts.map(RegExp.escape).join('|'))
  }

  find(text: string): { marker: string; at: number } | null {
    const match = this.#pattern?.exec(text)
    return match ? { marker: match[0], at: match.index } : null
  }

  /** The length of the longest beginning of a marker that the text ends with. */
  begun(text: string): number {
    let longest = 0
    for (const marker of this.#texts)
      for (let length = Math.min(marker.length - 1, text.length); length > longest; length--)
        if (text.endsWith(marker.slice(0, length))) longest = length
    return longest
  }
}
