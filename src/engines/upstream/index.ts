import { type Clock, systemClock } from '../../lib/clock.ts'
import { Fault, fault } from '../../lib/faults.ts'
import { describe, type Log } from '../../lib/log.ts'
import { Slots } from '../../lib/slots.ts'
import { encodeEvent } from '../../lib/sse.ts'
import { systemTimers, type Timers } from '../../lib/timers.ts'
import type { Ability, Call, Engine, EngineStatus, Relayed, RelayPath, Sink } from '../engine.ts'
import { type PromptTokenizer, tokenizerForModel } from '../tokenizer.ts'
import { noted } from '../tried.ts'
import { chatChunks, completionChunks } from './chunks.ts'
import { Coalescer, type CoalescingOptions } from './coalescing/index.ts'
import { UsageComparison } from './comparison.ts'
import { type Document, documentReader, refusalReader } from './document.ts'
import { embeddingList, inFormat } from './embeddings.ts'
import { type BodyReader, Exchange, type Head, type Timeouts } from './exchange.ts'
import { EventFilter, type SpentSoFar } from './filter.ts'
import { type Ending, Flow } from './flow.ts'
import { type Kind, type KindName, severalChoices } from './kinds/index.ts'
import { asksForUsage, type Credential, choicesOf, isStreamed, Manner } from './manner.ts'
import { type UpstreamPool, upstreamUrl } from './pool.ts'
import { type About, secretsOf } from './refusals.ts'
import { Tally } from './tally.ts'
import { mediaType } from './values.ts'

export type { CoalescingOptions } from './coalescing/index.ts'
export { type UpstreamPools, upstreamPools } from './connection/pools.ts'
export type { Timeouts } from './exchange.ts'
export type { SpentSoFar } from './filter.ts'
export { type Credentials, kindOptions, upstreamCredentials } from './kinds/options.ts'
export type { Credential } from './manner.ts'
export { type UpstreamPool, type UpstreamPoolOptions, upstreamPool } from './pool.ts'

export interface UpstreamOptions {
  /** The engine's name in messages and logs, and the `model` of replies that name none. */
  name: string
  /** As the settings call it, for whoever wants to know which way a request went. */
  upstream?: string
  /** Up to and with the version, e.g. `https://api.openai.com/v1`. */
  baseUrl: string
  /** Sent as the kind of the upstream wants it, usually as a bearer token; to it alone. */
  apiKey?: string
  /** Of Azure OpenAI. */
  apiVersion?: string
  /** What the server is; default: as its host tells. */
  kind?: KindName
  /** Gives the tokens with which it is asked, in place of a key. */
  credential?: Credential | undefined
  /** Sends what the kind is known to ignore, too. */
  lenient?: boolean
  /** Who makes the replies of a request with `n` above 1; default: as the kind can. */
  choices?: 'native' | 'emulated'
  /** The name of the model at the upstream. */
  target: string
  /** Sent with every request, beside our own. */
  headers?: Readonly<Record<string, string>>
  /** Fields that take the place of those in the request; none that changes how a reply is read, counted or limited. */
  body?: Readonly<Record<string, unknown>>
  /** Default: those of the kind. */
  abilities?: readonly Ability[]
  /** Defaults: 600 s to the first byte (models may think long), 120 s of silence, 1 h for a whole reply. */
  timeouts?: Partial<Timeouts>
  /** Of the same origin; shared, and closed by its owner. */
  pool: UpstreamPool
  /** Of the product, for the user agent. */
  version: string
  log: Log
  /** Counts what replies do not: see Tally. By default with the encoding of the target. */
  tokenizer?: PromptTokenizer
  /** Where each event of a stream tells what was spent, so that a reply that is cut off is not counted but known. Each is parsed then. */
  spentSoFar?: SpentSoFar
  /** Compares what the upstream reports with our own count, where the tokenizer is known to be the model's. */
  comparesUsage?: boolean
  /** Joins requests for embeddings that come at about the same time; absent: each is sent alone. */
  coalescing?: CoalescingOptions
  /** Default: the system's. */
  timers?: Timers
  clock?: Clock
  /** For errors that this kind of server words in its own way; undefined: the fault of any upstream. */
  judge?(status: number, error: Readonly<Record<string, unknown>>, path: RelayPath): Fault | undefined
  /** Hears of each answer: nothing where it is a reply, else the fault. What was aborted, or left, is no answer. */
  noticed?(reason: Fault | undefined): void
}

