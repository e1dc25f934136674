/**
 * Several replies from a server that gives one a request: as many requests at once, merged into one reply. Each reads the prompt, and
 * is counted as the upstream counts it, so that the usage is the sum. A seed makes them different in a way that can be repeated: the
 * first has the seed of the request, each one after it the next number.
 */
import { Fault, fault } from '../../../lib/faults.ts'
import { describe } from '../../../lib/log.ts'
import { doneEvent, encodeEvent } from '../../../lib/sse.ts'
import { type ChatChunk, ChatRequest } from '../../../wire/chat.ts'
import { fits } from '../../../wire/check.ts'
import type { CompletionUsage } from '../../../wire/common.ts'
import { type CompletionChunk, CompletionRequest } from '../../../wire/completions.ts'
import { collectChat, collectCompletion } from '../../collect.ts'
import type { Call, Engine, Relayed, Sink } from '../../engine.ts'
import { noted } from '../../tried.ts'
import { ChoiceCalls } from './choice-calls.ts'

type Chunk = ChatChunk | CompletionChunk
interface Asked {
  readonly n?: number | null
  readonly seed?: number | null
  readonly stream?: boolean | null
  readonly stream_options?: { readonly include_usage?: boolean | null } | null
}

/**
 * The same engine, whose requests hold no `n` above 1. What fails before the first chunk ends all of them, and so does an abort.
 * @param upstream as the settings call it, for whoever wants to know which way a request went
 */
export function severalChoices(engine: Engine, upstream?: string): Engine {
  const { chat, complete, relay } = engine
  const chats = (request: ChatRequest, call: Call) => merged(request, call, upstream, (one, part) => chat!(one, part))
  const completions = (request: CompletionRequest, call: Call) =>
    merged(request, call, upstream, (one, part) => complete!(one, part))
  return {
    ...engine,
    ...(chat && { chat: (request, call) => (countOf(request) === 1 ? chat(request, call) : chats(request, call)) }),
    ...(complete && {
      complete: (request, call) => (countOf(request) === 1 ? complete(request, call) : completions(request, call)),
    }),
    ...(relay && {
      relay(path, request, call) {
        if (path === '/embeddings' || countOf(request) === 1) return relay(path, request, call)
        if (path === '/chat/completions' && fits(ChatRequest, request))
          return relayed(engine.name, request, call, chats(request, call), collectChat)
        if (path === '/completions' && fits(CompletionRequest, request))
          return relayed(engine.name, request, call, completions(request, call), collectCompletion)
        throw fault.internal(new Error('A request that was checked is none.'))
      },
    }),
  }
}

const countOf = (request: object): number => ('n' in request && typeof request.n === 'number' ? request.n : 1)

/** Chunks of all replies as they come, with the envelope of the first. At most one chunk of each waits for the reader. */
async function* merged<Request extends Asked, One extends Chunk>(
  request: Request,
  call: Call,
  upstream: string | undefined,
  ask: (one: Request, part: Call) => AsyncIterable<One>,
): AsyncGenerator<One> {
  if (call.signal.aborted) return
  const n = countOf(request)
  const calls = new ChoiceCalls(call, n)
  const replies = new Replies(
    calls.parts.map((part, index) => ask(alone(request, index), part)[Symbol.asyncIterator]()),
  )
  let usage: CompletionUsage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }
  let first: One | undefined
  try {
    const begin = () => replies.next().finally(() => call.signal.throwIfAborted())
    const begun = await (upstream === undefined ? begin() : noted(call.route, upstream, begin))
    for (let next = begun; next !== undefined; next = await replies.next()) {
      const { chunk, place } = next
      first ??= chunk
      if (chunk.usage !== undefined && chunk.usage !== null) usage = together(usage, chunk.usage)
      if (chunk.choices.length === 0) continue // the usage comes once, at the end
      const { id, created, model } = first // one reply has one of each, whoever wrote which part
      const choices = chunk.choices.map(choice => ({ ...choice, index: choice.index * n + place }))
      yield { ...chunk, id, created, model, choices }
    }
    if (first !== undefined && !call.signal.aborted) yield { ...first, choices: [], usage }
  } catch (error) {
    if (!(call.signal.aborted && error === call.signal.reason)) throw error
  } finally {
    calls.abort()
    await replies.end() // until then what was spent is counted
  }
}

function alone<Request extends Asked>(request: Request, index: number): Request {
  const { n: _, ...one } = request
  // What is left of a request without its `n` is one of the same kind.
  return { ...one, ...(typeof request.seed === 'number' && { seed: request.seed + index }) } as Request
}

/** Reads many iterators, the one that has something next. */
class Replies<One> {
  readonly #iterators: readonly AsyncIterator<One>[]
  readonly #ready: { chunk: One; place: number }[] = []
  #open: number
  #failure: { error: unknown } | undefined
  #wake: (() => void) | undefined
  /** Whose chunk was taken last: it is asked for the next one when the reader comes back. */
  #taken: number | undefined

