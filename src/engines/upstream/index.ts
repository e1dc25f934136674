import { type Fault, fault } from '../../lib/faults.ts'
import { describe, type Log } from '../../lib/log.ts'
import { Slots } from '../../lib/slots.ts'
import { encodeEvent } from '../../lib/sse.ts'
import type { Ability, Call, Engine, EngineStatus, Relayed, RelayPath, Sink } from '../engine.ts'
import { type PromptTokenizer, tokenizerForModel } from '../tokenizer.ts'
import { chatChunks, completionChunks } from './chunks.ts'
import { type Document, documentReader, refusalReader } from './document.ts'
import { embeddingList, inFormat } from './embeddings.ts'
import { type BodyReader, Exchange, type Head, type Timeouts } from './exchange.ts'
import { EventFilter, type SpentSoFar } from './filter.ts'
import { type Ending, Flow } from './flow.ts'
import { type UpstreamPool, upstreamUrl } from './pool.ts'
import { type About, secretsOf } from './refusals.ts'
import { Tally } from './tally.ts'
import { isObject, mediaType } from './values.ts'

export type { Timeouts } from './exchange.ts'
export type { SpentSoFar } from './filter.ts'
export { type UpstreamPools, upstreamPools } from './connection/pools.ts'
export { type UpstreamPool, type UpstreamPoolOptions, upstreamPool } from './pool.ts'