const defaultTimeouts: Timeouts = { firstByteMs: 600_000, idleMs: 120_000, totalMs: 3_600_000 }

/**
 * A model behind any server that speaks OpenAI's API. Unknown fields of a request are passed on; of the client's headers none is, and
 * of the upstream's only what `refusals.ts` allows. Throws a TypeError for a base URL or key that cannot be used.
 *
 * Faults of its methods: those of the table under `upstream…`, `overloaded` when the pool is full, `draining` after `close`. An abort
 * before the reply has begun rejects `relay` and `embed` with the reason of the signal.
 */
export function upstreamEngine(options: UpstreamOptions): Engine {
  const { name, tokenizer = tokenizerForModel(options.target) } = options
  const manner = new Manner(options)
  const { kind } = manner.place
  const upstream = new Upstream(options, manner, tokenizer)
  const watched = <Reply>(call: Call, ask: () => Promise<Reply>): Promise<Reply> =>
    options.upstream === undefined ? ask() : noted(call.route, options.upstream, ask)
  const send: Upstream['send'] = (path, request, call) => watched(call, () => upstream.send(path, request, call))
  const embedAlone = async (request: object, call: Call): Promise<Document> => {
    const { reply } = await upstream.send('/embeddings', request, call)
    if (reply instanceof Flow) throw fault.internal(new Error('Embeddings are never streamed.'))
    return reply
  }
  const { coalescing, timers = systemTimers, log } = options
  const joining = coalescing && { ...coalescing, ...within(kind, coalescing) }
  const coalescer = joining && new Coalescer(joining, { name, tokenizer, timers, log }, embedAlone)
  const embeddings = (request: object, call: Call) =>
    watched(call, () => coalescer?.ask(request, call) ?? embedAlone(request, call))
  const engine: Engine = {
    name,
    tokenizer,
    abilities: new Set(options.abilities ?? kind.abilities ?? ['chat', 'complete', 'embed']),
    accepts: 'everything',
    chat: (request, call) =>
      streamed(send, '/chat/completions', request, call, (flow, tally) => chatChunks(flow, { name, call, tally })),
    complete: (request, call) =>
      streamed(send, '/completions', request, call, (flow, tally) => completionChunks(flow, { name, call, tally })),
    embed: async (request, call) => embeddingList(name, request, await embeddings(request, call)),
    async relay(path, request, call): Promise<Relayed> {
      if (path === '/embeddings') return { kind: 'json', bytes: inFormat(request, await embeddings(request, call)) }
      const { reply } = await send(path, request, call)
      if (reply instanceof Flow) return { kind: 'stream', pipe: sink => piped(name, reply, sink, call) }
      return { kind: 'json', bytes: reply.bytes }
    },
    status: () => upstream.status(),
    close() {
      coalescer?.close()
      return upstream.close()
    },
  }
  const emulates = options.choices === undefined ? kind.oneChoice === true : options.choices === 'emulated'
  return emulates ? severalChoices(engine, options.upstream) : engine
}

/** No more inputs than its kind takes. */
const within = ({ inputsMax: most }: Kind, { inputsMax = most }: CoalescingOptions) =>
  most !== undefined && inputsMax !== undefined && { inputsMax: Math.min(most, inputsMax) }

