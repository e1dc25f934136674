import { setImmediate } from 'node:timers/promises'
import { fault } from '../lib/faults.ts'
import { definitionOf, type EncodingName } from './definitions.ts'
import { Pass } from './pass.ts'
import { type SpecialOptions, Specials } from './special.ts'
import type { Splitter } from './split.ts'
import { toUtf8, toUtf8InSlices } from './utf8.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Options of the calls that give way to other work. */
export interface SliceOptions extends SpecialOptions {
  signal?: AbortSignal
}

/**
 * A byte-pair encoding with tiktoken's tokens for every text. The work is O(n log n) for a text of n bytes, whatever it holds.
 *
 * Text without special options is plain text throughout (tiktoken's `encode_ordinary`); `encode` treats special tokens as
 * tiktoken's `encode` does.
 */
export class Encoding {
  readonly name: EncodingName
  /** Names and numbers of the special tokens. */
  readonly specialTokens: ReadonlyMap<string, number>
  /** One more than the highest token. */
  readonly size: number
  readonly #split: Splitter
  readonly #vocabulary: Vocabulary
  readonly #specials: Specials
  /** Serves one synchronous call after another. */
  readonly #pass: Pass

  constructor(name: EncodingName, vocabulary: Vocabulary) {
    this.name = name
    const definition = definitionOf(name)
    this.#split = definition.split
    this.#vocabulary = vocabulary
    this.#specials = new Specials(definition.specialTokens)
    this.specialTokens = this.#specials.ranks
    this.size = Math.max(vocabulary.size, ...[...this.specialTokens.values()].map(rank => rank + 1))
    this.#pass = new Pass(vocabulary, this.#split, toUtf8(''))
  }

  /**
   * The tokens of a text. By default a special token in it is an error, because text of users must not forge one.
   * @throws Fault 400 `disallowed_special_token`
   */
  encode(text: string, options: SpecialOptions = {}): number[] {
    const tokens: number[] = []
    for (const part of this.#parts(text, options)) {
      if (typeof part === 'number') tokens.push(part)
      else this.#append(part, tokens)
    }
    return tokens
  }

  /** The tokens of a text in which nothing is special. */
  encodeOrdinary(text: string): number[] {
    const tokens: number[] = []
    this.#append(text, tokens)
    return tokens
  }

  /** The one token that is exactly this text or these bytes, special or not. @throws Fault 400 `unknown_token` */
  encodeSingleToken(piece: string | Uint8Array): number {
    const special = typeof piece === 'string' ? this.specialTokens.get(piece) : undefined
    if (special !== undefined) return special
    const bytes = typeof piece === 'string' ? encoder.encode(piece) : piece
    const rank = this.#vocabulary.rankOf(bytes)
    if (rank === undefined) throw unknownToken(`This text is not one token of ${this.name}.`)
    return rank
  }

  /** How many tokens a text has, without making a list of them: of `encodeOrdinary`, or with options of `encode`. */
  count(text: string, options?: SpecialOptions): number {
    return this.#countUpTo(text, Number.POSITIVE_INFINITY, specialsOf(options))
  }

  /** True when a text has at most so many tokens. Stops reading soon after it has more. */
  isWithinLimit(text: string, limitTokens: number, options?: SpecialOptions): boolean {
    return this.#countUpTo(text, limitTokens, specialsOf(options)) <= limitTokens
  }

