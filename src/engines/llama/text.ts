import { Stops } from '../stops.ts'

/**
 * From tokens to text that may be sent: whole characters only, and nothing of a stop sequence, also when both are split over tokens.
 */
export class ReplyText {
  readonly #pieces: Pieces
  readonly #stops: Stops
  /** Characters (code points) decoded so far, sent or held back. */
  decoded = 0

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
    const text = this.#pieces.push(token)
    this.decoded += characters(text)
    return this.#stops.push(text)
  }

  /** What was held back, at the end of a reply that no stop sequence ended. Bytes that are no whole character are left out. */
  end(): string {
    const { text, stopped } = this.#stops.push(this.#pieces.end())
    return stopped ? text : text + this.#stops.held()
  }
}

/** How many characters (code points) a text has. */
export function characters(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

const replacement = '\ufffd'
const beforeMax = 4
/** Tokens in a row that each end inside a character; real text never has so many. */
const pendingMax = 32

/** Whole characters out of tokens that may end inside one. */
export class Pieces {
  readonly #decode: (tokens: number[]) => string
  /** Tokens whose text was given, for the decoder's sake. */
  #before: number[]
  #beforeText: string
  /** Tokens of which the last ends inside a character, and how much of their text was given. */
  #pending: number[] = []
  #given = 0

  constructor(decode: (tokens: number[]) => string, before: readonly number[]) {
    this.#decode = decode
    this.#before = before.slice(-beforeMax)
    this.#beforeText = decode(this.#before)
  }

  push(token: number): string {
    this.#pending.push(token)
    const text = this.#text()
    // The beginning of a character decodes to one U+FFFD, at the very end.
    const open = text.endsWith(replacement) && this.#pending.length < pendingMax
    const ready = text.slice(this.#given, open ? -1 : undefined)
    if (open) this.#given = text.length - 1
    else this.#settle()
    return ready
  }

  end(): string {
    const text = this.#pending.length === 0 ? '' : this.#text()
    return text.slice(this.#given, text.endsWith(replacement) ? -1 : undefined)
  }

  #settle(): void {
    this.#before = [...this.#before, ...this.#pending].slice(-beforeMax)
    this.#beforeText = this.#decode(this.#before)
    this.#pending = []
    this.#given = 0
  }

  #text(): string {
    const whole = this.#decode([...this.#before, ...this.#pending])
    return whole.startsWith(this.#beforeText) ? whole.slice(this.#beforeText.length) : this.#decode(this.#pending)
  }
}
