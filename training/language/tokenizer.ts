/**
 * Byte-level BPE of the small model, in the form llama.cpp reads (`tokenizer.ggml.model = gpt2`, `pre = qwen2`).
 *
 * The merges are chosen so that a word has the same pieces wherever it stands, because a small model copies names
 * token by token: nothing merges across the border of a word, a Chinese character or a punctuation mark. Only at the
 * very end of the merge list a space may join a common word in small letters that is one piece already.
 */

/** The split that llama.cpp applies for `tokenizer.ggml.pre = qwen2`. */
const CHUNK =
  /(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu

/** Inside a chunk: runs of Latin letters, and every other character alone. */
const ATOM = /[A-Za-z\u00c0-\u024f]+|./gsu

/** Joined marks of JSON and of the tool-call tags. Other marks stay single, so that quoted text can be copied. */
const MARKS: readonly (readonly [string, string])[] = [
  ['"', ':'],
  ['{', '"'],
  ['"', '}'],
  ['"}', '}'],
  [' ', '"'],
  [' ', '{"'],
  ['"', ','],
  ['>', '\n'],
  ['<', '/'],
  ['"}}', '\n'],
  ['}', '}'],
  ['[', '"'],
  ['"', ']'],
]

export const SPECIAL = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  ...Array.from({ length: 16 }, (_, i) => `<|reserved_${i}|>`),
]

/** The 256 byte symbols of GPT-2: a visible Latin-1 byte is itself, every other takes the next code point from 256 on. */
export const BYTE_SYMBOLS: readonly string[] = (() => {
  let spare = 256
  return Array.from({ length: 256 }, (_, b) => {
    const visible = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b !== 0xad)
    return String.fromCodePoint(visible ? b : spare++)
  })
})()

const encoder = new TextEncoder()

/** Text as byte symbols, one per UTF-8 byte. */
export function symbols(text: string): string[] {
  return Array.from(encoder.encode(text), byte => BYTE_SYMBOLS[byte] ?? '')
}

export interface Vocabulary {
  /** In id order: bytes, merge products, special tokens. */
  readonly tokens: readonly string[]
  /** Pairs of symbols in rank order. */
  readonly merges: readonly (readonly [string, string])[]
}

export interface Budget {
  /** Single tokens for this many of the commonest characters outside ASCII. */
  readonly characters: number
  /** Pieces of Latin words. */
  readonly pieces: number
  /** Whole words that also exist with a leading space. */
  readonly spaced: number
}

/** Learns a vocabulary from text. Deterministic: ties go to the pair that is smaller as text. */
export function trainVocabulary(texts: Iterable<string>, budget: Budget): Vocabulary {
  const words = new Map<string, number>()
  const characters = new Map<string, number>()
  const spaced = new Map<string, number>()
  for (const text of texts) {
    for (const [chunk] of text.matchAll(CHUNK)) {
      for (const [atom] of chunk.matchAll(ATOM)) {
        if (/^[A-Za-z\u00c0-\u024f]/u.test(atom)) add(words, atom, 1)
        else if (atom.length > 0 && (atom.codePointAt(0) ?? 0) > 127) add(characters, atom, 1)
      }
      if (/^ [a-z]/.test(chunk)) add(spaced, chunk.slice(1), 1)
    }
  }
  const merges: [string, string][] = []
  const known = new Set<string>(BYTE_SYMBOLS)
  const learn = (left: string, right: string): void => {
    if (known.has(left + right)) return
    known.add(left + right)
    merges.push([left, right])
  }
  for (const [left, right] of MARKS) learn(symbols(left).join(''), symbols(right).join(''))
  for (const [character] of ranked(characters).slice(0, budget.characters)) {
    const parts = symbols(character)
    for (let i = 1; i < parts.length; i++) learn(parts.slice(0, i).join(''), parts[i] ?? '')
  }
  learnPieces(words, budget.pieces, known, merges)
  const coder = new Tokenizer({ tokens: [...BYTE_SYMBOLS, ...merges.map(m => m.join('')), ...SPECIAL], merges })
  const firsts = new Map<string, number>()
  for (const [word, count] of spaced) {
    const pieces = coder.encode(word)
    if (pieces.length === 1) add(firsts, coder.tokens[pieces[0] ?? 0] ?? '', count)
  }
  const space = BYTE_SYMBOLS[32] ?? ''
  for (const [piece] of ranked(firsts).slice(0, budget.spaced)) learn(space, piece)
  return { tokens: [...BYTE_SYMBOLS, ...merges.map(m => m.join('')), ...SPECIAL], merges }
}

