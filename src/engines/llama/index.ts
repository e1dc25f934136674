import { fault } from '../../lib/faults.ts'
import type { ChatChunk } from '../../wire/chat.ts'
import type { CompletionUsage } from '../../wire/common.ts'
import type { CompletionChunk } from '../../wire/completions.ts'
import type { EmbeddingList, EmbeddingRequest } from '../../wire/embeddings.ts'
import type { Reranking, RerankRequest } from '../../wire/rerank.ts'
import type { Ability, Call, Engine, Resident } from '../engine.ts'
import { abilitiesOf, abilityFor, fileAbilities, hopedAbilities } from './abilities.ts'
import { Best } from './best.ts'
import { chatChunks, chatUsageChunk, completionChunks, completionUsageChunk, type Envelope, Tally } from './chunks.ts'
import {
  checkDimensions,
  type EncodeAsked,
  embeddingAsked,
  embeddingList,
  encoded,
  rerankAsked,
  reranking,
} from './encoding.ts'
import { type Description, describeFile } from './file.ts'
import { type Asked, Host, type Job } from './host.ts'
import type { Event, VectorEvent } from './protocol.ts'
import { chatAsked, completionAsked, faultOf } from './request.ts'
import { type LlamaOptions, type Settings, withDefaults } from './settings.ts'
import { type LlamaTokenizer, llamaTokenizer } from './tokenizing/index.ts'

export { fileAbilities } from './abilities.ts'
export type { LlamaOptions } from './settings.ts'

export interface LlamaEngine extends Engine {
  readonly tokenizer: LlamaTokenizer
  readonly resident: Resident
  /** Loads the model before the first request does. @throws fault.modelLoadFailed */
  load(): Promise<void>
  /** Of the model's process, while there is one. */
  readonly pid: number | undefined
}

/**
 * An engine over a GGUF file. The model lives in a process of its own, started by `load` or by the first request.
 *
 * A file generates, embeds or reranks, one of the three. Chat needs a chat template in the file; before all of the file's header was
 * read, `abilities` is hopeful.
 */
export function llamaEngine(options: LlamaOptions): LlamaEngine {
  return new Llama(withDefaults(options))
}

/** Seconds a client should wait when the queue is full. */
const retryAfterSeconds = 2

class Llama implements LlamaEngine {
  readonly name: string
  readonly accepts = 'known'
  readonly tokenizer: LlamaTokenizer
  readonly resident: Resident
  readonly #settings: Settings
  readonly #host: Host
  #requests = 0
  #hoped: ReadonlySet<Ability> | undefined

