import { cased, classOf, letterMark, lower, newline, number, space, upper } from './classes.ts'

/**
 * The splitting patterns of the encodings, written out as scanners over UTF-8. Each answers where the piece that starts at `start`
 * ends. A scanner reads every byte of a text a bounded number of times, on every input: what backtracking the patterns ask for
 * (white space before a word, a cased letter inside a run of capitals) is done by remembering one position during the scan.
 *
 * `bytes` is well-formed UTF-8; it is never read at or after `end`.
 */
export type Splitter = (bytes: Uint8Array, start: number, end: number) => number

/** `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` (r50k_base, p50k_base, p50k_edit) */
export function splitGpt2(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start]!
  if (first === apostrophe) {
    const after = contraction(bytes, start, end, false)
    if (after > start) return after
  }
  const at = first === blank && start + 1 < end ? start + 1 : start
  const code = classAt(bytes, at)
  if (isLetter[code] === 1) return runOf(isLetter, bytes, at, end)
  if (code === number) return runOf(isNumber, bytes, at, end)
  if (isSymbol[code] === 1) return runOf(isSymbol, bytes, at, end)
  return whiteSpace(bytes, start, end, false)
}

/**
 * `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+` (cl100k_base)
 */
export function splitCl100k(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start]!
  if (first === apostrophe) {
    const after = contraction(bytes, start, end, true)
    if (after > start) return after
  }
  const code = classAt(bytes, start)
  if (isLetter[code] === 1) return runOf(isLetter, bytes, start, end)
  if (code === number) return upToThreeNumbers(bytes, start, end)
  const second = start + sizeAt(bytes, start)
  if (code !== newline && second < end && isLetter[classAt(bytes, second)] === 1) {
    return runOf(isLetter, bytes, second, end)
  }
  return symbolsOrSpace(bytes, start, second, end, code, false)
}

/**
 * `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
 * |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
 * |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+` (o200k_base, o200k_harmony)
 */
export function splitO200k(bytes: Uint8Array, start: number, end: number): number {
  const code = classAt(bytes, start)
  if (isWord[code] === 1) return word(bytes, start, end)
  if (code === number) return upToThreeNumbers(bytes, start, end)
  const second = start + sizeAt(bytes, start)
  if (code !== newline && second < end && isWord[classAt(bytes, second)] === 1) return word(bytes, second, end)
  return symbolsOrSpace(bytes, start, second, end, code, true)
}

/**
 * Both word alternatives of o200k from the first letter or mark: capitals, then small letters, then a contraction. A cased letter or
 * mark counts as both, so when capitals are not followed by a small letter, the first alternative gives back down to the last
 * letter that can pass as small; only when there is none does the second alternative take the capitals alone.
 *
 * A mark at the start of a piece could also be its leading character, but taking it as a letter ends the piece at the same place.
 */
function word(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let afterCased = 0
  while (at < end) {
    const lead = bytes[at]!
    const code = lead < 0x80 ? classOf[lead]! : classAt(bytes, at)
    if (isCapital[code] === 0) break
    at += lead < 0x80 ? 1 : sizeAt(bytes, at)
    if (code !== upper) afterCased = at
  }
  const small = runOf(isSmall, bytes, at, end)
  if (small === at && afterCased > 0) at = afterCased
  else at = small
  return at < end && bytes[at] === apostrophe ? contraction(bytes, at, end, true) : at
}

/** What is left when a piece starts neither with a letter nor a number nor a character that leads a word. */
function symbolsOrSpace(
  bytes: Uint8Array,
  start: number,
  second: number,
  end: number,
  code: number,
  takesSlash: boolean,
): number {
  let at = start
  if (bytes[start] === blank && second < end && isSymbol[classAt(bytes, second)] === 1) at = second
  else if (isSymbol[code] === 0) return whiteSpace(bytes, start, end, true)
  at = runOf(isSymbol, bytes, at, end)
  while (at < end && (bytes[at] === 10 || bytes[at] === 13 || (takesSlash && bytes[at] === slash))) at++
  return at
}

/**
 * A run of white space: with `byLines` all of it up to its last line feed or carriage return, else all at the end of the text, else
 * all but its last character (which may lead the next piece), else that one character.
 */
function whiteSpace(bytes: Uint8Array, start: number, end: number, byLines: boolean): number {
  let at = start
  let last = start
  let afterLine = 0
  while (at < end) {
    const lead = bytes[at]!
    const code = lead < 0x80 ? classOf[lead]! : classAt(bytes, at)
    if (code < space) break
    last = at
    at += lead < 0x80 ? 1 : sizeAt(bytes, at)
    if (code === newline) afterLine = at
  }
  if (byLines && afterLine > 0) return afterLine
  return at === end || last === start ? at : last
}

function upToThreeNumbers(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  for (let count = 0; count < 3 && at < end && classAt(bytes, at) === number; count++) at += sizeAt(bytes, at)
  return at
}

/** Where a run of characters of these classes ends. */
function runOf(members: Uint8Array, bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end) {
    const lead = bytes[at]!
    if (lead < 0x80) {
      if (members[classOf[lead]!] === 0) return at
      at++
    } else {
      if (members[classAt(bytes, at)] === 0) return at
      at += sizeAt(bytes, at)
    }
  }
  return at
}

/** The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at the apostrophe; `start` where there is none. */
function contraction(bytes: Uint8Array, start: number, end: number, anyCase: boolean): number {
  if (start + 1 >= end) return start
  const fold = anyCase ? 0x20 : 0
  const a = bytes[start + 1]! | fold
  // Of all letters only s has a third form, the long s (U+017F); without case the patterns take it too.
  if (anyCase && bytes[start + 1] === 0xc5) return start + 2 < end && bytes[start + 2] === 0xbf ? start + 3 : start
  if (a === 0x73 || a === 0x74 || a === 0x6d || a === 0x64) return start + 2
  if (start + 2 >= end) return start
  const b = bytes[start + 2]! | fold
  if ((a === 0x72 || a === 0x76) && b === 0x65) return start + 3
  if (a === 0x6c && b === 0x6c) return start + 3
  return start
}

/** The class of the character at this byte. */
function classAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!
  if (lead < 0x80) return classOf[lead]!
  if (lead < 0xe0) return classOf[((lead & 0x1f) << 6) | (bytes[at + 1]! & 0x3f)]!
  if (lead < 0xf0) {
    return classOf[((lead & 0x0f) << 12) | ((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f)]!
  }
  return classOf[
    ((lead & 0x07) << 18) | ((bytes[at + 1]! & 0x3f) << 12) | ((bytes[at + 2]! & 0x3f) << 6) | (bytes[at + 3]! & 0x3f)
  ]!
}

/** How many bytes the character at this byte has. */
function sizeAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
}

const apostrophe = 0x27
const blank = 0x20
const slash = 0x2f

const isLetter = setOf(upper, lower, cased)
const isNumber = setOf(number)
/** `[^\s\p{L}\p{N}]`: marks are among them. */
const isSymbol = setOf(0, letterMark)
const isCapital = setOf(upper, cased, letterMark)
const isSmall = setOf(lower, cased, letterMark)
const isWord = setOf(upper, lower, cased, letterMark)

function setOf(...classes: number[]): Uint8Array {
  const members = new Uint8Array(8)
  for (const code of classes) members[code] = 1
  return members
}
