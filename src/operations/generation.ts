import { collectCompletion } from '../engines/collect.ts'
import type { Call, Engine, Meter, RelayPath, Route } from '../engines/engine.ts'
import { seconds } from '../lib/clock.ts'
import type { IdKind } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { ModelContext, Reply } from '../platform/operation.ts'
import type { CompletionRequest } from '../wire/completions.ts'
import type { EmbeddingRequest } from '../wire/embeddings.ts'
import { type GenerationOperation, refuseUnsupported } from '../wire/parameters.ts'

/** What an engine gets with a request of this context. */
export function callOf(context: ModelContext, id: IdKind): Call {
  return new RequestCall(context, id)
}

/** Id and seed are made when they are read: a reply that is passed on from an upstream needs neither. */
class RequestCall implements Call {
  readonly created: number
  readonly #context: ModelContext
  readonly #kind: IdKind
  #id: string | undefined
  #seed: number | undefined

  constructor(context: ModelContext, kind: IdKind) {
    this.#context = context
    this.#kind = kind
    this.created = seconds(context.clock)
  }

  get id(): string {
    this.#id ??= this.#context.ids.make(this.#kind)
    return this.#id
  }

  get seed(): number {
    this.#seed ??= this.#context.random.uint32()
    return this.#seed
  }

  get signal(): AbortSignal {
    return this.#context.signal
  }

  get tenant(): string {
    return this.#context.caller.organizationId
  }

  get requestId(): string | undefined {
    return this.#context.from.requestId ?? undefined
  }

  get route(): Route | undefined {
    return this.#context.route
  }

  get outputMax(): number {
    return this.#context.outputMax ?? Number.POSITIVE_INFINITY
  }

  get meter(): Meter {
    return this.#context.meter
  }

  get log(): Log {
    return this.#context.log
  }
}

/** Answers a completion request, whichever path it came by. */
export const complete = (body: CompletionRequest, context: ModelContext): Promise<Reply> =>
  generate(context, {
    body,
    operation: 'completions',
    path: '/completions',
    id: 'cmpl',
    ability: 'complete',
    chunks: (engine, call) => engine.complete!(body, call),
    collect: collectCompletion,
  })

/** Answers an embedding request, whichever path it came by. */
export async function embed(body: EmbeddingRequest, context: ModelContext): Promise<Reply> {
  const engine = context.models.engineFor(context.target, 'embed')
  if (engine.accepts === 'known') refuseUnsupported('embeddings', body, context.target.name)
  const call = callOf(context, 'request')
  if (engine.relay !== undefined && context.wants === 'bytes') {
    const relayed = await engine.relay('/embeddings', body, call)
    if (relayed.kind === 'json') return { kind: 'bytes', bytes: relayed.bytes }
    return { kind: 'relay', pipe: relayed.pipe }
  }
  return { kind: 'json', value: await engine.embed!(body, call) }
}

/** The way both generating operations go: relay where the engine has OpenAI's bytes already, chunks otherwise. */
export async function generate<Chunk extends object>(
  context: ModelContext,
  way: {
    body: { model: string; stream?: boolean | null; stream_options?: { include_usage?: boolean | null } | null }
    operation: GenerationOperation
    path: RelayPath
    id: IdKind
    ability: 'chat' | 'complete'
    chunks(engine: Engine, call: Call): AsyncIterable<Chunk>
    collect(chunks: AsyncIterable<Chunk>): Promise<object>
  },
): Promise<Reply> {
  const { body } = way
  const engine = context.models.engineFor(context.target, way.ability)
  if (engine.accepts === 'known') refuseUnsupported(way.operation, body, context.target.name, engine.takes)
  const call = callOf(context, way.id)
  if (engine.relay !== undefined && context.wants === 'bytes') {
    const relayed = await engine.relay(way.path, body, call)
    return relayed.kind === 'json' ? { kind: 'bytes', bytes: relayed.bytes } : { kind: 'relay', pipe: relayed.pipe }
  }
  const chunks = way.chunks(engine, call)
  if (body.stream !== true) return { kind: 'json', value: await way.collect(chunks) }
  return { kind: 'events', events: usageAsAsked(chunks, body.stream_options?.include_usage === true) }
}

/**
 * The usage chunk goes out only when asked for: user code that indexes `choices[0]` is not safe against it. When it is asked for,
 * all chunks before it carry `usage: null` (wire.md section 5.2).
 */
async function* usageAsAsked<Chunk extends object>(
  chunks: AsyncIterable<Chunk>,
  asked: boolean,
): AsyncGenerator<object> {
  for await (const chunk of chunks) {
    const isUsage = 'usage' in chunk && chunk.usage !== null && chunk.usage !== undefined
    if (asked) yield isUsage ? chunk : { ...chunk, usage: null }
    else if (!isUsage) yield chunk
  }
}