export interface UpstreamOptions {
  /** The engine's name in messages and logs, and the `model` of replies that name none. */
  name: string
  /** Up to and with the version, e.g. `https://api.openai.com/v1`. */
  baseUrl: string
  /** Sent as a bearer token, to this upstream alone. */
  apiKey?: string
  /** The name of the model at the upstream. */
  target: string
  /** Sent with every request, beside our own. */
  headers?: Readonly<Record<string, string>>
  /** Fields that take the place of those in the request; none that changes how a reply is read, counted or limited. */
  body?: Readonly<Record<string, unknown>>
  /** All three when absent. */
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
  /** For errors that this kind of server words in its own way; undefined: the fault of any upstream. */
  judge?(status: number, error: Readonly<Record<string, unknown>>, path: RelayPath): Fault | undefined
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
  const upstream = new Upstream(options, tokenizer)
  return {
    name,
    tokenizer,
    abilities: new Set(options.abilities ?? ['chat', 'complete', 'embed']),
    accepts: 'everything',
    chat: (request, call) =>
      streamed(upstream, '/chat/completions', request, call, (flow, tally) => chatChunks(flow, { name, call, tally })),
    complete: (request, call) =>
      streamed(upstream, '/completions', request, call, (flow, tally) => completionChunks(flow, { name, call, tally })),
    async embed(request, call) {
      const { reply } = await upstream.send('/embeddings', request, call)
      if (reply instanceof Flow) throw fault.internal(new Error('Embeddings are never streamed.'))
      return embeddingList(name, request, reply)
    },
    async relay(path, request, call): Promise<Relayed> {
      const { reply } = await upstream.send(path, request, call)
      if (reply instanceof Flow) return { kind: 'stream', pipe: sink => piped(name, reply, sink, call) }
      return { kind: 'json', bytes: path === '/embeddings' ? inFormat(request, reply) : reply.bytes }
    },
    status: () => upstream.status(),
    close: () => upstream.close(),
  }
}

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
  upstream: Upstream,
  path: RelayPath,
  request: object,
  call: Call,
  read: (flow: Flow, tally: Tally) => AsyncIterable<Chunk>,
): AsyncGenerator<Chunk> {
  if (call.signal.aborted) return
  try {
    const { reply, tally } = await upstream.send(path, { ...request, stream: true }, call)
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
  readonly #tokenizer: PromptTokenizer
  readonly #about: About
  readonly #pathPrefix: string
  readonly #timeouts: Timeouts
  readonly #headers: { readonly whole: string[]; readonly streamed: string[] }
  readonly #running = new Slots<Exchange>()
  #status: EngineStatus = { state: 'ready' }

  constructor(options: UpstreamOptions, tokenizer: PromptTokenizer) {
    const url = upstreamUrl(options.baseUrl)
    if (url.origin !== options.pool.origin) throw new TypeError('The pool is that of another origin.')
    if (options.apiKey !== undefined && !/^[\x21-\x7e]+$/.test(options.apiKey))
      throw new TypeError('The key of an upstream must be printable ASCII without spaces.')
    this.#options = options
    this.#tokenizer = tokenizer
    this.#about = { name: options.name, secrets: secretsOf(url, options.apiKey, options.headers) }
    this.#pathPrefix = url.pathname.replace(/\/+$/, '')
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts }
    this.#headers = {
      whole: headersFor(options, 'application/json'),
      streamed: headersFor(options, 'text/event-stream'),
    }
  }

  status(): EngineStatus {
    return this.#status
  }

  /** Ends what is running; the pool stays open. */
  async close(): Promise<void> {
    this.#status = { state: 'closed' }
    for (const exchange of this.#running.all()) exchange.cancel(fault.draining())
  }

  /** Sends a request; settles with the checked document, or with a stream that has begun. */
  send(path: RelayPath, asked: object, call: Call): Promise<Sent> {
    const { pool, name, target, body: more } = this.#options
    const request = more === undefined ? asked : { ...asked, ...more }
    if (this.#status.state === 'closed') throw fault.draining()
    call.signal.throwIfAborted()
    const body = payload(request, target)
    if (!pool.enter()) throw fault.overloaded(name, 1)
    const tally = new Tally({ name, path, request, choices: choicesOf(request), call, tokenizer: this.#tokenizer })
    return new Promise((resolve, reject) => {
      const settle = {
        resolve: (reply: Document | Flow) => resolve({ reply, tally }),
        reject: (reason: Fault | undefined) => {
          this.#note(reason)
          if (reason !== undefined) return reject(reason)
          const leave = () => reject(call.signal.reason)
          const counting = tally.close(true) // the upstream has read the prompt all the same
          if (counting === undefined) leave()
          else void counting.then(leave)
        },
      }
      const exchange: Exchange = new Exchange({
        name,
        pool,
        path: this.#pathPrefix + path,
        headers: isStreamed(request) ? this.#headers.streamed : this.#headers.whole,
        body,
        signal: call.signal,
        timeouts: this.#timeouts,
        head: head => this.#reader(exchange, head, path, request, tally, settle),
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
    path: RelayPath,
    request: object,
    tally: Tally,
    settle: { resolve(reply: Document | Flow): void; reject(reason: Fault | undefined): void },
  ): BodyReader {
    this.#note(undefined)
    const { judge } = this.#options
    const about = judge ? { ...this.#about, judge: judgedOn(judge, path) } : this.#about
    if (head.status !== 200) return refusalReader(exchange, head, about, settle.reject)
    const encoding = head.headers['content-encoding'] ?? 'identity'
    const type = mediaType(head.headers['content-type'])
    if (encoding === 'identity' && type === 'text/event-stream' && isStreamed(request)) {
      const filter = new EventFilter(about, tally, {
        hidesUsage: !asksForUsage(request),
        choices: choicesOf(request),
        spentSoFar: this.#options.spentSoFar,
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

const judgedOn =
  (judge: NonNullable<UpstreamOptions['judge']>, path: RelayPath): NonNullable<About['judge']> =>
  (status, error) =>
    judge(status, error, path)

/** What every request carries, whoever the caller is. */
function headersFor({ apiKey, version, headers = {} }: UpstreamOptions, accept: string): string[] {
  return [
    ...(apiKey === undefined ? [] : ['authorization', `Bearer ${apiKey}`]),
    'content-type',
    'application/json',
    'accept',
    accept,
    'accept-encoding',
    'identity',
    'user-agent',
    `Parlance/${version}`,
    ...Object.entries(headers).flat(),
  ]
}

const isStreamed = (request: object): boolean => 'stream' in request && request.stream === true

const streamOptions = (request: object): Record<string, unknown> =>
  'stream_options' in request && isObject(request.stream_options) ? request.stream_options : {}

const asksForUsage = (request: object): boolean => streamOptions(request).include_usage === true

/** The request for the upstream: its own model name, and usage for the meter. */
function payload(request: object, model: string): Buffer {
  const usage = isStreamed(request) ? { stream_options: { ...streamOptions(request), include_usage: true } } : {}
  return Buffer.from(JSON.stringify({ ...request, model, ...usage }))
}

/** How many replies a request asks for: `n` for each prompt. */
function choicesOf(request: object): number {
  const n = 'n' in request && typeof request.n === 'number' ? request.n : 1
  const prompts = 'prompt' in request && Array.isArray(request.prompt) ? request.prompt : []
  return n * (typeof prompts[0] === 'number' ? 1 : Math.max(1, prompts.length))
}
