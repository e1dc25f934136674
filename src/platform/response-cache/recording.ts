import type { Sink } from '../../engines/engine.ts'
import { Fault, fault } from '../../lib/faults.ts'
import { encodeEvent } from '../../lib/sse.ts'

/** Bytes that all recordings hold together. */
export interface Room {
  readonly maxBytes: number
  usedBytes: number
}

/** Where pieces of a reply come from. */
export interface Source {
  /** The next piece; undefined when there is none now. */
  take(): Uint8Array | undefined
  /** There will be none; `fault`: because it has failed. What told the reader of it was the last piece. */
  readonly isOver: boolean
  readonly fault: Fault | undefined
  /** Resolves when there may be a piece, or it is over. */
  more(): Promise<void>
}

/** How far the fastest reader may be behind before the writer waits, once the recording is no longer kept as a whole. */
const aheadBytesMax = 65_536

/**
 * A streamed reply while it grows, read by several readers, each at its own pace.
 *
 * Up to a bound it is held as a whole: whoever comes later reads it from the start, and the writer never waits. Beyond, only what
 * somebody has still to read is held: the writer goes at the pace of the fastest reader, and a reader who falls behind by more than the
 * bound is cut off with an error, so that nobody can hold up the others.
 */
export class Recording implements Sink {
  readonly #maxBytes: number
  readonly #room: Room
  readonly #outgrown: () => void
  #pieces: Uint8Array[] = []
  /** Pieces and bytes that are held no longer. */
  #droppedPieces = 0
  #droppedBytes = 0
  #totalBytes = 0
  #isWhole = true
  #isOver = false
  #fault: Fault | undefined
  readonly #readers = new Set<Reading>()
  #resume: (() => void) | undefined

  /** `outgrown` is called once, when it becomes too large to be held as a whole. */
  constructor(maxBytes: number, room: Room, outgrown: () => void) {
    this.#maxBytes = maxBytes
    this.#room = room
    this.#outgrown = outgrown
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get fault(): Fault | undefined {
    return this.#fault
  }

  /** All of it in one piece, while it is held as a whole. */
  whole(): Buffer | undefined {
    if (!this.#isWhole) return undefined
    const bytes = Buffer.allocUnsafeSlow(this.#totalBytes) // pieces are views of larger buffers, and so is what a pool gives
    let at = 0
    for (const piece of this.#pieces) {
      bytes.set(piece, at)
      at += piece.length
    }
    return bytes
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isOver) return true
    this.#pieces.push(bytes)
    this.#totalBytes += bytes.length
    this.#room.usedBytes += bytes.length
    if (this.#isWhole && (this.#totalBytes > this.#maxBytes || this.#isTight)) {
      this.#isWhole = false
      this.#outgrown()
    }
    if (!this.#isWhole) this.#trim()
    for (const reader of this.#readers) reader.wake()
    return this.#isWhole || this.#isFollowed
  }

  drained(resume: () => void): void {
    this.#resume = resume
    this.read()
  }

  /** The end: whole, or with this fault, of which the last piece has told. */
  end(failed?: Fault): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#fault = failed
    for (const reader of this.#readers) reader.wake()
    if (this.#readers.size === 0) this.#release()
  }

  /** A reader, from the start. */
  open(): Reading {
    const reader = new Reading(this)
    this.#readers.add(reader)
    return reader
  }

  /** @internal for readers */
  piece(index: number): Uint8Array | undefined {
    return this.#pieces[index - this.#droppedPieces]
  }

  /** @internal A reader has gone on: the writer may, too. */
  read(): void {
    if (this.#resume === undefined || !(this.#isWhole || this.#isFollowed)) return
    const resume = this.#resume
    this.#resume = undefined
    resume()
  }

  /** @internal A reader is gone. */
  closed(reader: Reading): void {
    if (!this.#readers.delete(reader)) return
    if (this.#readers.size > 0) return
    if (this.#isOver) this.#release()
    else this.read() // nobody is waited for: whoever writes is told to stop in another way
  }

  get #isTight(): boolean {
    return this.#room.usedBytes > this.#room.maxBytes
  }

  /** Some reader is close behind, or there is none. */
  get #isFollowed(): boolean {
    if (this.#isOver || this.#readers.size === 0) return true
    for (const { bytes } of this.#readers) if (this.#totalBytes - bytes <= aheadBytesMax) return true
    return false
  }

  /** Cuts those off who are too far behind, and lets go what all others have read. */
  #trim(): void {
    const ahead = Math.max(...Array.from(this.#readers, ({ bytes }) => bytes))
    const behindMax = this.#isTight ? aheadBytesMax : this.#maxBytes
    let slowest = Number.POSITIVE_INFINITY
    for (const reader of this.#readers) {
      if (reader.bytes < ahead && this.#totalBytes - reader.bytes > behindMax) reader.cut()
      else slowest = Math.min(slowest, reader.place)
    }
    const drop = Math.min(slowest - this.#droppedPieces, this.#pieces.length)
    if (drop <= 0) return
    const bytes = this.#pieces.splice(0, drop).reduce((sum, { length }) => sum + length, 0)
    this.#droppedPieces += drop
    this.#droppedBytes += bytes
    this.#room.usedBytes -= bytes
  }

  #release(): void {
    this.#room.usedBytes -= this.#totalBytes - this.#droppedBytes
    this.#droppedBytes = this.#totalBytes
    this.#droppedPieces += this.#pieces.length
    this.#pieces = []
  }
}

/** One reader of a recording. Closed by whoever opened it. */
export class Reading implements Source {
  readonly #recording: Recording
  #wake: (() => void) | undefined
  #isCut = false
  #toldOfCut = false
  /** Pieces and bytes that were taken. */
  place = 0
  bytes = 0

  constructor(recording: Recording) {
    this.#recording = recording
  }

  get isOver(): boolean {
    return this.#isCut ? this.#toldOfCut : this.#recording.isOver && this.#recording.piece(this.place) === undefined
  }

  get fault(): Fault | undefined {
    return this.#isCut ? tooSlow : this.#recording.fault
  }

  take(): Uint8Array | undefined {
    if (this.#isCut) {
      if (this.#toldOfCut) return undefined
      this.#toldOfCut = true
      return eventOf(tooSlow)
    }
    const piece = this.#recording.piece(this.place)
    if (piece === undefined) return undefined
    this.place++
    this.bytes += piece.length
    this.#recording.read()
    return piece
  }

  async more(): Promise<void> {
    if (this.isOver || this.#isCut || this.#recording.piece(this.place) !== undefined) return
    await new Promise<void>(resolve => {
      this.#wake = resolve
    })
  }

  wake(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  cut(): void {
    this.#isCut = true
    this.#recording.closed(this)
    this.wake()
  }

  close(): void {
    this.#recording.closed(this)
    this.wake()
  }
}

const tooSlow = fault.readTooSlowly()

/** How a stream that has begun tells that it failed. */
export const eventOf = (failed: Fault): Buffer => Buffer.from(encodeEvent(JSON.stringify(failed.body())))

/** What was thrown, as a fault. */
export const faultOf = (error: unknown): Fault => (error instanceof Fault ? error : fault.internal(error))
