/** Reads arguments as Python writes them, `key='text', other=[1, True]`, up to the closing bracket. */
import { plainName } from './calls.ts'
import type { Reply } from './reply.ts'
import { Markers, next, type Reading, space, Tape } from './tape.ts'

const depthMax = 64
const equals = new Markers(['='])

/** What stands behind the bracket is left. They become one JSON object. */
export function* pythonArguments(reply: Reply, name: string): Reading<void> {
  const { tape } = reply
  for (let count = 0; ; count++) {
    const character = yield* space(tape)
    if (character === ')' || character === '') {
      if (count === 0) reply.begin(name)
      else if (character === ')') reply.arguments('}')
      return
    }
    if (count > 0) {
      if (character !== ',') return
      tape.take(1)
      yield* space(tape)
    }
    const key = yield* plainName(reply, equals)
    tape.take(1)
    if (count === 0) reply.begin(name)
    reply.arguments(`${count === 0 ? '{' : ', '}${JSON.stringify(key)}: `)
    yield* space(tape)
    if (!(yield* value(tape, text => reply.arguments(text), 0))) return
    tape.mark()
  }
}

type Say = (text: string) => void
/** A whole value of Python as JSON; null when it is none. */
export function pythonJson(text: string): string | null {
  const tape = new Tape()
  tape.feed(text)
  tape.finish()
  let json = ''
  const reading = value(
    tape,
    piece => {
      json += piece
    },
    0,
  )
  // All of the text is there, so that the reader does not wait.
  const { value: right } = reading.next()
  return right === true && tape.rest().trim() === '' && isJson(json) ? json : null
}

const closers: Readonly<Record<string, string>> = { '[': ']', '(': ']', '{': '}' }

/** @returns false when the value is none; what was right has been said */
function* value(tape: Tape, say: Say, depth: number): Reading<boolean> {
  const first = yield* next(tape)
  if (first === '"' || first === "'") return yield* quoted(tape, say, first)
  const closer = closers[first]
  if (closer === undefined) return yield* word(tape, say)
  if (depth >= depthMax) return false
  say(first === '(' ? '[' : first)
  tape.take(1)
  for (let character = yield* space(tape); ; character = yield* space(tape)) {
    if (character === '') return false
    tape.release()
    if (']})'.includes(character)) {
      say(closer)
      tape.take(1)
      return true
    }
    if (character === ',' || character === ':') {
      tape.take(1)
      // A comma may stand behind the last one.
      if (character === ',' && ']})'.includes(yield* space(tape))) continue
      say(character === ',' ? ', ' : ': ')
    } else if (!(yield* value(tape, say, depth + 1))) return false
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '\n': '' }

/** @returns whether the text was closed */
function* quoted(tape: Tape, say: Say, quote: string): Reading<boolean> {
  tape.take(1)
  say('"')
  for (;;) {
    tape.release()
    const character = yield* next(tape)
    if (character === '') return false
    tape.take(1)
    if (character === quote) {
      say('"')
      return true
    }
    const text = character === '\\' ? yield* escaped(tape) : yield* whole(tape, character)
    say(JSON.stringify(text).slice(1, -1))
  }
}

/** Both halves of a pair. */
function* whole(tape: Tape, character: string): Reading<string> {
  if (!/[\ud800-\udbff]/.test(character)) return character
  const second = yield* next(tape)
  return /^[\udc00-\udfff]$/.test(second) ? character + tape.take(1) : character
}

function* escaped(tape: Tape): Reading<string> {
  const kind = yield* next(tape)
  tape.take(kind.length)
  const digits = { x: 2, u: 4, U: 8 }[kind]
  if (digits === undefined) return escapes[kind] ?? kind
  let hex = ''
  while (hex.length < digits && /^[0-9a-fA-F]$/.test(yield* next(tape))) hex += tape.take(1)
  const code = Number.parseInt(hex, 16)
  return code <= 0x10ffff ? String.fromCodePoint(code) : `\\${kind}${hex}`
}

const words = new Map([
  ['True', 'true'],
  ['False', 'false'],
  ['None', 'null'],
])
const wordMax = 64

/** A number or a name. */
function* word(tape: Tape, say: Say): Reading<boolean> {
  let text = ''
  for (;;) {
    const character = yield* next(tape)
    if (!/^[\w.+-]$/.test(character)) break
    text += tape.take(1)
    if (text.length > wordMax) return false
  }
  if (text === '') return false
  const known = words.get(text) ?? (isJson(text) ? text : JSON.stringify(text))
  say(known)
  return true
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
