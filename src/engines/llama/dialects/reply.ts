import type { FunctionTool, ParserOptions, ReplyParser, Said } from './dialect.ts'
import { malformed, type Reading, Tape } from './tape.ts'

/** All allowed calls are complete: nothing after them is read. */
const full = new Error('no more calls')

/** Runs a reader over generated text. */
export class ReplyReader implements ReplyParser {
  readonly #reply: Reply
  readonly #reading: Reading<void>
  #over = false

  constructor(options: ParserOptions, read: (reply: Reply) => Reading<void>) {
    this.#reply = new Reply(options)
    this.#reading = read(this.#reply)
  }

  get calls(): number {
    return this.#reply.calls
  }

  get full(): boolean {
    return this.#reply.full
  }

  push(text: string): Said[] {
    if (this.#over || text === '') return []
    this.#reply.tape.feed(text)
    return this.#run()
  }

  end(): Said[] {
    if (this.#over) return []
    this.#reply.tape.finish()
    const said = this.#run()
    this.#over = true
    return said
  }

  #run(): Said[] {
    try {
      if (this.#reading.next().done) this.#over = true
    } catch (error) {
      if (error !== full) throw error
      this.#over = true
    }
    return this.#reply.drain()
  }
}

/** What a reader of a reply works with: the text, and where to say what it found. */
export class Reply {
  readonly tape = new Tape()
  readonly content = new Voice('content', said => this.#say(said))
  readonly reasoning = new Voice('reasoning', said => this.#say(said))
  readonly tools: ReadonlyMap<string, FunctionTool>
  readonly prompt: string
  readonly #callsMax: number
  #said: Said[] = []
  #calls = 0
  #empty = false
  #full = false

  constructor({ tools, prompt, callsMax }: ParserOptions) {
    this.tools = new Map(tools.map(tool => [tool.function.name, tool]))
    this.prompt = prompt
    this.#callsMax = callsMax ?? Number.POSITIVE_INFINITY
  }

  get calls(): number {
    return this.#calls
  }

  get full(): boolean {
    return this.#full
  }

  drain(): Said[] {
    const said = this.#said
    this.#said = []
    return said
  }

  /** From here on nothing of the call is given back as text. White space before it is not part of the text. */
  begin(name: string, id?: string): void {
    this.tape.release()
    this.content.drop()
    this.#say({ kind: 'toolCall', index: this.#calls++, name, ...(id === undefined ? {} : { id }) })
    this.#empty = true
  }

  arguments(text: string): void {
    if (text === '') return
    this.#empty = false
    this.#say({ kind: 'toolArguments', index: this.#calls - 1, text })
  }

  /** The call is complete, and what follows is doubtful again. */
  finish(): void {
    if (this.#empty) this.arguments('{}')
    if (this.#calls >= this.#callsMax) {
      this.#full = true
      throw full
    }
    this.tape.mark()
    this.content.skip()
  }

  /** Reads what may be a call; when it is none, all of it is text. @param read what was read of it already */
  *attempt(read: string, reading: Reading<void>): Reading<void> {
    this.tape.mark(read)
    try {
      yield* reading
      this.tape.release()
    } catch (error) {
      if (error !== malformed) throw error
      this.content.write(this.tape.release())
    }
  }

  #say(said: Said): void {
    const last = this.#said.at(-1)
    if (last && 'text' in last && last.kind === said.kind && 'text' in said && index(last) === index(said))
      this.#said[this.#said.length - 1] = { ...last, text: last.text + said.text }
    else this.#said.push(said)
  }
}

const index = (said: Said) => ('index' in said ? said.index : -1)

/** White space in a row that may turn out to stand before a marker. */
const spaceMax = 256

/** Text on its way out. White space at its end waits, for it does not belong to the text when a marker follows. */
class Voice {
  readonly #kind: 'content' | 'reasoning'
  readonly #say: (said: Said) => void
  #space = ''
  #skipping = false
  #spoken = false

  constructor(kind: 'content' | 'reasoning', say: (said: Said) => void) {
    this.#kind = kind
    this.#say = say
  }

  write(text: string): void {
    const body = this.#skipping ? text.trimStart() : text
    if (body === '') return
    this.#skipping = false
    const end = body.trimEnd().length
    if (end === 0) this.#space += body
    else {
      this.#out(this.#space + body.slice(0, end))
      this.#space = body.slice(end)
    }
    if (this.#space.length > spaceMax) {
      this.#out(this.#space.slice(0, -spaceMax))
      this.#space = this.#space.slice(-spaceMax)
    }
  }

  /** White space to come is not part of the text. */
  skip(): void {
    this.#skipping = true
  }

  /** White space that waits is not part of the text. */
  drop(): void {
    this.#space = ''
  }

  /** The text is at its end, with its white space. */
  flush(): void {
    this.#out(this.#space)
    this.#space = ''
  }

  /** What follows is a message of its own: an empty line stands between them. */
  part(): void {
    this.drop()
    if (this.#spoken) this.#space = '\n\n'
    this.#skipping = true
  }

  #out(text: string): void {
    if (text === '') return
    this.#spoken = true
    this.#say({ kind: this.#kind, text })
  }
}
