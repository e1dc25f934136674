import { readFileSync } from 'node:fs'
import { hash, pieceBucket, pieces, stem } from './features.ts'
import type { VectorFile } from './format.ts'
import { decodeVectors } from './format.ts'
import type { TokenKind } from './tokens.ts'
import { TokenReader } from './tokens.ts'

/** A loaded embedding model: texts to unit vectors, without any other process or file. */
export interface Vectors {
  readonly name: string
  /** Length of a whole vector: the semantic components first, then the lexical ones. */
  readonly dimensions: number
  /** Longest text that the model is meant for, in its own tokens; longer ones still work. */
  readonly maxTokens: number
  /**
   * The unit vector of a text, the same on every call.
   *
   * `dimensions` (1 to 1536) keeps the first components and makes the rest unit length again, so that a caller who cuts a whole
   * vector gets the same result. The first 256 components hold the meaning, ordered so that any first few hold most of it;
   * those after 256 hold exact words, each in one place, so that a cut drops some words and keeps the others.
   * Throws a RangeError for other values. Never NaN: a text without words, such as white space, has a vector too.
   */
  embed(text: string, dimensions?: number): Float32Array
  /** `embed` in steps of a few milliseconds at most; run it with `inTurns` when others must not wait. */
  embedSteps(text: string, dimensions?: number): Generator<void, Float32Array, void>
  /** How many tokens the model reads: words, digits, Han characters, symbols and punctuation marks, one each; at least 1. */
  countTokens(text: string): number
  /** `countTokens` in steps of a few milliseconds at most. */
  countSteps(text: string): Generator<void, number, void>
}

/** Loads a model from a file's path or bytes. Throws an Error that says what is wrong when the file is no sound model. */
export function openVectors(file: Buffer | string): Vectors {
  const model = new Model(decodeVectors(typeof file === 'string' ? readFileSync(file) : file))
  return {
    name: model.file.header.name,
    dimensions: model.dimensions,
    maxTokens: MAX_TOKENS,
    embed: (text, dimensions) => atOnce(model.embed(text, dimensions)),
    embedSteps: (text, dimensions) => model.embed(text, dimensions),
    countTokens: text => atOnce(model.count(text)),
    countSteps: text => model.count(text),
  }
}

/** Runs steps to their result and lets the event loop turn between any two of them. Rejects with the signal's reason when it aborts. */
export async function inTurns<T>(steps: Generator<void, T, void>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    signal?.throwIfAborted()
    const step = steps.next()
    if (step.done === true) return step.value
    await new Promise<void>(resolve => setImmediate(resolve))
  }
}

const MAX_TOKENS = 8192
/** UTF-16 units read, and distinct tokens weighed, in one step: each well under five milliseconds. */
const UNITS_PER_STEP = 8192
const TOKENS_PER_STEP = 256
const LEXICAL_SEED = 2

interface Counted {
  readonly kind: TokenKind
  count: number
}

class Model {
  readonly file: VectorFile
  readonly dimensions: number
  readonly #rows = new Map<string, number>()
  /** From a stem to the most frequent known word that has it. */
  readonly #stems = new Map<string, number>()

  constructor(file: VectorFile) {
    this.file = file
    this.dimensions = file.header.semantic + file.header.lexical
    file.tokens.forEach((token, row) => {
      this.#rows.set(token, row)
      const key = stem(token)
      if (!this.#stems.has(key)) this.#stems.set(key, row)
    })
  }

  *embed(text: string, dimensions = this.dimensions): Generator<void, Float32Array, void> {
    if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > this.dimensions) {
      throw new RangeError(`dimensions must be a whole number from 1 to ${this.dimensions}`)
    }
    const { semantic: width, blend } = this.file.header
    const counts = yield* this.#read(text)
    const semantic = new Float64Array(width)
    const lexical = new Float64Array(this.dimensions - width)
    const speaks = saysSomething(counts)
    let weighed = 0
    for (const [token, { kind, count }] of counts) {
      if (speaks && kind === 'silent') continue
      const weight = 1 + Math.log(count)
      this.#addMeaning(semantic, kind, token, weight)
      this.#addWords(lexical, kind, token, weight)
      if (++weighed % TOKENS_PER_STEP === 0) yield
    }
    // A text that says nothing still has a direction, the same for all such texts.
    if (!scaleTo(semantic, Math.sqrt(blend.semantic))) semantic[0] = Math.sqrt(blend.semantic)
    scaleTo(lexical, Math.sqrt(1 - blend.semantic))
    return unit(semantic, lexical, dimensions)
  }