/** Lets a stream flow to a client; a failure becomes an error event at its end, because the status is long sent. */
async function piped(name: string, flow: Flow, sink: Sink, call: Call): Promise<Fault | undefined> {
  const { fault: failed } = await flow.run(sink)
  if (failed === undefined) return undefined
  call.log.warn('upstream.stream_failed', { engine: name, code: failed.code, cause: describe(failed.cause) })
  sink.write(Buffer.from(encodeEvent(JSON.stringify(failed.body()))))
  return failed
}

/** A reply as chunks. The upstream is always asked for a stream, with usage. Ends quietly when the call is aborted. */
async function* streamed<Chunk>(
  send: Upstream['send'],
  path: RelayPath,
  request: object,
  call: Call,
  read: (flow: Flow, tally: Tally) => AsyncIterable<Chunk>,
): AsyncGenerator<Chunk> {
  if (call.signal.aborted) return
  try {
    const { reply, tally } = await send(path, { ...request, stream: true }, call)
    if (!(reply instanceof Flow)) throw fault.internal(new Error('A stream was asked for.'))
    yield* read(reply, tally)
  } catch (error) {
    if (!(call.signal.aborted && error === call.signal.reason)) throw error
  }
}

interface Sent {
  reply: Document | Flow
  tally: Tally
}

/** The upstream of one engine: builds requests, runs exchanges, knows whether the other side lives. */
class Upstream {
  readonly #options: UpstreamOptions
  readonly #manner: Manner
  readonly #tokenizer: PromptTokenizer
  readonly #comparison: UsageComparison | undefined
  readonly #about: About
  readonly #timeouts: Timeouts
  readonly #running = new Slots<Exchange>()
  #status: EngineStatus = { state: 'ready' }

