import { setImmediate } from 'node:timers/promises'

/** A line without its end; `bytes` is undefined for one that is too long. */
export interface Line {
  readonly number: number
  readonly bytes: Buffer | undefined
}

const lineFeed = 0x0a
const carriageReturn = 0x0d
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf])
/** Bytes that are looked at in one go. What a reader does with the lines of so many takes a few milliseconds. */
const sliceBytes = 131_072
/** What a line costs beside its bytes: an empty object takes as long to hand on as so many bytes to parse. */
const lineBytes = 512

/**
 * The lines of a stream that hold something. A byte order mark in front, `\r\n` and blank lines are no matter; the last line need not
 * have an end. Memory: one line. Between slices the event loop has its turn.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncGenerator<Line> {
  const open = new OpenLine(lineBytesMax)
  let number = 1
  let sinceTurn = 0
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    for (let start = 0; start < bytes.length; ) {
      const found = bytes.indexOf(lineFeed, start)
      const end = found === -1 ? bytes.length : found
      open.add(bytes.subarray(start, end))
      sinceTurn += end - start + lineBytes
      start = end + 1
      if (found !== -1) {
        const line = open.close(number)
        number++
        if (line !== undefined) yield line
      }
      if (sinceTurn < sliceBytes) continue
      sinceTurn = 0
      await setImmediate()
    }
  }
  const last = open.close(number)
  if (last !== undefined) yield last
}

/** A line whose end has not come yet. */
class OpenLine {
  readonly #bytesMax: number
  #parts: Buffer[] = []
  #sizeBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  add(part: Buffer): void {
    this.#sizeBytes += part.length
    if (this.#sizeBytes <= this.#bytesMax + 1) this.#parts.push(part)
    else this.#parts = []
  }

  /** @returns undefined for a line with nothing but white space */
  close(number: number): Line | undefined {
    const sizeBytes = this.#sizeBytes
    const whole = Buffer.concat(this.#parts)
    this.#parts = []
    this.#sizeBytes = 0
    if (sizeBytes > this.#bytesMax + 1) return { number, bytes: undefined }
    let bytes = number === 1 && whole.subarray(0, 3).equals(byteOrderMark) ? whole.subarray(3) : whole
    if (bytes.at(-1) === carriageReturn) bytes = bytes.subarray(0, -1)
    if (isBlank(bytes)) return undefined
    return { number, bytes: bytes.length > this.#bytesMax ? undefined : bytes }
  }
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09 && byte !== carriageReturn) return false
  return true
}
