/** Reads JSON as models write it: brackets and strings must be right, the rest is passed on as it is. */
import { literal, malformed, next, type Reading, space, type Tape } from './tape.ts'

const depthMax = 256
const keyMax = 1024
const scalarMax = 64

/**
 * Says the raw text of one value as it comes. A string is said without its quotes and escapes: some models put their arguments
 * into a string.
 * @returns false when brackets do not match; what was right has been said
 */
export function* value(tape: Tape, say: (text: string) => void): Reading<boolean> {
  const first = yield* next(tape)
  if (first === '"') return yield* string(tape, say)
  if (first === '{' || first === '[') return yield* balanced(tape, say)
  return yield* scalar(tape, say)
}

/** Reads a string and gives its value. @throws malformed when none stands here, or a too long one */
export function* text(tape: Tape, max = keyMax): Reading<string> {
  let read = ''
  if ((yield* next(tape)) !== '"') throw malformed
  const closed = yield* string(tape, piece => {
    read += piece
    if (read.length > max) throw malformed
  })
  if (!closed) throw malformed
  return read
}

/** An object or a list, up to its own end. */
function* balanced(tape: Tape, say: (text: string) => void): Reading<boolean> {
  const closers: string[] = []
  let inString = false
  let escaped = false
  for (;;) {
    const rest = tape.rest()
    for (let at = 0; at < rest.length; at++) {
      const character = rest[at]
      if (escaped) escaped = false
      else if (inString) {
        if (character === '\\') escaped = true
        else if (character === '"') inString = false
      } else if (character === '"') inString = true
      else if (character === '{' || character === '[') {
        closers.push(character === '{' ? '}' : ']')
      } else if (character === '}' || character === ']') {
        if (closers.pop() !== character) {
          if (at > 0) say(tape.take(at))
          return false
        }
        if (closers.length === 0) {
          say(tape.take(at + 1))
          return true
        }
      }
      if (closers.length > depthMax) {
        say(tape.take(at + 1))
        return false
      }
    }
    if (rest !== '') say(tape.take(rest.length))
    // Cut off: what is there is what the model wrote.
    if (tape.ended) return true
    yield
  }
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }

/** @returns whether the string was closed */
function* string(tape: Tape, say: (text: string) => void): Reading<boolean> {
  tape.take(1)
  let high = ''
  for (;;) {
    const rest = tape.rest()
    const length = plainLength(rest)
    if (length > 0) {
      say(high + tape.take(length))
      high = ''
    }
    const character = yield* next(tape)
    if (character === '' || character === '"') {
      if (high !== '') say(high)
      tape.take(character.length)
      return character === '"'
    }
    if (character !== '\\') continue
    tape.take(1)
    const unit = yield* escaped(tape)
    // The second half of a surrogate pair follows in an escape of its own.
    if (high === '' && /^[\ud800-\udbff]$/.test(unit)) high = unit
    else {
      if (high + unit !== '') say(high + unit)
      high = ''
    }
  }
}

function plainLength(text: string): number {
  let at = 0
  while (at < text.length && text[at] !== '"' && text[at] !== '\\') at++
  return at
}

function* escaped(tape: Tape): Reading<string> {
  const kind = yield* next(tape)
  if (kind === '') return ''
  tape.take(1)
  if (kind !== 'u') return escapes[kind] ?? kind
  let digits = ''
  while (digits.length < 4) {
    const digit = yield* next(tape)
    if (!/^[0-9a-fA-F]$/.test(digit)) return `\\u${digits}`
    digits += tape.take(1)
  }
  return String.fromCharCode(Number.parseInt(digits, 16))
}

/** A number, true, false or null; null says nothing. */
function* scalar(tape: Tape, say: (text: string) => void): Reading<boolean> {
  if (yield* literal(tape, 'null')) return true
  let length = 0
  for (;;) {
    const character = yield* next(tape)
    if (!/^[\w.+-]$/.test(character)) return length > 0
    if (++length > scalarMax) return false
    say(tape.take(1))
  }
}

/** Reads a value that nobody asked for. @throws malformed when it is none */
export function* skip(tape: Tape): Reading<void> {
  if (!(yield* value(tape, () => {}))) throw malformed
  yield* space(tape)
}
