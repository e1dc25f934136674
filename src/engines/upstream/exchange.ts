import { type Dispatcher, errors } from 'undici'
import { Fault, fault } from '../../lib/faults.ts'
import { lostOnReuse, type UpstreamPool } from './pool.ts'

/** The deadlines of one exchange, in milliseconds. Time in which the reader makes the upstream wait does not count as silence. */
export interface Timeouts {
  /** Until the first event of a stream, or the first piece of a document, with the wait for a connection. */
  firstByteMs: number
  /** Silence after that: between two whole events, or two pieces of a document. */
  idleMs: number
  /** The whole exchange. */
  totalMs: number
}

export interface Plan {
  /** For messages. */
  name: string
  pool: UpstreamPool
  path: string
  headers: string[]
  body: Buffer
  signal: AbortSignal
  timeouts: Timeouts
  /** Called once, with the final status; what it returns reads the body. */
  head(head: Head): BodyReader
  /** Called instead when there is no final status. Undefined: the signal aborted. */
  fail(fault: Fault | undefined): void
  /** Called once, when the connection is no longer used, before the reader hears of the end. */
  left(): void
}

export interface Head {
  status: number
  /** Lower-case names; a list where the upstream sent a header twice. */
  headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Gets any number of chunks, then one of `end` and `fail`. Undefined: the signal aborted. */
export interface BodyReader {
  data(chunk: Buffer): void
  end(): void
  fail(fault: Fault | undefined): void
}

/** After a complete stream: how much longer, and for how many bytes, the rest is awaited so that the connection can be used again. */
const lingerMs = 1000
const lingerBytesMax = 65_536

/**
 * One request to an upstream and its answer. Redirects are never followed, and nothing is sent twice, with one exception: a request
 * that finds its idle connection closed by the upstream, before any byte of an answer, is sent once more.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #plan: Plan
  readonly #onAbort = () => this.#settle(undefined)
  readonly #onTimeout = () => this.cancel(fault.upstreamTimeout(this.#plan.name))
  readonly #startedMs = performance.now()
  #timer: NodeJS.Timeout
  /** Runs from the first sign of life on: until then the other timer ends the exchange in time. */
  #totalTimer: NodeJS.Timeout | undefined
  #controller: Dispatcher.DispatchController | undefined
  #reader: BodyReader | undefined
  #state: 'open' | 'lingering' | 'settled' = 'open'
  #answered = false
  #sentAgain = false
  #flowing = false
  #lingered = 0

  constructor(plan: Plan) {
    this.#plan = plan
    const { firstByteMs, totalMs } = plan.timeouts
    this.#timer = setTimeout(this.#onTimeout, Math.min(firstByteMs, totalMs))
  }

  /** Sends the request. The signal must not have aborted yet. */
  start(): void {
    this.#plan.signal.addEventListener('abort', this.#onAbort, { once: true })
    this.#dispatch()
  }

  /** The answer flows: from now on the limit is on silence. Called again with every piece that counts. */
  alive(): void {
    if (this.#state !== 'open') return
    if (this.#flowing) {
      this.#timer.refresh()
      return
    }
    this.#flowing = true
    clearTimeout(this.#timer)
    const { idleMs, totalMs } = this.#plan.timeouts
    this.#timer = setTimeout(() => this.#onSilence(), idleMs)
    this.#totalTimer = setTimeout(this.#onTimeout, totalMs - (performance.now() - this.#startedMs))
  }

  pause(): void {
    this.#controller?.pause()
  }

  /** Deferred, because the reader may call it while undici's one parser works for another connection. */
  resume(): void {
    queueMicrotask(() => {
      if (this.#state === 'settled') return
      this.#timer.refresh()
      this.#controller?.resume()
    })
  }

  /** Closes the connection; the reader gets the fault. */
  cancel(reason: Fault): void {
    this.#settle(reason)
  }

  /** Closes the connection; the reader hears nothing more. */
  drop(): void {
    this.#close()
    this.#controller?.abort(dropped)
  }

  /** The reader has all it wants: a well-behaved upstream ends its answer now, and the connection stays usable. */
  linger(): void {
    if (this.#state !== 'open') return
    this.#state = 'lingering'
    this.#release()
    this.#timer = setTimeout(() => this.drop(), lingerMs)
    this.resume()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#state === 'settled') controller.abort(dropped)
  }

  onResponseStarted(): void {
    this.#answered = true
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Head['headers']): void {
    if (this.#state === 'open' && status >= 200) this.#reader = this.#plan.head({ status, headers })
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#state === 'open') {
      this.#reader?.data(chunk)
    } else if (this.#state === 'lingering') {
      this.#lingered += chunk.length
      if (this.#lingered > lingerBytesMax) this.drop()
    }
  }

  onResponseEnd(): void {
    const open = this.#state === 'open'
    this.#close()
    if (open) this.#reader?.end()
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#state === 'open' && !this.#answered && !this.#sentAgain && lostOnReuse(error)) {
      this.#sentAgain = true
      this.#controller = undefined
      this.#dispatch()
    } else this.#settle(transportFault(this.#plan.name, error, this.#answered))
  }

  #dispatch(): void {
    const { pool, path, headers, body } = this.#plan
    pool.dispatch({ method: 'POST', path, headers, body }, this)
  }

  #onSilence(): void {
    if (this.#controller?.paused === true) this.#timer.refresh()
    else this.cancel(fault.upstreamTimeout(this.#plan.name))
  }

  #settle(reason: Fault | undefined): void {
    const open = this.#state === 'open'
    this.drop()
    if (!open) return
    if (this.#reader === undefined) this.#plan.fail(reason)
    else this.#reader.fail(reason)
  }

  #close(): void {
    if (this.#state === 'settled') return
    this.#state = 'settled'
    this.#release()
    this.#plan.left()
  }

  #release(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#totalTimer)
    this.#plan.signal.removeEventListener('abort', this.#onAbort)
  }
}

/** One object for all, as nobody reads its stack. */
const dropped = new Error('The exchange with the upstream was ended.')

/** Codes of errors that come from bytes the upstream sent. */
const protocolError = /^UND_ERR_(?:HEADERS_OVERFLOW|RES_)/

/** Names what undici, Node's sockets, TLS and DNS report. Errors without a code are mistakes of our own. */
function transportFault(name: string, error: Error, answered: boolean): Fault {
  if (error instanceof Fault) return error
  if (error instanceof errors.HTTPParserError) return fault.upstreamInvalid(name, error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (code === undefined) return fault.internal(error)
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return fault.upstreamTimeout(name, error)
  if (protocolError.test(code)) return fault.upstreamInvalid(name, error)
  return answered ? fault.upstreamInterrupted(name, error) : fault.upstreamUnreachable(name, error)
}
