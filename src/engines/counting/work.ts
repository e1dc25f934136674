import { isUtf8 } from 'node:buffer'
import { setImmediate } from 'node:timers/promises'
import { type ChatCount, countChatInSlices, type Encoding } from '../../tokens/index.ts'
import type { ChatRequest } from '../../wire/chat.ts'

/** What can be asked for, in this thread or in another: everything here can be sent between them. */
export interface Work {
  count: { input: string; output: number }
  encode: { input: { text: string; special: boolean }; output: Uint32Array }
  decode: { input: Uint32Array; output: string }
  pieces: { input: Uint32Array; output: Pieces }
  /** With the name by which rules for single models go. */
  chat: { input: ChatRequest; output: ChatCount }
}

/** The texts of tokens, as one text and where each piece ends: lists of millions of texts are slow to make and to pass on. */
export interface Pieces {
  readonly text: string
  /** In UTF-16 units. */
  readonly ends: Uint32Array
}

type Doing = {
  [Kind in keyof Work]: (
    encoding: Encoding,
    input: Work[Kind]['input'],
    signal: AbortSignal | undefined,
  ) => Promise<Work[Kind]['output']>
}

/** Each kind of work, in slices of a few milliseconds. Throws the signal's reason when it aborts. */
export const work: Doing = {
  count: (encoding, text, signal) => encoding.countInSlices(text, slices(signal)),
  async encode(encoding, { text, special }, signal) {
    const specials = special ? { allowedSpecial: 'all' as const } : { disallowedSpecial: [] }
    return Uint32Array.from(await encoding.encodeInSlices(text, { ...specials, ...slices(signal) }))
  },
  async decode(encoding, tokens, signal) {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    let text = ''
    for (let at = 0; at < tokens.length; at += sliceTokens) {
      text += decoder.decode(encoding.decodeBytes(tokens.subarray(at, at + sliceTokens)), { stream: true })
      await turn(signal)
    }
    return text + decoder.decode()
  },
  async pieces(encoding, tokens, signal) {
    const cutter = new Cutter(encoding)
    for (let at = 0; at < tokens.length; at += sliceTokens) {
      cutter.take(tokens.subarray(at, at + sliceTokens))
      await turn(signal)
    }
    return cutter.end(tokens.length)
  },
  chat: (encoding, request, signal) => countChatInSlices(request, { encoding, ...slices(signal) }),
}

/** Texts of tokens that were taken in turn. */
class Cutter {
  readonly #encoding: Encoding
  readonly #decoder
  /** The text of a token by itself; undefined for one that is no whole characters. */
  readonly #whole = new Map<number, string | undefined>()
  readonly #ends: number[] = []
  #text = ''
  /** The decoder may hold the beginning of a character. */
  #pending = false

  constructor(encoding: Encoding) {
    this.#encoding = encoding
    this.#decoder = encoding.decoder()
  }

  take(tokens: Uint32Array): void {
    for (const token of tokens) {
      const whole = this.#wholeText(token)
      this.#text += this.#pending || whole === undefined ? this.#decoder.push(token) : whole
      this.#pending = whole === undefined
      this.#ends.push(this.#text.length)
    }
  }

  end(count: number): Pieces {
    this.#text += this.#decoder.end()
    if (count > 0) this.#ends[count - 1] = this.#text.length
    return { text: this.#text, ends: Uint32Array.from(this.#ends) }
  }

  #wholeText(token: number): string | undefined {
    if (this.#whole.has(token)) return this.#whole.get(token)
    const bytes = this.#encoding.decodeSingleTokenBytes(token)
    const text = isUtf8(bytes) ? Buffer.from(bytes).toString() : undefined
    this.#whole.set(token, text)
    return text
  }
}

/** A millisecond or two. */
const sliceTokens = 4096

const slices = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal })

async function turn(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate()
  signal?.throwIfAborted()
}
