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

/**
 * Hashes of the pieces of 3 and 4 UTF-16 units of a word with its edges marked: what a word without a row of its own is spelled
 * by. Reads at most 64 units, so that the work per word is bounded.
 */
export function pieceHashes(word: string): number[] {
  const marked = `<${word.slice(0, LONGEST_SPELLED)}>`
  const found: number[] = []
  for (let start = 0; start + 3 <= marked.length; start++) {
    let state = FNV_START
    for (let at = start; at < start + 3; at++) state = Math.imul(state ^ marked.charCodeAt(at), FNV_PRIME)
    found.push(mixed(state))
    if (start + 4 <= marked.length) found.push(mixed(Math.imul(state ^ marked.charCodeAt(start + 3), FNV_PRIME)))
  }
  return found
}

/** 32 well-mixed bits of a string: FNV-1a over its UTF-16 units, finished as in MurmurHash3. */
export function hash(text: string, seed = 0): number {
  let state = FNV_START ^ seed
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), FNV_PRIME)
  return mixed(state)
}

const FNV_START = 0x811c9dc5
const FNV_PRIME = 0x01000193
const LONGEST_SPELLED = 64

function mixed(bits: number): number {
  let state = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
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