  *count(text: string): Generator<void, number, void> {
    const reader = new TokenReader(text, this.file.variants)
    let tokens = 0
    const visit = (kind: TokenKind) => {
      if (kind !== 'pair' && kind !== 'number') tokens++
    }
    while (reader.read(UNITS_PER_STEP, visit)) yield
    return Math.max(1, tokens)
  }

  *#read(text: string): Generator<void, Map<string, Counted>, void> {
    const counts = new Map<string, Counted>()
    const reader = new TokenReader(text, this.file.variants)
    const visit = (kind: TokenKind, token: string) => {
      // A number of one digit is another token than the digit.
      const key = kind === 'number' ? `#${token}` : token
      const known = counts.get(key)
      if (known === undefined) counts.set(key, { kind, count: 1 })
      else known.count++
    }
    while (reader.read(UNITS_PER_STEP, visit)) yield
    return counts
  }

  /** Adds the row of a token; an unknown word takes that of a word with its stem, else the mean of its pieces. */
  #addMeaning(sum: Float64Array, kind: TokenKind, token: string, weight: number): void {
    if (kind === 'number') return
    const row = this.#rowOf(kind, token)
    if (row !== undefined) {
      this.#addRow(sum, row, weight)
      return
    }
    if (kind === 'pair') return
    const parts = pieces(token)
    const { tokens, pieces: buckets } = this.file.header
    for (const part of parts) this.#addRow(sum, tokens + pieceBucket(part, buckets), weight / parts.length)
  }

  #rowOf(kind: TokenKind, token: string): number | undefined {
    return this.#rows.get(token) ?? (kind === 'word' ? this.#stems.get(stem(token)) : undefined)
  }

  #addRow(sum: Float64Array, row: number, weight: number): void {
    const { scales, table } = this.file
    const factor = weight * (scales[row] ?? 0)
    const start = row * sum.length
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + factor * (table[start + i] ?? 0)
  }

  /** Adds the token to the hashed bag of words: inverse document frequency times frequency, at a place and with a sign given by its hash. */
  #addWords(sum: Float64Array, kind: TokenKind, token: string, weight: number): void {
    const { blend } = this.file.header
    const row = this.#rowOf(kind, token)
    const full = weight * (row === undefined ? blend.unknownIdf : (this.file.idf[row] ?? 0))
    if (kind !== 'word') {
      const share = kind === 'han' ? blend.han : kind === 'digit' ? blend.digit : 1
      addHashed(sum, token, full * share)
      return
    }
    addHashed(sum, stem(token), full)
    if (blend.pieces === 0 || token.length < 4) return
    const parts = pieces(token)
    const share = (full * blend.pieces) / Math.sqrt(parts.length)
    for (const part of parts) addHashed(sum, part, share)
  }
}

/** Whether anything but punctuation was read. */
function saysSomething(counts: ReadonlyMap<string, Counted>): boolean {
  for (const { kind } of counts.values()) if (kind !== 'silent') return true
  return false
}

function addHashed(sum: Float64Array, key: string, weight: number): void {
  const bits = hash(key, LEXICAL_SEED)
  const at = (bits & 0x7fffffff) % sum.length
  sum[at] = (sum[at] ?? 0) + (bits >>> 31 === 1 ? weight : -weight)
}

/** Gives a vector the length asked for; false when it has no direction. */
function scaleTo(vector: Float64Array, length: number): boolean {
  const now = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  if (now < 1e-12) return false
  for (let i = 0; i < vector.length; i++) vector[i] = ((vector[i] ?? 0) * length) / now
  return true
}

/** The first components of both parts together at unit length. */
function unit(semantic: Float64Array, lexical: Float64Array, dimensions: number): Float32Array {
  const kept = Float64Array.from({ length: dimensions }, (_, i) => semantic[i] ?? lexical[i - semantic.length] ?? 0)
  if (!scaleTo(kept, 1)) kept[0] = 1
  return Float32Array.from(kept)
}

function atOnce<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
