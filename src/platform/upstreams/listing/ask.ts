import type { Dispatcher } from 'undici'
import type { UpstreamPool } from '../../../engines/upstream/index.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Timers } from '../../../lib/timers.ts'

/** A short question to an upstream, of our own and not of a caller. */
export interface Question {
  readonly pool: UpstreamPool
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Names and values by turns. */
  readonly headers: readonly string[]
  readonly body?: string
  /** Of the whole answer. */
  readonly timeoutMs: number
  /** Of the answer's body; more of it ends the question. */
  readonly bytesMax: number
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly timers: Timers
}

export interface Answer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  /** Since the question: until a connection stood, until the status came, until the end. */
  readonly connectedMs: number
  readonly headMs: number
  readonly endMs: number
}

/** There was no whole answer. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered'
  /** How far it came: no connection, no status, no whole body. */
  readonly during: 'connecting' | 'waiting' | 'reading'
  /** `left`: whoever asked does not want to know any more. */
  readonly why: 'failed' | 'timeout' | 'too long' | 'busy' | 'left'
  readonly connectedMs: number | undefined

  constructor(during: Unanswered['during'], why: Unanswered['why'], connectedMs?: number, cause?: unknown) {
    super(`There was no whole answer (${during}, ${why}).`, { cause })
    this.during = during
    this.why = why
    this.connectedMs = connectedMs
  }

  /** Of the system, TLS or undici, such as `ECONNREFUSED`; undefined: there is none. */
  get code(): string | undefined {
    const { cause } = this
    return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
  }
}

/**
 * Asks once: redirects are not followed, nothing is sent again. Any status is an answer.
 * @throws Unanswered
 */
export function ask(question: Question): Promise<Answer> {
  return new Promise((resolve, reject) => new Asking(question, resolve, reject).start())
}

class Asking implements Dispatcher.DispatchHandler {
  readonly #question: Question
  readonly #resolve: (answer: Answer) => void
  readonly #reject: (error: Unanswered) => void
  readonly #startedMs: number
  readonly #pieces: Buffer[] = []
  readonly #leave = () => this.#fail('left')
  #bytes = 0
  #status: number | undefined
  #headers: Answer['headers'] = {}
  #connectedMs: number | undefined
  #headMs = 0
  #controller: Dispatcher.DispatchController | undefined
  #settled = false
  #stopTimer = () => {}

  constructor(question: Question, resolve: (answer: Answer) => void, reject: (error: Unanswered) => void) {
    this.#question = question
    this.#resolve = resolve
    this.#reject = reject
    this.#startedMs = question.clock.monotonic()
  }

  start(): void {
    const { pool, method, path, headers, body, signal, timers, timeoutMs } = this.#question
    const refused = signal.aborted ? 'left' : pool.enter() ? undefined : 'busy'
    if (refused !== undefined) {
      this.#reject(new Unanswered('connecting', refused))
      return
    }
    this.#stopTimer = timers.after(timeoutMs, () => this.#fail('timeout'))
    signal.addEventListener('abort', this.#leave, { once: true })
    pool.dispatch({ method, path, headers: [...headers], body: body ?? null }, this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settled) controller.abort(ended)
    this.#controller = controller
    this.#connectedMs ??= this.#elapsedMs()
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Answer['headers']): void {
    if (status < 200) return
    this.#status = status
    this.#headers = headers
    this.#headMs = this.#elapsedMs()
  }

  onResponseData(_: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.#settled) return
    this.#bytes += piece.length
    if (this.#bytes > this.#question.bytesMax) this.#fail('too long')
    else this.#pieces.push(Buffer.from(piece))
  }

  onResponseEnd(): void {
    this.#answered()
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    this.#fail('failed', error)
  }

  #answered(): void {
    if (!this.#settle()) return
    const { connectedMs = 0, headMs } = { connectedMs: this.#connectedMs, headMs: this.#headMs }
    const bytes = Buffer.concat(this.#pieces)
    const endMs = this.#elapsedMs()
    this.#resolve({ status: this.#status ?? 0, headers: this.#headers, bytes, connectedMs, headMs, endMs })
  }

  #fail(why: Unanswered['why'], cause?: Error): void {
    if (!this.#settle()) return
    const during = this.#connectedMs === undefined ? 'connecting' : this.#status === undefined ? 'waiting' : 'reading'
    this.#reject(new Unanswered(during, why, this.#connectedMs, cause))
    this.#controller?.abort(ended)
  }

  /** @returns whether it was this that settled it */
  #settle(): boolean {
    if (this.#settled) return false
    this.#settled = true
    this.#stopTimer()
    this.#question.signal.removeEventListener('abort', this.#leave)
    this.#question.pool.leave()
    return true
  }

  #elapsedMs(): number {
    return Math.round(this.#question.clock.monotonic() - this.#startedMs)
  }
}

/** One object for all, as nobody reads its stack. */
const ended = new Error('The question to the upstream was ended.')