  /** `encode` for large texts: gives way to other work every few milliseconds. @throws the signal's reason when it is aborted */
  async encodeInSlices(text: string, options: SliceOptions = {}): Promise<number[]> {
    const tokens: number[] = []
    await this.#slices(text, options, options.signal, part => {
      if (typeof part === 'number') tokens.push(part)
      else append(part, tokens)
    })
    return tokens
  }

  /** `count` for large texts: gives way to other work every few milliseconds. @throws the signal's reason when it is aborted */
  async countInSlices(text: string, options: SliceOptions = {}): Promise<number> {
    let total = 0
    await this.#slices(text, specialsOf(options), options.signal, part => {
      total += typeof part === 'number' ? 1 : part.count
    })
    return total
  }

  /** The text of tokens. Bytes that are no UTF-8 (a character cut in two) become U+FFFD. @throws Fault 400 `unknown_token` */
  decode(tokens: Iterable<number>): string {
    return newTextDecoder().decode(this.decodeBytes(tokens))
  }

  /** The bytes of tokens, exactly. @throws Fault 400 `unknown_token` */
  decodeBytes(tokens: Iterable<number>): Uint8Array {
    const parts: Uint8Array[] = []
    let size = 0
    for (const token of tokens) {
      const part = this.#bytesOf(token)
      parts.push(part)
      size += part.length
    }
    const bytes = new Uint8Array(size)
    let at = 0
    for (const part of parts) {
      bytes.set(part, at)
      at += part.length
    }
    return bytes
  }

  /** The bytes of one token; they need not be whole characters. @throws Fault 400 `unknown_token` */
  decodeSingleTokenBytes(token: number): Uint8Array {
    return this.#bytesOf(token).slice()
  }

  /** Text as soon as its characters are whole: tokens that end inside one are held back. @throws Fault 400 `unknown_token` */
  *decodeStream(tokens: Iterable<number>): Generator<string, void> {
    const decoder = this.decoder()
    for (const token of tokens) {
      const text = decoder.push(token)
      if (text !== '') yield text
    }
    const rest = decoder.end()
    if (rest !== '') yield rest
  }

  /** The same for tokens that come in over time. @throws Fault 400 `unknown_token` */
  async *decodeStreamAsync(tokens: AsyncIterable<number>): AsyncGenerator<string, void> {
    const decoder = this.decoder()
    for await (const token of tokens) {
      const text = decoder.push(token)
      if (text !== '') yield text
    }
    const rest = decoder.end()
    if (rest !== '') yield rest
  }

  /** A decoder to be fed token by token. */
  decoder(): TokenDecoder {
    const decoder = newTextDecoder()
    return {
      push: token => decoder.decode(this.#bytesOf(token), { stream: true }),
      end: () => decoder.decode(),
    }
  }

  #append(text: string, tokens: number[]): void {
    const pass = this.#pass
    pass.begin(toUtf8(text))
    while (!pass.advance(syncSliceBytes));
    append(pass, tokens)
    pass.trim()
  }

  #countUpTo(text: string, limit: number, options: SpecialOptions | undefined): number {
    let total = 0
    for (const part of this.#parts(text, options)) {
      if (typeof part === 'number') total++
      else {
        const pass = this.#pass
        pass.begin(toUtf8(part))
        for (let done = false; !done && total <= limit; ) {
          done = pass.advance(syncSliceBytes)
          total += pass.count
          pass.count = 0
        }
        pass.trim()
      }
      if (total > limit) return total
    }
    return total
  }

  async #slices(
    text: string,
    options: SpecialOptions | undefined,
    signal: AbortSignal | undefined,
    take: (part: Pass | number) => void,
  ): Promise<void> {
    signal?.throwIfAborted()
    for (const part of this.#parts(text, options)) {
      if (typeof part === 'number') {
        take(part)
        continue
      }
      const pass = new Pass(this.#vocabulary, this.#split, await toUtf8InSlices(part, signal))
      for (let done = false; !done; ) {
        done = pass.advance(sliceBytes)
        take(pass)
        pass.count = 0
        await setImmediate()
        signal?.throwIfAborted()
      }
    }
  }

  /** The text between special tokens, and the tokens; without options nothing is special. */
  *#parts(text: string, options: SpecialOptions | undefined): Generator<string | number, void> {
    let at = 0
    for (const { start, end, rank } of options === undefined ? [] : this.#specials.find(text, options)) {
      if (start > at) yield text.slice(at, start)
      yield rank
      at = end
    }
    if (at < text.length) yield at === 0 ? text : text.slice(at)
  }

  #bytesOf(token: number): Uint8Array {
    const bytes = this.#vocabulary.bytesOf(token)
    if (bytes !== undefined) return bytes
    const special = this.#specials.nameOf(token)
    if (special === undefined) throw unknownToken(`Token ${token} does not exist in ${this.name}.`)
    return encoder.encode(special)
  }
}

/** Turns tokens into text one by one. */
export interface TokenDecoder {
  /** The characters that this token completes. @throws Fault 400 `unknown_token` */
  push(token: number): string
  /** What is left: U+FFFD when the tokens ended inside a character, else nothing. */
  end(): string
}

/** Counting takes text as plain unless it is told otherwise. */
function specialsOf(options: SpecialOptions | undefined): SpecialOptions | undefined {
  const isTold = options?.allowedSpecial !== undefined || options?.disallowedSpecial !== undefined
  return isTold ? options : undefined
}

/**
 * About a millisecond of usual text, a few of the worst. Only the end of a single piece is looked for in one go: some milliseconds
 * for one of several megabytes.
 */
const sliceBytes = 32 * 1024
/** Without other work to give way to, slices only serve to stop at a limit. */
const syncSliceBytes = 256 * 1024

function append(pass: Pass, tokens: number[]): void {
  const { tokens: found, count } = pass
  for (let i = 0; i < count; i++) tokens.push(found[i]!)
}

const encoder = new TextEncoder()

/** A mark of byte order is a character like any other here. */
const newTextDecoder = () => new TextDecoder('utf-8', { ignoreBOM: true })

const unknownToken = (message: string) => fault.invalidValue('tokens', message, 'unknown_token')