  constructor(iterators: readonly AsyncIterator<One>[]) {
    this.#iterators = iterators
    this.#open = iterators.length
    for (const place of iterators.keys()) this.#pull(place)
  }

  /** The next chunk of anyone; undefined when all have ended. @throws what one of them throws */
  async next(): Promise<{ chunk: One; place: number } | undefined> {
    if (this.#taken !== undefined) this.#pull(this.#taken)
    this.#taken = undefined
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error
      const next = this.#ready.shift()
      if (next !== undefined) {
        this.#taken = next.place
        return next
      }
      if (this.#open === 0) return undefined
      await new Promise<void>(wake => {
        this.#wake = wake
      })
    }
  }

  /** Ends all of them. Never fails: the reader knows already what went wrong. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#iterators.map(iterator => iterator.return?.()))
  }

  #pull(place: number): void {
    this.#iterators[place]!.next().then(
      result => {
        if (result.done === true) this.#open--
        else this.#ready.push({ chunk: result.value, place })
        this.#wake?.()
      },
      (error: unknown) => {
        this.#failure ??= { error }
        this.#wake?.()
      },
    )
  }
}

/** What two replies have spent together. */
function together(one: CompletionUsage, other: CompletionUsage): CompletionUsage {
  const input = summed(one.prompt_tokens_details, other.prompt_tokens_details)
  const output = summed(one.completion_tokens_details, other.completion_tokens_details)
  return {
    prompt_tokens: one.prompt_tokens + other.prompt_tokens,
    completion_tokens: one.completion_tokens + other.completion_tokens,
    total_tokens: one.total_tokens + other.total_tokens,
    ...(input && { prompt_tokens_details: input }),
    ...(output && { completion_tokens_details: output }),
  }
}

type Counts = Readonly<Record<string, number | undefined>> | undefined

function summed(one: Counts, other: Counts): Record<string, number> | undefined {
  if (one === undefined && other === undefined) return undefined
  const sums: Record<string, number> = {}
  for (const counts of [one, other])
    for (const [name, count = 0] of Object.entries(counts ?? {})) sums[name] = (sums[name] ?? 0) + count
  return sums
}

/** The same chunks as the bytes of a reply. Settles when the first has come, so that what fails before is an ordinary error. */
async function relayed<One extends Chunk>(
  name: string,
  request: Asked,
  call: Call,
  chunks: AsyncGenerator<One>,
  collect: (chunks: AsyncIterable<One>) => Promise<object>,
): Promise<Relayed> {
  call.signal.throwIfAborted()
  if (request.stream !== true) {
    const reply = await collect(chunks).catch(error => {
      call.signal.throwIfAborted() // chunks end quietly then, and are no whole reply
      throw error
    })
    return { kind: 'json', bytes: Buffer.from(JSON.stringify(reply)) }
  }
  const first = await chunks.next()
  call.signal.throwIfAborted()
  const asksForUsage = request.stream_options?.include_usage === true
  return { kind: 'stream', pipe: sink => piped(name, call, { chunks, first, asksForUsage }, sink) }
}

interface Piped<One> {
  chunks: AsyncGenerator<One>
  first: IteratorResult<One>
  asksForUsage: boolean
}

async function piped<One extends Chunk>(
  name: string,
  call: Call,
  { chunks, first, asksForUsage }: Piped<One>,
  sink: Sink,
): Promise<Fault | undefined> {
  const write = (event: string) => written(sink, Buffer.from(event), call.signal)
  try {
    for (let next = first; next.done !== true; next = await chunks.next()) {
      const { usage, ...rest } = next.value
      if (asksForUsage) await write(encodeEvent(JSON.stringify({ ...rest, usage: usage ?? null })))
      else if (rest.choices.length > 0) await write(encodeEvent(JSON.stringify(rest)))
      if (call.signal.aborted) return undefined
    }
    if (!call.signal.aborted) await write(doneEvent)
    return undefined
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    call.log.warn('upstream.stream_failed', { engine: name, code: error.code, cause: describe(error.cause) })
    await write(encodeEvent(JSON.stringify(error.body())))
    return error
  } finally {
    await chunks.return(undefined)
  }
}

/** Writes, and waits until the sink takes more, or the call is aborted. */
async function written(sink: Sink, bytes: Buffer, signal: AbortSignal): Promise<void> {
  if (sink.write(bytes) || signal.aborted) return
  await new Promise<void>(resolve => {
    const go = () => {
      signal.removeEventListener('abort', go)
      resolve()
    }
    signal.addEventListener('abort', go, { once: true })
    sink.drained(go)
  })
}