  constructor(settings: Settings) {
    this.name = settings.name
    this.#settings = settings
    this.#host = new Host(settings)
    this.resident = {
      estimateBytes: () => this.#host.estimateBytes(),
      bytes: () => this.#host.bytes,
      load: () => this.load(),
      unload: () => this.#host.unload(),
    }
    this.tokenizer = llamaTokenizer(settings, async () => this.#host.description ?? describeFile(settings))
  }

  get abilities(): ReadonlySet<Ability> {
    const { description } = this.#host
    if (description !== undefined) return abilitiesOf(description)
    this.#hoped ??= fileAbilities(this.#settings.file)
    return this.#hoped ?? hopedAbilities
  }

  get pid(): number | undefined {
    return this.#host.pid
  }

  async *chat(request: Parameters<NonNullable<Engine['chat']>>[0], call: Call): AsyncIterable<ChatChunk> {
    const asked = { ...chatAsked(request, call.seed), ...boundsOf(call) }
    const { older = false, choice } = asked.tools ?? {}
    const named = typeof choice === 'object' && choice?.type === 'function'
    const form = { chunks: chatChunks({ older, named }), last: chatUsageChunk }
    yield* this.#work(asked, call, job => this.#chunks(job, { asked, call, form }))
  }

  async *complete(request: Parameters<NonNullable<Engine['complete']>>[0], call: Call): AsyncIterable<CompletionChunk> {
    const asked = { ...completionAsked(request, call.seed), ...boundsOf(call) }
    const form = { chunks: completionChunks, last: completionUsageChunk }
    yield* this.#work(asked, call, job => this.#chunks(job, { asked, call, form }))
  }

  async embed(request: EmbeddingRequest, call: Call): Promise<EmbeddingList> {
    return this.#encode(embeddingAsked(request), call, {
      check: description => checkDimensions(request, description),
      reply: vectors => embeddingList(this.name, request, vectors),
    })
  }

  async rerank(request: RerankRequest, call: Call): Promise<Reranking> {
    return this.#encode(rerankAsked(request), call, {
      reply: (vectors, description) => reranking(this.name, request, vectors, description),
    })
  }

  async load(): Promise<void> {
    await this.#host.load()
  }

  status() {
    return this.#host.status()
  }

  async close(): Promise<void> {
    await Promise.all([this.#host.close(), this.tokenizer.close()])
  }

  /** Has a request done: in its turn, and no longer than somebody waits for it. */
  async *#work<Item>(asked: Asked, call: Call, read: (job: Job) => AsyncGenerator<Item>): AsyncGenerator<Item> {
    if (call.signal.aborted) return
    if (this.#requests >= this.#settings.slots + this.#settings.queue)
      throw fault.overloaded(this.name, retryAfterSeconds)
    this.#requests++
    const abort = new Abort(call.signal)
    let job: Job | undefined
    try {
      job = await abort.race(this.#open(asked), late => late.cancel())
      if (job === undefined) return
      abort.listen(() => job?.cancel())
      yield* read(job)
    } finally {
      abort.stop()
      job?.cancel()
      this.#requests--
    }
  }

  async *#chunks<Chunk>(job: Job, { asked, call, form }: Reply<Chunk>): AsyncGenerator<Chunk> {
    const envelope = {
      id: call.id,
      created: call.created,
      model: this.name,
      system_fingerprint: job.description.fingerprint,
    }
    const tally = new Tally(call.meter, asked.n)
    const best = asked.type === 'complete' && asked.best !== undefined ? new Best(asked.n, asked.best) : undefined
    let open = asked.n * (asked.type === 'complete' ? asked.prompts.length : 1)
    while (open > 0) {
      const event = await job.feed.next()
      if (event === undefined) return
      if (event.kind === 'failure') throw fault.internal(new Error(event.message))
      tally.take(event)
      if (event.kind === 'end' && --open === 0) job.finish()
      for (const kept of best?.take(event) ?? [event]) for (const chunk of form.chunks(envelope, kept)) yield chunk
    }
    yield form.last(envelope, tally.usage())
  }

  /** Encodes the inputs and makes the reply of their vectors. @throws Fault, and what the signal was aborted with */
  async #encode<Reply>(asked: EncodeAsked, call: Call, make: Making<Reply>): Promise<Reply> {
    const vectors: VectorEvent[] = []
    let description: Description | undefined
    const read = (job: Job) => {
      make.check?.(job.description)
      description = job.description
      return encoded(job, asked, call)
    }
    for await (const vector of this.#work(asked, call, read)) vectors.push(vector)
    call.signal.throwIfAborted()
    if (description === undefined) throw fault.internal(new Error('The request was not taken'))
    return make.reply(vectors, description)
  }

  async #open(asked: Asked): Promise<Job> {
    const { description } = await this.#host.load()
    const ability = abilityFor(asked)
    if (!abilitiesOf(description).has(ability)) throw fault.wrongAbility(this.name, ability)
    return this.#host.open(asked, refusal => faultOf(refusal, asked, { name: this.name, limit: description.context }))
  }
}

const boundsOf = ({ tenant, outputMax = Number.POSITIVE_INFINITY }: Call) => ({
  ...(tenant !== undefined && { tenant }),
  ...(outputMax !== Number.POSITIVE_INFINITY && { outputMax }),
})

/** How vectors become a reply. */
interface Making<Reply> {
  /** Whether the model can do what is asked, before it begins. @throws Fault */
  check?(description: Description): void
  reply(vectors: readonly VectorEvent[], description: Description): Reply | Promise<Reply>
}

type Generating = Exclude<Asked, EncodeAsked>

/** How events become chunks. */
interface Form<Chunk> {
  chunks(envelope: Envelope, event: Event): Chunk[]
  last(envelope: Envelope, usage: CompletionUsage): Chunk
}

interface Reply<Chunk> {
  readonly asked: Generating
  readonly call: Call
  readonly form: Form<Chunk>
}

/** A signal that is listened to by one thing at a time. */
class Abort {
  readonly #signal: AbortSignal
  #listener: () => void = () => {}

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** The value, or undefined when the signal comes first. */
  async race<T>(promise: Promise<T>, late: (value: T) => void): Promise<T | undefined> {
    let aborted = false
    const abort = new Promise<undefined>(resolve => {
      this.listen(() => {
        aborted = true
        resolve(undefined)
      })
    })
    promise.then(
      value => {
        if (aborted) late(value)
      },
      () => undefined,
    )
    return Promise.race([promise, abort])
  }

  listen(listener: () => void): void {
    this.stop()
    this.#listener = listener
    if (this.#signal.aborted) listener()
    else this.#signal.addEventListener('abort', listener, { once: true })
  }

  stop(): void {
    this.#signal.removeEventListener('abort', this.#listener)
  }
}