  constructor(options: UpstreamOptions, manner: Manner, tokenizer: PromptTokenizer) {
    const url = upstreamUrl(options.baseUrl)
    if (url.origin !== options.pool.origin) throw new TypeError('The pool is that of another origin.')
    if (options.apiKey !== undefined && !/^[\x21-\x7e]+$/.test(options.apiKey))
      throw new TypeError('The key of an upstream must be printable ASCII without spaces.')
    this.#options = options
    this.#manner = manner
    this.#tokenizer = tokenizer
    const { name, log, clock = systemClock } = options
    if (options.comparesUsage === true && tokenizer.assumptions.length === 0)
      this.#comparison = new UsageComparison(name, log, () => clock.monotonic())
    const { tooLong } = manner.place.kind
    this.#about = { name: options.name, secrets: secretsOf(url, options.apiKey, options.headers), tooLong }
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts }
  }

  status(): EngineStatus {
    const detail = this.#status.detail ?? this.#comparison?.detail
    return detail === undefined ? this.#status : { ...this.#status, detail }
  }

  /** Ends what is running; the pool stays open. */
  async close(): Promise<void> {
    this.#status = { state: 'closed' }
    for (const exchange of this.#running.all()) exchange.cancel(fault.draining())
  }

  /** Sends a request; settles with the checked document, or with a stream that has begun. */
  send(path: RelayPath, asked: object, call: Call): Promise<Sent> {
    const { credential } = this.#options
    return credential === undefined ? this.#send(path, asked, call) : this.#sendAs(credential, path, asked, call)
  }

  /** A token that the upstream does not take any more is replaced, once. */
  async #sendAs(credential: Credential, path: RelayPath, asked: object, call: Call): Promise<Sent> {
    const fresh = () =>
      credential.token(call.signal).catch(error => {
        throw call.signal.aborted ? call.signal.reason : fault.upstreamNoToken(this.#options.name, error)
      })
    const kept = credential.current()
    const token = kept ?? (await fresh())
    try {
      return await this.#send(path, asked, call, token)
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'upstream_refused_key')) throw error
      credential.refused(token)
      if (kept === undefined) throw error
      return this.#send(path, asked, call, await fresh())
    }
  }

  #send(path: RelayPath, asked: object, call: Call, token?: string): Promise<Sent> {
    const { pool, name, body: more } = this.#options
    const request = more === undefined ? asked : { ...asked, ...more }
    if (this.#status.state === 'closed') throw fault.draining()
    call.signal.throwIfAborted()
    const body = this.#manner.payload(path, request)
    const about = this.#aboutThis(path, token)
    if (!pool.enter()) throw fault.overloaded(name, 1)
    const counted = { name, path, request, choices: choicesOf(request), call }
    const tally = new Tally({ ...counted, tokenizer: this.#tokenizer, comparison: this.#comparison })
    return new Promise((resolve, reject) => {
      const settle = {
        resolve: (reply: Document | Flow) => resolve({ reply, tally }),
        reject: (reason: Fault | undefined) => {
          this.#note(reason)
          if (reason !== undefined) {
            this.#options.noticed?.(reason)
            return reject(reason)
          }
          const leave = () => reject(call.signal.reason)
          const counting = tally.close(true) // the upstream has read the prompt all the same
          if (counting === undefined) leave()
          else void counting.then(leave)
        },
      }
      const exchange: Exchange = new Exchange({
        name,
        pool,
        path: this.#manner.path(path),
        headers: this.#manner.headers(isStreamed(request), token),
        body,
        signal: call.signal,
        timeouts: this.#timeouts,
        head: head => this.#reader(exchange, head, about, path, request, tally, settle),
        fail: settle.reject,
        left: () => {
          pool.leave()
          this.#running.leave(place)
        },
      })
      const place = this.#running.enter(exchange)
      exchange.start()
    })
  }

  #reader(
    exchange: Exchange,
    head: Head,
    about: About,
    path: RelayPath,
    request: object,
    tally: Tally,
    settle: { resolve(reply: Document | Flow): void; reject(reason: Fault | undefined): void },
  ): BodyReader {
    this.#note(undefined)
    if (head.status !== 200) return refusalReader(exchange, head, about, settle.reject)
    this.#options.noticed?.(undefined)
    const encoding = head.headers['content-encoding'] ?? 'identity'
    const type = mediaType(head.headers['content-type'])
    if (encoding === 'identity' && type === 'text/event-stream' && isStreamed(request)) {
      const filter = new EventFilter(about, tally, {
        hidesUsage: !asksForUsage(request),
        choices: choicesOf(request),
        spentSoFar: this.#options.spentSoFar,
        usageUnasked: this.#manner.place.kind.usageUnasked,
      })
      const flow: Flow = new Flow({
        exchange,
        filter,
        about,
        tally,
        started: (failed: Ending | undefined) =>
          failed === undefined ? settle.resolve(flow) : settle.reject(failed.fault),
      })
      return flow
    }
    return documentReader(exchange, head, about, { path, streamed: isStreamed(request), encoding, tally, settle })
  }

  /** What errors of this request are judged with. */
  #aboutThis(path: RelayPath, token: string | undefined): About {
    const { judge } = this.#options
    if (judge === undefined && token === undefined) return this.#about
    return {
      ...this.#about,
      ...(judge && { judge: (status, error) => judge(status, error, path) }),
      ...(token !== undefined && { secrets: [token, ...this.#about.secrets] }),
    }
  }

  /** Keeps the status: an answer of any kind means that the upstream lives. */
  #note(reason: Fault | undefined): void {
    const code = reason?.code
    const down = code === 'upstream_unreachable' || code === 'upstream_timeout' ? code : undefined
    if (this.#status.state === 'closed' || (reason !== undefined && down === undefined)) return
    const state = down === undefined ? 'ready' : 'failed'
    if (this.#status.state === state) return
    this.#status = down === undefined ? { state } : { state, detail: down }
    this.#options.log.info('upstream.state', { engine: this.#options.name, state, detail: down })
  }
}
