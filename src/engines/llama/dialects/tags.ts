/** Readers of calls in tags: `<function=NAME>…</function>` and the rows of parameters that stand in them. */

import { objectArguments, plainName } from './calls.ts'
import type { FunctionTool } from './dialect.ts'
import { pythonJson } from './python.ts'
import type { Reply } from './reply.ts'
import { expect, keptMax, literal, Markers, type Reading, space, until } from './tape.ts'

const nameEnd = new Markers(['>'])
const functionClose = '</function>'

/** After `<function=`: `NAME>{…}</function>`, or `NAME>`, rows of `<parameter=KEY>VALUE</parameter>`, `</function>`. */
export function* functionTag(reply: Reply): Reading<void> {
  const { tape } = reply
  const name = yield* plainName(reply, nameEnd)
  yield* expect(tape, '>')
  if ((yield* space(tape)) === '{') {
    reply.begin(name)
    yield* objectArguments(reply, functionClose)
    tape.mark()
    yield* space(tape)
    yield* literal(tape, functionClose)
  } else yield* parameterRows(reply, name, parameterTag)
  reply.finish()
}

/** How one parameter is written. */
export interface RowForm {
  readonly open: string
  /** Between key and value; white space may stand around it. */
  readonly between: readonly string[]
  readonly close: string
  /** After the last row. */
  readonly end: string
}

const parameterTag: RowForm = { open: '<parameter=', between: ['>'], close: '</parameter>', end: functionClose }

/** The rows become one JSON object. The end of the call is read too. */
export function* parameterRows(reply: Reply, name: string, form: RowForm): Reading<void> {
  const { tape } = reply
  for (let count = 0; ; count++) {
    const character = yield* space(tape)
    if (yield* literal(tape, form.open)) {
      const key = yield* rowKey(reply, form)
      if (count === 0) reply.begin(name)
      reply.arguments(`${count === 0 ? '{' : ', '}${JSON.stringify(key)}: `)
      yield* rowValue(reply, form.close, isText(reply.tools.get(name), key))
      tape.mark()
    } else if (count === 0) {
      yield* expect(tape, form.end)
      reply.begin(name)
      return
    } else {
      // Cut off: what is there is what the model wrote. Broken: the call ends here.
      if (character !== '') reply.arguments('}')
      yield* literal(tape, form.end)
      return
    }
  }
}

function* rowKey(reply: Reply, { between: [first = '>', ...others] }: RowForm): Reading<string> {
  const key = yield* plainName(reply, new Markers([first]))
  yield* expect(reply.tape, first)
  for (const text of others) {
    yield* space(reply.tape)
    yield* expect(reply.tape, text)
  }
  return key
}

/** Reads one bare value and its end. */
export function* rowValue(reply: Reply, close: string, text: boolean): Reading<void> {
  const { tape } = reply
  tape.release()
  const value = new RowValue(text, piece => reply.arguments(piece))
  yield* literal(tape, '\n')
  yield* until(tape, new Markers([close]), piece => value.write(piece))
  value.end(yield* literal(tape, close))
}

/** Whether a parameter takes text, which is then not read as JSON. */
export function isText(tool: FunctionTool | undefined, key: string): boolean {
  const properties = tool?.function.parameters?.properties
  const schema = isRecord(properties) && Object.hasOwn(properties, key) ? properties[key] : undefined
  if (!isRecord(schema)) return true
  if (Array.isArray(schema.enum)) return schema.enum.every(item => typeof item === 'string')
  return schema.type === 'string'
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Makes JSON of a bare value: of text as it comes, of anything else when it is whole. */
class RowValue {
  readonly #say: (text: string) => void
  #text: boolean
  #quoted = false
  /** Of text, what may not be said yet; of anything else, all of it. */
  #held = ''

  constructor(text: boolean, say: (text: string) => void) {
    this.#text = text
    this.#say = say
  }

  write(piece: string): void {
    this.#held += piece
    if (this.#held.length > keptMax) this.#text = true
    if (!this.#text) return
    // The line's end before the closing tag is not part of the value, and half a character is nothing to escape.
    const keep = /[\n\ud800-\udbff]$/.test(this.#held) ? 1 : 0
    this.#quote(this.#held.slice(0, this.#held.length - keep))
    this.#held = this.#held.slice(this.#held.length - keep)
  }

  end(closed: boolean): void {
    const rest = closed && this.#held.endsWith('\n') ? this.#held.slice(0, -1) : this.#held
    if (this.#text) {
      this.#quote(rest)
      if (closed) this.#say('"')
    } else this.#say(closed ? jsonOf(rest.trim()) : rest)
  }

  #quote(text: string): void {
    if (!this.#quoted) this.#say('"')
    this.#quoted = true
    this.#say(JSON.stringify(text).slice(1, -1))
  }
}

/** Templates of this form print Python's words. */
const words = new Map([
  ['True', 'true'],
  ['False', 'false'],
  ['None', 'null'],
])

function jsonOf(text: string): string {
  const word = words.get(text)
  if (word !== undefined) return word
  try {
    JSON.parse(text)
    return text
  } catch {
    // Templates of this form print nested values as Python does, and so their models may write them.
    return pythonJson(text) ?? JSON.stringify(text)
  }
}