export class Tokenizer {
  readonly tokens: readonly string[]
  readonly #ids = new Map<string, number>()
  readonly #ranks = new Map<string, number>()
  readonly #cache = new Map<string, readonly number[]>()

  constructor(vocabulary: Vocabulary) {
    this.tokens = vocabulary.tokens
    vocabulary.tokens.forEach((token, id) => void this.#ids.set(token, id))
    vocabulary.merges.forEach(([left, right], rank) => void this.#ranks.set(`${left} ${right}`, rank))
  }

  /** The id of a token by its spelling. Throws RangeError when there is none. */
  id(token: string): number {
    const id = this.#ids.get(token)
    if (id === undefined) throw new RangeError(`no token ${token}`)
    return id
  }

  /** Ids of plain text; spellings of special tokens stay text. */
  encode(text: string): number[] {
    const out: number[] = []
    for (const [chunk] of text.matchAll(CHUNK)) {
      let ids = this.#cache.get(chunk)
      if (!ids) {
        ids = this.#merge(symbols(chunk))
        if (this.#cache.size < 200_000) this.#cache.set(chunk, ids)
      }
      for (const id of ids) out.push(id)
    }
    return out
  }

  /** Ids of text in which the spellings of special tokens are control tokens. */
  encodePrompt(text: string): number[] {
    const out: number[] = []
    for (const part of text.split(/(<\|[a-z_0-9]+\|>)/)) {
      if (SPECIAL.includes(part)) out.push(this.id(part))
      else if (part) out.push(...this.encode(part))
    }
    return out
  }

  #merge(parts: string[]): number[] {
    for (;;) {
      let best = Number.POSITIVE_INFINITY
      let at = -1
      for (let i = 0; i + 1 < parts.length; i++) {
        const rank = this.#ranks.get(`${parts[i]} ${parts[i + 1]}`)
        if (rank !== undefined && rank < best) {
          best = rank
          at = i
        }
      }
      if (at < 0) return parts.map(part => this.id(part))
      parts.splice(at, 2, `${parts[at]}${parts[at + 1]}`)
    }
  }
}

/** Ordinary BPE over whole words, counted once per word. */
function learnPieces(words: Map<string, number>, wanted: number, known: Set<string>, merges: [string, string][]): void {
  const list = [...words].map(([word, count]) => ({ parts: symbols(word), count }))
  const counts = new Map<string, number>()
  const where = new Map<string, Set<number>>()
  const count = (index: number, sign: number): void => {
    const word = list[index]
    if (!word) return
    for (let i = 0; i + 1 < word.parts.length; i++) {
      const pair = `${word.parts[i]} ${word.parts[i + 1]}`
      add(counts, pair, sign * word.count)
      const places = where.get(pair) ?? new Set()
      where.set(pair, places.add(index))
    }
  }
  list.forEach((_, index) => void count(index, 1))
  for (let learnt = 0; learnt < wanted; ) {
    let best = ''
    let most = 1
    for (const [pair, n] of counts) if (n > most || (n === most && pair < best)) [best, most] = [pair, n]
    if (!best) return
    const [left = '', right = ''] = best.split(' ')
    const joined = left + right
    const fresh = !known.has(joined)
    const places = [...(where.get(best) ?? [])]
    if (!fresh) {
      counts.delete(best)
      where.delete(best)
      continue
    }
    known.add(joined)
    merges.push([left, right])
    learnt++
    for (const index of places) {
      const word = list[index]
      if (!word) continue
      count(index, -1)
      const parts: string[] = []
      for (let i = 0; i < word.parts.length; i++) {
        if (word.parts[i] === left && word.parts[i + 1] === right) {
          parts.push(joined)
          i++
        } else parts.push(word.parts[i] ?? '')
      }
      word.parts = parts
      count(index, 1)
    }
    counts.delete(best)
    where.delete(best)
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}

function ranked(counts: Map<string, number>): [string, number][] {
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
}
