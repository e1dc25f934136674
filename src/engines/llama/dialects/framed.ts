/** Readers of calls in a form that is known from the renderings of a template alone. */
import { slots, spellingParts } from '../grammar/slots.ts'
import { bracedArguments } from './braces.ts'
import { callList, keyedList, objectArguments, plainName } from './calls.ts'
import type { CallFraming, RowFraming, Wrapping } from './dialect.ts'
import { pythonArguments } from './python.ts'
import type { Form } from './reading.ts'
import type { Reply } from './reply.ts'
import { isText, rowValue } from './tags.ts'
import { literal, Markers, malformed, type Reading, space, type Tape } from './tape.ts'

/** How calls of this form are read, and the word for the form; null where nothing tells where a call begins. */
export function framedForm(framing: CallFraming): { name: string; form: Pick<Form, 'opens' | 'bare' | 'read'> } | null {
  const { marker, rest } = openingOf(framing)
  const { name, read } = readerOf(framing, rest, !/[<[|\]>]/.test(marker))
  const { parameters } = framing
  // A row that does not tell where its key and its value end cannot be read.
  if (name === 'own-rows' && parameters !== null && (forks(parameters).shared === '' || parameters.after.trim() === ''))
    return null
  if (marker !== '') return { name, form: { opens: [marker], bare: () => false, read } }
  if (framing.name === 'plain') return null
  return { name, form: { opens: ['\n{'], bare: character => character === '{' || character === '[', read } }
}

/** Calls of Python behind a mark. */
export function pythonCalls(framing: CallFraming): Pick<Form, 'opens' | 'read'> {
  const { marker, rest } = openingOf(framing)
  return { opens: [marker], read: reply => framedCalls(reply, framing, rest) }
}

/** Where JSON begins in what stands before a name. */
const jsonStart = /\[?\s*\{\s*"/

/** What a call is told by, and what stands between that and the name. */
function openingOf({ open, before, name }: CallFraming): { marker: string; rest: string } {
  const start = open + before
  if (name === 'json') {
    const at = start.search(jsonStart)
    return { marker: start.slice(0, at === -1 ? start.length : at).trim(), rest: '' }
  }
  const [first = ''] = spellingParts(start)
  const tag = /^\s*(<[^<>]+>|\[[A-Z_]+\])/.exec(first)?.[0] ?? first
  return { marker: tag.trim(), rest: start.slice(tag.length) }
}

function readerOf(framing: CallFraming, rest: string, offered: boolean): { name: string; read: Form['read'] } {
  const { before, between, after, close, name, parameters } = framing
  if (name === 'json') {
    const last = /[}\]\s]*([^}\]]*)$/.exec(after + close)?.[1]?.trim() ?? ''
    const [mark] = /^<[^<>]+>|^[^<]+/.exec(last) ?? []
    const end = mark === undefined || hasSlot(mark) ? null : mark
    const [, nameField] = /"(\w+)"\s*:\s*"$/.exec(before) ?? []
    if (nameField === undefined) return { name: 'own-keyed', read: reply => keyedList(reply, end) }
    const [, argumentField = 'arguments'] = /"(\w+)"\s*:\s*$/.exec(between) ?? []
    const list = { close: end, offered, nameField, argumentField }
    return { name: 'own-json', read: reply => callList(reply, list) }
  }
  const kind =
    parameters === null ? 'own-named' : between === '(' ? 'own-python' : between === '{' ? 'own-braces' : 'own-rows'
  return { name: kind, read: reply => framedCalls(reply, framing, rest) }
}

const hasSlot = (text: string) => text.includes(slots.index) || text.includes(slots.id)

/** @param rest what stands between the marker and the first name */
function* framedCalls(reply: Reply, framing: CallFraming, rest: string): Reading<void> {
  const { tape } = reply
  const { before, between, after, separator, close, parameters } = framing
  const nameEnds = new Markers(endsOf([between + (parameters?.before ?? ''), between + after]))
  yield* loosely(tape, rest)
  for (;;) {
    const name = yield* plainName(reply, nameEnds)
    yield* loosely(tape, between)
    yield* argumentsIn(reply, name, framing)
    tape.mark()
    yield* perhaps(tape, after)
    reply.finish()
    if (separator === null || !(yield* perhaps(tape, separator + before))) break
  }
  yield* perhaps(tape, close)
  tape.release()
}

