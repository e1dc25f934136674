import { hash, pieceHashes, stem } from './features.ts'
import type { VectorFile } from './format.ts'
import type { TokenKind } from './tokens.ts'
import { TokenReader } from './tokens.ts'

/** The arithmetic of an embedding model, in steps of bounded work: what `vectors.ts` offers to the rest of the house. */
export class Model {
  readonly file: VectorFile
  readonly dimensions: number
  readonly #rows = new Map<string, number>()
  /** From a stem to the most frequent known word that has it. */
  readonly #stems = new Map<string, number>()

  constructor(file: VectorFile) {
    this.file = file
    this.dimensions = file.header.semantic + file.header.lexical
    for (const [row, token] of file.tokens.entries()) {
      this.#rows.set(token, row)
      const key = stem(token)
      if (!this.#stems.has(key)) this.#stems.set(key, row)
    }
  }

  /** The first `dimensions` components of a text's vector, at unit length. */
  *embed(text: string, dimensions: number): Generator<void, Float32Array, void> {
    const { semantic, lexical, blend } = this.file.header
    const sum: Sum = { meaning: new Float64Array(semantic), words: new Float64Array(lexical), speaks: false, work: 0 }
    const reader = new TokenReader(text, this.file.variants)
    const counts = new Map<string, Counted>()
    const visit = (kind: TokenKind, token: string) => {
      // A number of one digit is another token than the digit.
      const key = kind === 'number' ? `#${token}` : token
      const known = counts.get(key)
      if (known === undefined) counts.set(key, { kind, count: 1 })
      else known.count++
    }
    while (reader.read(UNITS_PER_STEP, visit)) {
      // A very long text is weighed block by block, so that neither memory nor a growing map makes others wait.
      if (counts.size >= TOKENS_PER_BLOCK) yield* this.#weigh(counts, sum)
      yield
    }
    yield* this.#weigh(counts, sum)
    return assemble(sum, blend.semantic, dimensions)
  }

  /** The number of tokens as users are told it: pairs and whole numbers only repeat other tokens. */
  *count(text: string): Generator<void, number, void> {
    const reader = new TokenReader(text, this.file.variants)
    let tokens = 0
    const visit = (kind: TokenKind) => {
      if (kind !== 'pair' && kind !== 'number') tokens++
    }
    while (reader.read(UNITS_PER_STEP, visit)) yield
    return Math.max(1, tokens)
  }

  /** Adds the counted tokens to the sum and forgets them. */
  *#weigh(counts: Map<string, Counted>, sum: Sum): Generator<void, void, void> {
    for (const { kind } of counts.values()) sum.speaks ||= kind !== 'silent'
    for (const [token, { kind, count }] of counts) {
      // Punctuation counts only in a text that has nothing else.
      if (kind === 'silent' && sum.speaks) continue
      this.#add(sum, kind, token, 1 + Math.log(count))
      if (sum.work < WORK_PER_STEP) continue
      sum.work = 0
      yield
    }
    counts.clear()
  }

  /**
   * Meaning: the row of the token, else that of a word with its stem, else the mean of its pieces' rows. Words: the token's
   * inverse document frequency, at a place and with a sign given by its hash, and likewise a little of each of its pieces.
   */
  #add(sum: Sum, kind: TokenKind, token: string, weight: number): void {
    const { header, idf } = this.file
    const { blend, tokens, pieces: buckets } = header
    const root = kind === 'word' ? stem(token) : token
    const row = this.#rows.get(token) ?? (kind === 'word' ? this.#stems.get(root) : undefined)
    const share = weight * (row === undefined ? blend.unknownIdf : (idf[row] ?? 0)) * importance(kind, blend)
    addHashed(sum.words, hash(root, LEXICAL_SEED), share)
    const spelled = kind === 'word' && token.length > 3 && blend.pieces > 0
    const unknown = row === undefined && kind !== 'pair' && kind !== 'number'
    const parts = spelled || unknown ? pieceHashes(token) : []
    if (spelled) for (const bits of parts) addHashed(sum.words, bits, (share * blend.pieces) / Math.sqrt(parts.length))
    if (row !== undefined && kind !== 'number') this.#addRow(sum.meaning, row, weight)
    if (unknown) for (const bits of parts) this.#addRow(sum.meaning, tokens + (bits % buckets), weight / parts.length)
    sum.work += 1 + parts.length
  }

  #addRow(sum: Float64Array, row: number, weight: number): void {
    const { scales, table } = this.file
    const factor = weight * (scales[row] ?? 0)
    const start = row * sum.length
    for (let i = 0; i < sum.length; i++) sum[i]! += factor * table[start + i]!
  }
}

/** UTF-16 units read, and rows added, in one step: each about a millisecond. */
const UNITS_PER_STEP = 1024
const WORK_PER_STEP = 2048
const TOKENS_PER_BLOCK = 4096
const LEXICAL_SEED = 2

interface Counted {
  readonly kind: TokenKind
  count: number
}

interface Sum {
  readonly meaning: Float64Array
  readonly words: Float64Array
  speaks: boolean
  /** Rows added since the last pause. */
  work: number
}

function importance(kind: TokenKind, blend: { readonly han: number; readonly digit: number }): number {
  if (kind === 'han') return blend.han
  return kind === 'digit' ? blend.digit : 1
}

function addHashed(sum: Float64Array, bits: number, weight: number): void {
  sum[(bits & 0x7fffffff) % sum.length]! += bits >>> 31 === 1 ? weight : -weight
}

/** Puts both parts behind one another with their shares of the squared length, cuts, and makes the rest unit length. */
function assemble({ meaning, words }: Sum, share: number, dimensions: number): Float32Array {
  const whole = new Float64Array(meaning.length + words.length)
  whole.set(scaled(meaning, share))
  whole.set(scaled(words, 1 - share), meaning.length)
  return Float32Array.from(scaled(whole.subarray(0, dimensions), 1))
}

/** The vector at the given squared length; one without direction, of a text that says nothing, gets the first axis. */
function scaled(vector: Float64Array, squaredLength: number): Float64Array {
  let squares = 0
  for (let i = 0; i < vector.length; i++) squares += vector[i]! * vector[i]!
  if (squares < 1e-24) {
    const axis = new Float64Array(vector.length)
    axis[0] = Math.sqrt(squaredLength)
    return axis
  }
  const factor = Math.sqrt(squaredLength / squares)
  for (let i = 0; i < vector.length; i++) vector[i]! *= factor
  return vector
}
