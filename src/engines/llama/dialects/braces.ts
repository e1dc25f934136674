/** Reads arguments as Gemma 4 writes them, `key:<|"|>text<|"|>,list:[1,2]`, up to the closing brace. */
import { plainName } from './calls.ts'
import type { Reply } from './reply.ts'
import { literal, Markers, next, type Reading, space, until } from './tape.ts'

const depthMax = 64
const colon = new Markers([':'])
const wordMax = 64

/** What stands behind the brace is left. They become one JSON object. @param quote what stands around texts */
export function* bracedArguments(reply: Reply, name: string, quote: string): Reading<void> {
  const { tape } = reply
  for (let count = 0; ; count++) {
    const character = yield* space(tape)
    if (character === '}' || character === '') {
      if (count === 0) reply.begin(name)
      else if (character === '}') reply.arguments('}')
      return
    }
    if (count > 0) {
      if (character !== ',') return
      tape.take(1)
      yield* space(tape)
    }
    const key = yield* plainName(reply, colon)
    tape.take(1)
    if (count === 0) reply.begin(name)
    reply.arguments(`${count === 0 ? '{' : ', '}${JSON.stringify(key.replaceAll(/^"|"$/g, ''))}: `)
    yield* space(tape)
    if (!(yield* value(reply, quote, 0))) return
    tape.mark()
  }
}

/** @returns false when the value is none; what was right has been said */
function* value(reply: Reply, quote: string, depth: number): Reading<boolean> {
  const { tape } = reply
  if (yield* literal(tape, quote)) return yield* quoted(reply, quote)
  const first = yield* next(tape)
  if (first === '"') {
    tape.take(1)
    return yield* quoted(reply, '"')
  }
  if (first !== '[' && first !== '{') return yield* word(reply)
  if (depth >= depthMax) return false
  tape.take(1)
  reply.arguments(first)
  for (let count = 0; ; count++) {
    const character = yield* space(tape)
    tape.release()
    if (character === '') return false
    if (character === ']' || character === '}') {
      tape.take(1)
      reply.arguments(first === '[' ? ']' : '}')
      return true
    }
    if (count > 0) {
      if (character !== ',') return false
      tape.take(1)
      yield* space(tape)
      reply.arguments(', ')
    }
    if (first === '{') {
      const key = yield* keyOf(reply, quote)
      reply.arguments(`${JSON.stringify(key)}: `)
      yield* space(tape)
    }
    if (!(yield* value(reply, quote, depth + 1))) return false
  }
}

/** A key, with quotes or without, and its colon. */
function* keyOf(reply: Reply, quote: string): Reading<string> {
  const { tape } = reply
  let text = ''
  const marked = (yield* literal(tape, quote)) ? quote : (yield* literal(tape, '"')) ? '"' : null
  yield* until(tape, new Markers([marked ?? ':']), piece => {
    text += piece
  })
  if (marked !== null) {
    yield* literal(tape, marked)
    yield* space(tape)
  }
  yield* literal(tape, ':')
  return text.trim()
}

/** @returns whether the text was closed */
function* quoted(reply: Reply, quote: string): Reading<boolean> {
  const { tape } = reply
  tape.release()
  reply.arguments('"')
  let half = ''
  yield* until(tape, new Markers([quote]), piece => {
    const text = half + piece
    half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : ''
    reply.arguments(JSON.stringify(half === '' ? text : text.slice(0, -1)).slice(1, -1))
  })
  const closed = yield* literal(tape, quote)
  if (closed) reply.arguments(`${half === '' ? '' : JSON.stringify(half).slice(1, -1)}"`)
  return closed
}

function* word(reply: Reply): Reading<boolean> {
  let text = ''
  for (;;) {
    const character = yield* next(reply.tape)
    if (character === '' || ',]}'.includes(character)) break
    text += reply.tape.take(1)
    if (text.length > wordMax) return false
  }
  const bare = text.trim()
  if (bare === '') return false
  reply.arguments(/^(true|false|null|-?\d+(\.\d+)?([eE][+-]?\d+)?)$/.test(bare) ? bare : JSON.stringify(bare))
  return true
}
