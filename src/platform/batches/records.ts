import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/** What a line of a batch has come to. */
export interface Entry {
  /** The place of the request among those of the file, from 0. */
  readonly line: number
  /** It succeeded. */
  readonly ok: boolean
  /** It never ran, because the batch ended before. */
  readonly isUnasked: boolean
  readonly input: number
  readonly cached: number
  readonly output: number
  readonly reasoning: number
}

/** A file, and how many of its bytes count. */
export interface Found {
  readonly path: string
  readonly bytes: number
}

export interface Sums {
  completed: number
  failed: number
  /** Of those that failed. */
  unasked: number
  input: number
  cached: number
  output: number
  reasoning: number
  add(entry: Entry): void
}

export const sumsOf = (): Sums => ({
  ...{ completed: 0, failed: 0, unasked: 0, input: 0, cached: 0, output: 0, reasoning: 0 },
  add({ ok, isUnasked, input, cached, output, reasoning }) {
    if (ok) this.completed++
    else this.failed++
    if (isUnasked) this.unasked++
    this.input += input
    this.cached += cached
    this.output += output
    this.reasoning += reasoning
  },
})

const readBytes = 262_144
/** Longer heads are none. */
const headBytesMax = 200
const lineFeed = 0x0a

/**
 * The records of one file of a journal, up to the first that is not whole.
 * @param bytesMax how much of the file counts. @returns with each where it ends; its body is there until the next one is asked for
 */
export async function* readEntries(
  path: string,
  bytesMax = Number.POSITIVE_INFINITY,
): AsyncGenerator<{ entry: Entry; body: Buffer; end: number }> {
  const reader = await BoundedReader.open(path, bytesMax)
  try {
    for (;;) {
      const head = await reader.line(headBytesMax)
      const found = head === undefined ? undefined : parsed(head)
      if (found === undefined) return
      const body = await reader.take(found.length)
      if (body === undefined || crc32(body) !== found.crc || body.at(-1) !== lineFeed) return
      yield { entry: found.entry, body, end: reader.at }
    }
  } finally {
    await reader.close()
  }
}

function parsed(head: string): { entry: Entry; length: number; crc: number } | undefined {
  const match = /^(\d{1,9}) ([oex]) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,10}) (\d{1,10})$/.exec(head)
  if (match === null) return undefined
  const [line, input, cached, output, reasoning, length, crc] = [1, 3, 4, 5, 6, 7, 8].map(group =>
    Number(match[group]),
  ) as [number, number, number, number, number, number, number]
  return {
    entry: { line, ok: match[2] === 'o', isUnasked: match[2] === 'x', input, cached, output, reasoning },
    length,
    crc,
  }
}

/** Reads a file from its beginning, through one buffer: what it gives is there until it is asked for more. */
class BoundedReader {
  readonly #file: Awaited<ReturnType<typeof open>>
  readonly #bytesMax: number
  #buffer = Buffer.allocUnsafeSlow(readBytes)
  /** What of the buffer was read and not taken yet. */
  #start = 0
  #end = 0
  #read = 0

  static async open(path: string, bytesMax: number): Promise<BoundedReader> {
    return new BoundedReader(await open(path, 'r'), bytesMax)
  }

  private constructor(file: Awaited<ReturnType<typeof open>>, bytesMax: number) {
    this.#file = file
    this.#bytesMax = bytesMax
  }

  /** How far was taken. */
  get at(): number {
    return this.#read - this.#left
  }

  get #left(): number {
    return this.#end - this.#start
  }

  /** A line without its end; undefined when there is none so short. */
  async line(bytesMax: number): Promise<string | undefined> {
    const found = () => this.#buffer.subarray(this.#start, this.#end).indexOf(lineFeed)
    let length = found()
    while (length === -1 && this.#left <= bytesMax && (await this.#more())) length = found()
    if (length === -1 || length > bytesMax) return undefined
    const text = this.#buffer.toString('latin1', this.#start, this.#start + length)
    this.#start += length + 1
    return text
  }

  /** So many bytes; undefined when there are fewer. */
  async take(bytes: number): Promise<Buffer | undefined> {
    if (bytes > this.#bytesMax - this.at) return undefined
    while (this.#left < bytes) if (!(await this.#more())) return undefined
    const taken = this.#buffer.subarray(this.#start, this.#start + bytes)
    this.#start += bytes
    return taken
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #more(): Promise<boolean> {
    this.#makeRoom()
    const length = Math.min(this.#buffer.length - this.#end, this.#bytesMax - this.#read)
    if (length <= 0) return false
    const { bytesRead } = await this.#file.read(this.#buffer, this.#end, length, this.#read)
    this.#read += bytesRead
    this.#end += bytesRead
    return bytesRead > 0
  }

  /** What the head of a damaged record says is not believed: the buffer grows with what is really there. */
  #makeRoom(): void {
    const isFull = this.#left === this.#buffer.length
    const next = isFull ? Buffer.allocUnsafeSlow(this.#buffer.length * 2) : this.#buffer
    this.#buffer.copy(next, 0, this.#start, this.#end)
    this.#end = this.#left
    this.#start = 0
    this.#buffer = next
  }
}