function* argumentsIn(reply: Reply, name: string, { between, after, close, parameters }: CallFraming): Reading<void> {
  if (parameters === null) {
    if ((yield* space(reply.tape)) !== '{') throw malformed
    reply.begin(name)
    const [end = ''] = spellingParts(after.trim() || close.trim())
    return yield* objectArguments(reply, end === '' ? null : end)
  }
  if (between === '(') return yield* pythonArguments(reply, name)
  if (between === '{') return yield* bracedArguments(reply, name, /<[^<>]+>/.exec(parameters.after)?.[0] ?? '"')
  yield* rows(reply, name, parameters)
}

/** Rows of `before KEY between VALUE after`; what stands behind the last one is left. */
function* rows(reply: Reply, name: string, form: RowFraming): Reading<void> {
  const { tape } = reply
  const { shared, text: textRest, other: otherRest } = forks(form)
  const close = form.after.trim()
  let count = 0
  while (yield* perhaps(tape, form.before)) {
    const key = yield* plainName(reply, new Markers([shared]))
    yield* loosely(tape, shared)
    const differs = textRest !== otherRest
    const isOther = differs && !(yield* perhaps(tape, textRest))
    if (isOther || !differs) yield* perhaps(tape, otherRest)
    if (count === 0) reply.begin(name)
    reply.arguments(`${count === 0 ? '{' : ', '}${JSON.stringify(key)}: `)
    const text = differs ? !isOther : isText(reply.tools.get(name), key)
    const quoted = form.cdata && (yield* literal(tape, cdata.open))
    yield* rowValue(reply, quoted ? cdata.close + close : close, text)
    tape.mark()
    count++
  }
  if (count === 0) reply.begin(name)
  else if ((yield* space(tape)) !== '') reply.arguments('}')
}

/** Around a text that would be taken for tags. */
const cdata: Wrapping = { open: '<![CDATA[', close: ']]>' }

/** What stands between key and value: for all values, and then for texts and for others. */
function forks({ between, other }: RowFraming): { shared: string; text: string; other: string } {
  const text = between.trim()
  const second = other?.between.trim() ?? text
  let length = 0
  while (length < text.length && text[length] === second[length]) length++
  return { shared: text.slice(0, length), text: text.slice(length), other: second.slice(length) }
}

/** What a name may end at: the beginnings of these, as far as they are clear. */
function endsOf(spellings: readonly string[]): string[] {
  const found = spellings.map(spelling => /^\s*(\n|<[^<>]*|\S)/.exec(spellingParts(spelling)[0] ?? '')?.[1] ?? '')
  const ends = [...new Set(found.filter(end => end !== ''))]
  return ends.filter(end => !ends.some(one => one !== end && end.includes(one)))
}

/** Reads a spelling whose white space may differ. @throws malformed when something else stands there */
function* loosely(tape: Tape, spelling: string): Reading<void> {
  for (const part of parts(spelling)) if (!(yield* piece(tape, part))) throw malformed
}

/** Reads a spelling if it stands next: its beginning decides. */
function* perhaps(tape: Tape, spelling: string): Reading<boolean> {
  const [first, ...others] = parts(spelling)
  if (first === undefined) return false
  if (!(yield* piece(tape, first))) return false
  for (const part of others) if (!(yield* piece(tape, part))) break
  return true
}

const parts = (spelling: string) =>
  spellingParts(spelling)
    .flatMap(part => part.split(/\s*\n\s*|(?<=>)(?=<)/))
    .map(part => part.trim())
    .filter(part => part !== '')

function* piece(tape: Tape, part: string): Reading<boolean> {
  if (part !== slots.index && part !== slots.id) {
    yield* space(tape)
    return yield* literal(tape, part)
  }
  // Any word: a model counts as it likes.
  for (let length = 0; length < wordMax; length++) {
    const character = yield* space(tape)
    if (!/^[\w-]$/.test(character)) return length > 0
    tape.take(1)
  }
  return false
}

const wordMax = 256
