/**
 * Server-sent events, written and read. Source of the rules: WHATWG HTML, section 9.2 (server-sent events); what OpenAI's clients
 * of every age accept is narrower, and `encodeEvent` keeps to that: one line of data, with the space after the colon.
 */

/**
 * One event in bytes that every client reads: `data: …` and a blank line, after `event: …` when a name is given. `data` is one line.
 * Throws a RangeError for line breaks, because old clients read line by line.
 */
export function encodeEvent(data: string, event?: string): string {
  if (lineBreak.test(data) || (event !== undefined && lineBreak.test(event)))
    throw new RangeError('An event must not hold line breaks.')
  return event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`
}

const lineBreak = /[\r\n]/

/** How a stream of `data` events of the completion endpoints ends. */
export const doneEvent = 'data: [DONE]\n\n'

export interface ServerEvent {
  /** `message` when the sender named none. */
  event: string
  /** The lines of data, joined by line feeds. */
  data: string
}

/** Reads one block (the lines before a blank line, with line feeds only). Undefined when it holds no data: a comment, an id, a retry. */
export function readBlock(block: string): ServerEvent | undefined {
  const data: string[] = []
  let event = ''
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
  }
  return data.length === 0 ? undefined : { event: event === '' ? 'message' : event, data: data.join('\n') }
}

/** A block grew over the bound of its reader. */
export class BlockTooLong extends Error {
  override readonly name = 'BlockTooLong'

  constructor(maxBytes: number) {
    super(`An event is longer than ${maxBytes} bytes.`)
  }
}

/**
 * Cuts a stream of bytes into whole blocks, however the bytes arrive. Line ends become line feeds, a byte order mark at the start is
 * dropped. Bytes that already are in that form are passed on as views, not copied. Holds at most `maxBlockBytes` between two pushes.
 */
export class BlockCutter {
  readonly #maxBlockBytes: number
  #rest: Buffer = Buffer.alloc(0)
  #restLength = 0
  #afterReturn = false
  #atStart = true

  constructor(maxBlockBytes: number) {
    this.#maxBlockBytes = maxBlockBytes
  }

  /** The blocks that are complete with this chunk, each with its blank line; often empty. Throws BlockTooLong. */
  push(chunk: Uint8Array): Buffer {
    const view = chunk instanceof Buffer ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const bytes = this.#lineFeeds(view)
    const end = this.#lastEnd(bytes)
    if (end === 0) {
      this.#keep(bytes)
      return nothing
    }
    const whole = this.#restLength === 0 ? bytes.subarray(0, end) : this.#joined(bytes.subarray(0, end))
    this.#restLength = 0
    if (end < bytes.length) this.#keep(bytes.subarray(end))
    return this.#withoutMark(whole)
  }

  /** At the end of the stream: a last block whose blank line is missing, or nothing. */
  end(): Buffer {
    const rest = this.#withoutMark(Buffer.from(this.#rest.subarray(0, this.#restLength)))
    this.#restLength = 0
    return rest
  }

  /** Where the last whole block ends in `bytes`; 0 when none ends there. */
  #lastEnd(bytes: Buffer): number {
    const blank = bytes.lastIndexOf(blankLine)
    if (blank >= 0) return blank + 2
    return bytes[0] === lineFeed && this.#restLength > 0 && this.#rest[this.#restLength - 1] === lineFeed ? 1 : 0
  }

  /** Doubles its memory, so that a stream of single bytes costs no more than its length. */
  #keep(bytes: Buffer): void {
    const length = this.#restLength + bytes.length
    if (length > this.#maxBlockBytes) throw new BlockTooLong(this.#maxBlockBytes)
    if (length > this.#rest.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(512, length, this.#rest.length * 2))
      this.#rest.copy(larger, 0, 0, this.#restLength)
      this.#rest = larger
    }
    bytes.copy(this.#rest, this.#restLength)
    this.#restLength = length
  }

  #joined(bytes: Buffer): Buffer {
    return Buffer.concat([this.#rest.subarray(0, this.#restLength), bytes])
  }

  #withoutMark(whole: Buffer): Buffer {
    if (!this.#atStart || whole.length === 0) return whole
    this.#atStart = false
    return whole[0] === 0xef && whole[1] === 0xbb && whole[2] === 0xbf ? whole.subarray(3) : whole
  }

  /** A carriage return ends a line at once; a line feed right after it, perhaps in the next chunk, belongs to it. */
  #lineFeeds(chunk: Buffer): Buffer {
    if (!this.#afterReturn && !chunk.includes(carriageReturn)) return chunk
    const bytes = Buffer.allocUnsafe(chunk.length)
    let length = 0
    for (const byte of chunk) {
      if (byte !== lineFeed || !this.#afterReturn) bytes[length++] = byte === carriageReturn ? lineFeed : byte
      this.#afterReturn = byte === carriageReturn
    }
    return bytes.subarray(0, length)
  }
}

const lineFeed = 10
const carriageReturn = 13
const blankLine = Buffer.from('\n\n')
const nothing = Buffer.alloc(0)

/** Reads events from bytes, however these are split; no character is ever cut, because blocks end at line feeds. */
export class EventParser {
  readonly #cutter: BlockCutter

  constructor(maxBlockBytes: number) {
    this.#cutter = new BlockCutter(maxBlockBytes)
  }

  /** The events that are complete with this chunk. Bytes that are not UTF-8 become U+FFFD. Throws BlockTooLong. */
  push(chunk: Uint8Array): ServerEvent[] {
    const whole = this.#cutter.push(chunk)
    if (whole.length === 0) return []
    const events: ServerEvent[] = []
    for (const block of whole.toString('utf8').split('\n\n')) {
      const event = readBlock(block)
      if (event !== undefined) events.push(event)
    }
    return events
  }
}
