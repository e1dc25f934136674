/** Readers of single calls, shared by the families. Each starts where its marker ends and throws `malformed` when it is no call. */
import * as json from './json.ts'
import type { Reply } from './reply.ts'
import { expect, literal, Markers, malformed, type Reading, space, type Tape, until, upTo } from './tape.ts'

const nameMax = 256

export interface ListForm {
  /** What may end the list; null: nothing but the list itself. */
  readonly close: string | null
  /** Only functions that were offered: for forms that plain text may take. */
  readonly offered: boolean
  /** The names of the fields, where they are unusual. */
  readonly nameField?: string
  readonly argumentField?: string
}

const nameFields = new Set(['name', 'function', 'function_name', 'tool', 'tool_name'])
const argumentFields = new Set(['arguments', 'parameters', 'args'])
const isName = (key: string, { nameField }: ListForm) => nameFields.has(key) || key === nameField
const isArguments = (key: string, { argumentField }: ListForm) => argumentFields.has(key) || key === argumentField

/** `{"name": …, "arguments": {…}}`, any number of them, in a list or in a row. */
export function* callList(reply: Reply, form: ListForm): Reading<void> {
  const { tape } = reply
  for (let first = true; ; ) {
    const character = yield* space(tape)
    if (character === '{') {
      yield* callObject(reply, form)
      reply.finish()
      first = false
    } else if (first && character === '[') tape.take(1)
    else if (first) throw malformed
    // A bracket too many is a common slip.
    else if (character !== '' && ',;]}'.includes(character)) tape.take(1)
    else break
  }
  if (form.close !== null && (yield* literal(tape, form.close))) return
  giveBackAllBut(reply, /^[\s\]}]*$/)
}

/** What stands between two calls belongs to neither; what stands after the last one may be text. */
function giveBackAllBut(reply: Reply, expected: RegExp): void {
  const kept = reply.tape.release()
  if (!expected.test(kept)) reply.content.write(kept)
}

/** @param inner it stands inside another, as in `{"type": "function", "function": {…}}` */
function* callObject(reply: Reply, form: ListForm, inner = false): Reading<void> {
  const { tape } = reply
  let name: string | undefined
  let id: string | undefined
  let early: string | undefined
  let begun = false
  yield* expect(tape, '{')
  for (;;) {
    let character = yield* space(tape)
    if (character === ',') {
      tape.take(1)
      character = yield* space(tape)
    }
    if (character === '}') {
      tape.take(1)
      break
    }
    // The arguments are there; a missing bracket does no harm.
    if (begun && character !== '"') return
    const key = yield* json.text(tape)
    yield* space(tape)
    yield* expect(tape, ':')
    const first = yield* space(tape)
    if (isName(key, form) && name === undefined && first === '"') name = checked(reply, yield* json.text(tape), form)
    else if (key === 'function' && name === undefined && first === '{' && !inner) {
      yield* callObject(reply, form, true)
      name = ''
      begun = true
    } else if (key === 'id' && first === '"' && !begun) id = yield* json.text(tape)
    else if (isArguments(key, form) && !begun && name !== undefined) {
      reply.begin(name, id)
      begun = true
      yield* objectArguments(reply, form.close)
      tape.mark()
    } else if (isArguments(key, form) && !begun && early === undefined) early = yield* whole(tape)
    else yield* json.skip(tape)
  }
  if (begun) return
  if (name === undefined || (early === undefined && form.offered)) throw malformed
  reply.begin(name, id)
  reply.arguments(early ?? '')
}

/** `{"NAME": {…}}`, any number of them, in a list or in a row. @param close what may end the list */
export function* keyedList(reply: Reply, close: string | null): Reading<void> {
  const { tape } = reply
  for (let first = true; ; ) {
    const character = yield* space(tape)
    if (character === '{') {
      tape.take(1)
      yield* space(tape)
      const name = checked(reply, yield* json.text(tape), { close, offered: true })
      yield* space(tape)
      yield* expect(tape, ':')
      if ((yield* space(tape)) !== '{') throw malformed
      reply.begin(name)
      yield* objectArguments(reply, close)
      tape.mark()
      yield* space(tape)
      yield* literal(tape, '}')
      reply.finish()
      first = false
    } else if (first && character === '[') tape.take(1)
    else if (first) throw malformed
    else if (character !== '' && ',;]}'.includes(character)) tape.take(1)
    else break
  }
  if (close !== null && (yield* literal(tape, close))) return
  giveBackAllBut(reply, /^[\s\]}]*$/)
}

function checked(reply: Reply, name: string, { offered }: ListForm): string {
  if (name === '' || name.length > nameMax || (offered && !reply.tools.has(name))) throw malformed
  return name
}

function* whole(tape: Tape): Reading<string> {
  let text = ''
  const say = (piece: string) => {
    text += piece
  }
  if (!(yield* json.value(tape, say))) throw malformed
  return text
}

/** Arguments that have begun are never taken back: with brackets that do not match, all up to the end of the call belongs to them. */
export function* objectArguments(reply: Reply, close: string | null): Reading<void> {
  const say = (text: string) => reply.arguments(text)
  if (yield* json.value(reply.tape, say)) return
  yield* until(reply.tape, close === null ? nothing : new Markers([close]), say)
}

const nothing = new Markers([])

/** A name up to a marker, which stays unread. */
export function* plainName(reply: Reply, end: Markers): Reading<string> {
  const name = (yield* upTo(reply.tape, end, nameMax)).trim()
  if (name === '' || /\s/.test(name)) throw malformed
  return name
}
