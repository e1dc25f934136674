import { LONGEST_RUN } from './tokens.ts'

/**
 * The form under which inflections of an English word meet: `cities`, `city` → `citi`; `running`, `runs`, `run` → `run`.
 * A few suffixes of Porter's stemmer, nothing more; the result is a key, not a word. Other scripts come back unchanged.
 */
export function stem(word: string): string {
  let root = word.endsWith("'s") ? word.slice(0, -2) : word
  if (root.length < 3 || !/^[a-z]+$/.test(root)) return root
  root = withoutPlural(root)
  root = withoutEnding(root)
  if (root.length > 4 && root.endsWith('e')) return root.slice(0, -1)
  return root.length > 2 && root.endsWith('y') ? `${root.slice(0, -1)}i` : root
}

/** Pieces of 3 and 4 characters of a word with its edges marked, for words that have no row of their own: linear, since words are short. */
export function pieces(word: string): string[] {
  const marked = [...`<${word.slice(0, 2 * LONGEST_RUN)}>`]
  const found: string[] = []
  for (const size of [3, 4]) {
    for (let start = 0; start + size <= marked.length; start++) found.push(marked.slice(start, start + size).join(''))
  }
  return found
}

/** Which of the table's rows for pieces belongs to a piece: 0 to `buckets` - 1. */
export function pieceBucket(piece: string, buckets: number): number {
  return hash(piece, 1) % buckets
}

/** 32 well-mixed bits of a string: FNV-1a over its UTF-16 units, finished as in MurmurHash3. */
export function hash(text: string, seed = 0): number {
  let state = (0x811c9dc5 ^ seed) >>> 0
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}

function withoutPlural(word: string): string {
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`
  if (/(?:ss|x|z|ch|sh)es$/.test(word)) return word.slice(0, -2)
  if (word.endsWith('s') && !/(?:ss|us|is)$/.test(word)) return word.slice(0, -1)
  return word
}

function withoutEnding(word: string): string {
  for (const [ending, rest] of ENDINGS) {
    if (!word.endsWith(ending)) continue
    const root = word.slice(0, -ending.length)
    if (root.length < rest || !/[aeiouy]/.test(root)) return word
    if (/([bdfgmnprt])\1$/.test(root)) return root.slice(0, -1)
    return /^[^aeiou][aeiouy][^aeiouwxy]$/.test(root) ? `${root}e` : root
  }
  return word
}

/** Endings that are dropped, with the least length of what must remain. */
const ENDINGS: readonly (readonly [string, number])[] = [
  ['ing', 3],
  ['ed', 3],
  ['ly', 4],
]
