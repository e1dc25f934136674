import { type Fault, fault } from '../../lib/faults.ts'
import { BlockTooLong } from '../../lib/sse.ts'
import type { Sink } from '../engine.ts'
import type { BodyReader, Exchange } from './exchange.ts'
import { type EventFilter, Garbled } from './filter.ts'
import type { About } from './refusals.ts'
import type { Tally } from './tally.ts'

/** Bytes that are held while nobody has asked for the stream yet; beyond, the upstream waits. */
const heldBytesMax = 65_536

/** How a stream ended: whole (or aborted), or with this fault. */
export type Ending = { fault: Fault | undefined }

/**
 * A stream between the upstream and a sink. It is `started` with the first event of the reply, so that everything that goes wrong
 * before still becomes an ordinary error; from `run` on the bytes flow, and a sink that does not take more makes the upstream wait.
 */
export class Flow implements BodyReader {
  readonly #exchange: Exchange
  readonly #filter: EventFilter
  readonly #about: About
  readonly #tally: Tally
  readonly #started: (failed: Ending | undefined) => void
  #hasStarted = false
  #sink: Sink | undefined
  #blocked = false
  #held: Buffer[] = []
  #heldBytes = 0
  /** Nothing more is read; what was spent may still have to be counted. */
  #ending: Ending | undefined
  #closed = false
  #settle: ((ending: Ending) => void) | undefined

  /** `started` is called once: with nothing when the stream runs, else with how it failed. */
  constructor(parts: {
    exchange: Exchange
    filter: EventFilter
    about: About
    tally: Tally
    started: (failed: Ending | undefined) => void
  }) {
    this.#exchange = parts.exchange
    this.#filter = parts.filter
    this.#about = parts.about
    this.#tally = parts.tally
    this.#started = parts.started
  }

  /** Lets the stream flow into a sink, once. Settles when all is written, the stream has failed, or the call was aborted. */
  run(sink: Sink): Promise<Ending> {
    if (this.#sink !== undefined) throw new Error('A stream can be read only once.')
    this.#sink = sink
    return new Promise(resolve => {
      this.#settle = resolve
      this.#flush()
    })
  }

  /** The reader wants no more. */
  cancel(): void {
    this.#discard()
    if (this.#ending === undefined) {
      this.#exchange.drop()
      this.#end({ fault: undefined }, true)
    } else this.#flush()
  }

  data(chunk: Buffer): void {
    if (this.#ending !== undefined) return
    const before = this.#filter.events
    let bytes: Buffer
    try {
      bytes = this.#filter.push(chunk)
    } catch (error) {
      this.#garbled(error)
      return
    }
    const { begun, events, done } = this.#filter
    // Comments count as life only once the reply has begun: until then the limit is on its first event.
    if (begun && (events > before || bytes.length > 0)) this.#exchange.alive()
    this.#pass(bytes)
    if (this.#filter.fault !== undefined) this.#break(this.#filter.fault)
    else if (done && events === 0) this.#garbled(new Garbled('The stream holds no event.'))
    else if (begun) this.#start(undefined)
    if (done && this.#ending === undefined) {
      this.#exchange.linger()
      this.#end({ fault: undefined })
    }
  }

  end(): void {
    if (this.#ending !== undefined) return
    try {
      this.#pass(this.#filter.end())
    } catch (error) {
      this.#garbled(error)
      return
    }
    if (this.#filter.fault !== undefined) this.#end({ fault: this.#filter.fault })
    else if (this.#filter.events === 0) this.#garbled(new Garbled('The stream holds no event.'))
    else this.#cut(fault.upstreamInterrupted(this.#about.name, new Garbled('The stream has no finish_reason.')))
  }

  fail(reason: Fault | undefined): void {
    if (this.#ending !== undefined) return
    if (reason === undefined) this.#end({ fault: undefined }, true)
    else this.#cut(reason)
  }

  /** The upstream stopped without `[DONE]`: made up for when the reply is whole, an error otherwise. */
  #cut(reason: Fault): void {
    const { done, complete } = this.#filter
    this.#end({ fault: complete || done ? undefined : reason })
  }

  #garbled(error: unknown): void {
    if (error instanceof Garbled || error instanceof BlockTooLong)
      this.#break(fault.upstreamInvalid(this.#about.name, error))
    else throw error
  }

  #break(reason: Fault): void {
    this.#exchange.drop()
    this.#end({ fault: reason })
  }

  #start(failed: Ending | undefined): void {
    if (this.#hasStarted) return
    this.#hasStarted = true
    this.#started(failed)
  }

  #end(ending: Ending, aborted = false): void {
    this.#ending = ending
    const counting = this.#tally.close(aborted)
    if (counting === undefined) this.#close(ending, aborted)
    else void counting.then(() => this.#close(ending, aborted))
  }

  #close(ending: Ending, aborted: boolean): void {
    this.#closed = true
    if (aborted) this.#discard()
    else if (ending.fault === undefined) this.#pass(this.#filter.rest())
    this.#start(ending.fault === undefined && !aborted ? undefined : ending)
    this.#flush()
  }

  /** Nobody reads what is held. */
  #discard(): void {
    this.#held = []
    this.#blocked = false
  }

  #pass(bytes: Buffer): void {
    if (bytes.length === 0) return
    if (this.#sink !== undefined && !this.#blocked) {
      this.#write(bytes)
      return
    }
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes > heldBytesMax) this.#exchange.pause()
  }

  #write(bytes: Buffer): void {
    if (this.#sink?.write(bytes) !== false) return
    this.#blocked = true
    this.#exchange.pause()
    this.#sink.drained(() => {
      this.#blocked = false
      this.#flush()
    })
  }

  /** Writes what is held in one go, then lets the upstream go on, or settles. */
  #flush(): void {
    if (this.#sink === undefined || this.#blocked) return
    if (this.#held.length > 0) {
      const bytes = this.#held.length === 1 && this.#held[0] !== undefined ? this.#held[0] : Buffer.concat(this.#held)
      this.#held = []
      this.#heldBytes = 0
      this.#write(bytes)
      if (this.#blocked) return
    }
    if (this.#ending === undefined) this.#exchange.resume()
    else if (this.#closed) this.#settle?.(this.#ending)
  }
}
