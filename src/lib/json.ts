/**
 * Parses JSON from outside. What `JSON.parse` would swallow or turn into something else is refused:
 *
 * - bytes that are not UTF-8 (a byte order mark in front is tolerated);
 * - nesting deeper than the limit, and more keys than the limit, found by a scan before anything is parsed;
 * - numbers that do not fit a double (`1e999` would become Infinity, and null when written again);
 * - half surrogate pairs (`"\ud800"`): they are no text, cannot be written as UTF-8 and would come out as `\ufffd`;
 * - the keys `__proto__` and `constructor` with `prototype` inside, which poison objects that are merged carelessly.
 *
 * Of equal keys in one object the last wins, as in `JSON.parse`. Large integers lose precision as JavaScript's numbers do.
 */
import { fault } from './faults.ts'

export interface JsonLimits {
  /** Objects and arrays inside one another. */
  maxDepth: number
  /** Keys of all objects together: a million different ones take seconds to parse. Default: 100,000. */
  maxKeys?: number
}

/** The value in `bytes`. Throws `fault.invalidJson`, `fault.tooDeep` and `fault.tooManyKeys`; the content is never quoted. */
export function parseJson(bytes: Uint8Array, { maxDepth, maxKeys = 100_000 }: JsonLimits): unknown {
  const text = decode(bytes)
  const scan = scanTokens(bytes)
  if (scan.depth > maxDepth) throw fault.tooDeep(maxDepth)
  if (scan.keys > maxKeys) throw fault.tooManyKeys(maxKeys)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw fault.invalidJson(whereBroken(text))
  }
  if (scan.oddNumber || text.includes('proto') || text.includes('\\u')) refuseOdd(value)
  return value
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw fault.invalidJson('it is not UTF-8')
  }
}

const quote = 0x22
const backslash = 0x5c
/** Longer strings are skipped by a native search, which costs more to call than a few bytes cost to look at. */
const shortString = 48
/** Up to so many characters a number without an exponent is finite. */
const plainNumberLength = 300

/** Deepest nesting, how many keys, and whether a number could be infinite. Right for JSON; for anything else `JSON.parse` has the word. */
function scanTokens(bytes: Uint8Array): { depth: number; keys: number; oddNumber: boolean } {
  let open = 0
  let depth = 0
  let keys = 0
  let oddNumber = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === quote) at = endOfString(bytes, at)
    else if (byte === 0x5b || byte === 0x7b) depth = Math.max(depth, ++open)
    else if (byte === 0x5d || byte === 0x7d) open--
    else if (byte === 0x3a) keys++
    else if (byte >= 0x30 && byte <= 0x39) {
      const start = at
      while (isNumberByte(bytes[at + 1])) {
        at++
        if ((bytes[at]! | 0x20) === 0x65) oddNumber = true
      }
      if (at - start > plainNumberLength) oddNumber = true
    }
  }
  return { depth, keys, oddNumber }
}

/** Digits, `.`, `e`, `E`, `+`, `-`. */
function isNumberByte(byte: number | undefined): boolean {
  if (byte === undefined) return false
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2e || (byte | 0x20) === 0x65 || byte === 0x2b || byte === 0x2d
}

/** The index of the quote that closes the string opened at `start`, or the end. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1
  while (at < bytes.length) {
    for (const near = Math.min(bytes.length, at + shortString); at < near; at++) {
      if (bytes[at] === quote) return at
      if (bytes[at] === backslash) at++
    }
    const found = bytes.indexOf(quote, at)
    if (found === -1) return bytes.length
    let slashes = 0
    while (found - slashes > at && bytes[found - slashes - 1] === backslash) slashes++
    if (slashes % 2 === 0) return found
    at = found + 1
  }
  return bytes.length
}

/** Walks only values whose text looked suspicious; the depth is bounded already. */
function refuseOdd(value: unknown): void {
  if (typeof value === 'number' && !Number.isFinite(value)) throw fault.invalidJson('a number is too large')
  if (typeof value === 'string') refuseHalfPair(value)
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const item of value) refuseOdd(item)
    return
  }
  for (const [key, inner] of Object.entries(value)) {
    refuseHalfPair(key)
    const poisoned =
      key === 'constructor' && typeof inner === 'object' && inner !== null && Object.hasOwn(inner, 'prototype')
    if (key === '__proto__' || poisoned) throw fault.invalidJson(`the key '${key}' is not allowed`)
    refuseOdd(inner)
  }
}

function refuseHalfPair(text: string): void {
  if (!text.isWellFormed()) throw fault.invalidJson('a string holds half of a surrogate pair')
}

/** A longer text is not searched: the hint is not worth the time. */
const searchedLengthMax = 65_536

/** Says where a broken text breaks, without a word of it. */
function whereBroken(text: string): string {
  if (text.trim() === '') return 'the body is empty'
  if (text.length > searchedLengthMax) return 'its syntax is broken'
  const at = new Locator(text).locate()
  return at >= text.length ? 'it ends too early' : `unexpected character at position ${at}`
}

/** A JSON reader that yields no value, only the position of the first character that does not belong. */
class Locator {
  private at = 0
  private readonly text: string

  constructor(text: string) {
    this.text = text
  }

  locate(): number {
    if (this.value()) this.take(/[ \t\n\r]*/y)
    return this.at
  }

  private value(): boolean {
    this.take(/[ \t\n\r]*/y)
    if (this.take(/\{/y)) return this.members('}', () => this.key() && this.value())
    if (this.take(/\[/y)) return this.members(']', () => this.value())
    if (this.text[this.at] === '"') return this.string()
    return this.take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y)
  }

  private members(end: '}' | ']', member: () => boolean): boolean {
    const closing = end === '}' ? /[ \t\n\r]*\}/y : /[ \t\n\r]*\]/y
    if (this.take(closing)) return true
    do {
      if (!member()) return false
    } while (this.take(/[ \t\n\r]*,/y))
    if (this.take(closing)) return true
    this.take(/[ \t\n\r]*/y)
    return false
  }

  private key(): boolean {
    this.take(/[ \t\n\r]*/y)
    if (!this.string()) return false
    this.take(/[ \t\n\r]*/y)
    return this.take(/:/y)
  }

  private string(): boolean {
    if (!this.take(/"/y)) return false
    // Control characters may not stand in a string; that is what is looked for.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: see above
    while (this.take(/[^"\\\u0000-\u001f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y));
    return this.take(/"/y)
  }

  private take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    const matched = pattern.exec(this.text)
    if (matched === null) return false
    this.at = pattern.lastIndex
    return true
  }
}
