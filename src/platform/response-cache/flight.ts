import type { Fault } from '../../lib/faults.ts'
import { describe, type Log } from '../../lib/log.ts'
import { doneEvent, encodeEvent } from '../../lib/sse.ts'
import type { Reply } from '../operation.ts'
import type { Kept } from './entries.ts'
import { eventOf, faultOf, type Reading, Recording, type Room } from './recording.ts'
import { drained } from './replies.ts'

/** How the reply of a flight begins, as soon as that is known. */
export type Beginning =
  | { readonly kind: 'document'; readonly bytes: Buffer }
  | { readonly kind: 'stream' }
  | { readonly kind: 'failed'; readonly fault: Fault }
  /** It never started, for reasons that are the leader's alone. */
  | { readonly kind: 'dissolved' }

export interface FlightParts {
  /** Of a stream that is held as a whole. */
  maxBytes: number
  room: Room
  log: Log
  /** Nobody may come aboard any more. `reply`: it is whole, and may be kept. */
  over(reply?: Omit<Kept, 'ttlMs'>): void
}

/**
 * One run of an engine for everybody who asks for the same at the same time. It belongs to nobody aboard: it goes on as long as somebody
 * is left, and is aborted when the last one leaves.
 */
export class Flight {
  readonly #parts: FlightParts
  readonly #recording: Recording
  readonly #leaving = new AbortController()
  readonly #aboard = new Set<Seat>()
  #beginning: Beginning | undefined
  /** Headers of the reply, which are for the one who runs it. */
  headers: readonly string[] = []

  constructor(parts: FlightParts) {
    this.#parts = parts
    this.#recording = new Recording(parts.maxBytes, parts.room, () => parts.over())
  }

  /** Aborted when nobody is aboard any more. */
  get signal(): AbortSignal {
    return this.#leaving.signal
  }

  /** A place for somebody who stays until the signal is aborted. */
  board(signal: AbortSignal): Seat {
    const seat = new Seat(this, this.#recording.open(), signal)
    this.#aboard.add(seat)
    if (this.#beginning !== undefined) seat.begin(this.#beginning)
    return seat
  }

  /** Nobody runs it: whoever is aboard has to look for another one. */
  dissolve(): void {
    this.#parts.over()
    this.#recording.end()
    this.#begin({ kind: 'dissolved' })
  }

  /** Runs it to its end; never fails. */
  async run(work: (signal: AbortSignal) => Promise<Reply>): Promise<void> {
    try {
      const reply = await work(this.signal)
      this.headers = reply.headers ?? []
      if (reply.kind === 'json' || reply.kind === 'bytes') {
        const bytes = reply.kind === 'bytes' ? reply.bytes : Buffer.from(JSON.stringify(reply.value))
        this.#recording.end()
        this.#parts.over({ bytes, isStream: false })
        this.#begin({ kind: 'document', bytes })
      } else if (reply.kind === 'content') throw new Error('Content of other types is not kept.')
      else {
        this.#begin({ kind: 'stream' })
        await this.#record(reply)
      }
    } catch (error) {
      this.#parts.over()
      this.#recording.end()
      this.#begin({ kind: 'failed', fault: faultOf(error) })
    }
  }

  /** @internal for seats */
  left(seat: Seat, reason?: unknown): void {
    if (!this.#aboard.delete(seat) || this.#aboard.size > 0 || this.#recording.isOver) return
    this.#parts.over()
    this.#leaving.abort(reason)
  }

  async #record(reply: Extract<Reply, { kind: 'events' | 'relay' }>): Promise<void> {
    const recording = this.#recording
    let failed: Fault | undefined
    try {
      if (reply.kind === 'relay') failed = await reply.pipe(recording)
      else await this.#encode(reply.events)
    } catch (error) {
      failed = faultOf(error)
      this.#parts.log.error('stream.broken', { code: failed.code, cause: describe(failed.cause ?? failed) })
      recording.write(eventOf(failed))
    }
    const bytes = failed === undefined && !this.signal.aborted ? recording.whole() : undefined
    recording.end(failed)
    if (bytes === undefined || !endsStream(bytes)) this.#parts.over()
    else this.#parts.over({ bytes, isStream: true })
  }

  async #encode(events: AsyncIterable<object>): Promise<void> {
    for await (const event of events) {
      if (this.signal.aborted) return
      const taken = this.#recording.write(Buffer.from(encodeEvent(JSON.stringify(event))))
      if (!taken) await drained(this.#recording, this.signal)
    }
    if (!this.signal.aborted) this.#recording.write(endOfStream)
  }

  #begin(beginning: Beginning): void {
    this.#beginning = beginning
    for (const seat of this.#aboard) seat.begin(beginning)
  }
}

const endOfStream = Buffer.from(doneEvent)

const endsStream = (bytes: Buffer): boolean => endOfStream.equals(bytes.subarray(-endOfStream.length))

/** A place aboard: given up by itself when its signal is aborted or the stream was read to its end. */
export class Seat {
  readonly reading: Reading
  readonly #flight: Flight
  readonly #signal: AbortSignal
  readonly #began = Promise.withResolvers<Beginning>()
  readonly #leave = () => {
    this.#began.reject(this.#signal.reason)
    this.close()
  }

  constructor(flight: Flight, reading: Reading, signal: AbortSignal) {
    this.#flight = flight
    this.reading = reading
    this.#signal = signal
    this.#began.promise.catch(() => {}) // whoever waits is told; nobody may be waiting
    if (signal.aborted) queueMicrotask(this.#leave)
    else signal.addEventListener('abort', this.#leave)
  }

  /** @throws the reason of the signal when that was aborted first */
  begun(): Promise<Beginning> {
    return this.#began.promise
  }

  begin(beginning: Beginning): void {
    this.#began.resolve(beginning)
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#leave)
    this.reading.close()
    this.#flight.left(this, this.#signal.reason)
  }
}
