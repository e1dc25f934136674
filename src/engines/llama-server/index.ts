import { fault } from '../../lib/faults.ts'
import type { ChatChunk, ChatRequest } from '../../wire/chat.ts'
import type { CompletionUsage } from '../../wire/common.ts'
import type { CompletionChunk, CompletionRequest } from '../../wire/completions.ts'
import type { Ability, Call, Engine, Resident, Takes } from '../engine.ts'
import { abilitiesOf, fileAbilities, hopedAbilities } from '../llama/abilities.ts'
import { chatUsageChunk, completionUsageChunk, type Envelope, Tally } from '../llama/chunks.ts'
import { describeFile } from '../llama/file.ts'
import { grammarCache } from '../llama/grammar/index.ts'
import { type LlamaTokenizer, llamaTokenizer } from '../llama/tokenizing/index.ts'
import { checkContext } from './context.ts'
import { Host, type Running } from './host.ts'
import { merged } from './merge.ts'
import { chatChunk, completionChunk, partMeter } from './reply.ts'
import { chatPlan, completionPlan, type Part, type Plan } from './request.ts'
import { asLlama, type LlamaServerOptions, type Settings, withDefaults } from './settings.ts'

export type { LlamaServerOptions } from './settings.ts'

export interface LlamaServerEngine extends Engine {
  readonly tokenizer: LlamaTokenizer
  readonly resident: Resident
  /** Of the server's process, while there is one. */
  readonly pid: number | undefined
}

/**
 * A GGUF file behind llama.cpp's own server, which is started by the first request: for images, and for adapters by request. It is an
 * upstream as any other, with two differences: its process is ours, and what it would ignore or understand otherwise is refused, or put
 * in its words, before it is asked. Replies are always read as chunks, since the server's own bytes are not quite OpenAI's.
 *
 * It offers less than the engine in our own process: no `logprobs`, `echo`, `suffix` and `best_of`.
 */
export function llamaServerEngine(options: LlamaServerOptions): LlamaServerEngine {
  return new LlamaServer(withDefaults(options))
}

/** Seconds a client should wait when the queue is full. */
const retryAfterSeconds = 2
const grammarsKept = { countMax: 64, charactersMax: 4_194_304 } as const

class LlamaServer implements LlamaServerEngine {
  readonly name: string
  readonly accepts = 'known'
  readonly takes: Takes
  readonly tokenizer: LlamaTokenizer
  readonly resident: Resident
  readonly #settings: Settings
  readonly #host: Host
  readonly #grammars = grammarCache(grammarsKept)
  #requests = 0
  #hoped: ReadonlySet<Ability> | undefined

  constructor(settings: Settings) {
    this.name = settings.name
    this.#settings = settings
    this.#host = new Host(settings)
    this.takes = { images: settings.mmproj !== undefined, fields: settings.adapters.length > 0 ? ['lora'] : [] }
    this.resident = {
      estimateBytes: () => this.#host.estimateBytes(),
      bytes: () => this.#host.bytes,
      load: async () => {
        await this.#host.load()
      },
      unload: () => this.#host.unload(),
    }
    const llama = asLlama(settings)
    this.tokenizer = llamaTokenizer(llama, async () => this.#host.description ?? describeFile(llama))
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

  async *chat(request: ChatRequest, call: Call): AsyncIterable<ChatChunk> {
    yield* this.#work(call, running => {
      if (!abilitiesOf(running.description).has('chat')) throw fault.wrongAbility(this.name, 'chat')
      const plan = chatPlan(request, call.seed, this.#against(running))
      const shape = chatChunk(plan)
      return {
        plan,
        ask: (part, partCall) => running.upstream.chat?.(chatBody(part, call), partCall),
        take: (envelope, choice, { choices: [one] }: ChatChunk) => one && shape(envelope, choice, one),
        last: chatUsageChunk,
      }
    })
  }

  async *complete(request: CompletionRequest, call: Call): AsyncIterable<CompletionChunk> {
    yield* this.#work(call, running => ({
      plan: completionPlan(request, call.seed, this.#against(running)),
      ask: (part, partCall) => running.upstream.complete?.(completionBody(part, call), partCall),
      take: (envelope, choice, { choices: [one] }: CompletionChunk) => one && completionChunk(envelope, choice, one),
      last: completionUsageChunk,
    }))
  }

  status() {
    return this.#host.status()
  }

  async close(): Promise<void> {
    await Promise.all([this.#host.close(), this.tokenizer.close()])
  }

  #against({ description, callsTools }: Running) {
    return { settings: this.#settings, description, callsTools, grammars: this.#grammars }
  }

  /** Has a request done: no longer than somebody waits for it. */
  async *#work<Chunk>(call: Call, prepare: (running: Running) => Work<Chunk>): AsyncGenerator<Chunk> {
    if (call.signal.aborted) return
    if (this.#requests >= this.#settings.slots + this.#settings.queue)
      throw fault.overloaded(this.name, retryAfterSeconds)
    this.#requests++
    const leave = new AbortController()
    const signal = AbortSignal.any([call.signal, leave.signal])
    try {
      const running = await unlessAborted(this.#host.load(), signal)
      if (running === undefined) return
      yield* this.#replies(running, prepare(running), call, signal)
    } finally {
      leave.abort()
      this.#requests--
    }
  }

  async *#replies<Chunk>(running: Running, work: Work<Chunk>, call: Call, signal: AbortSignal): AsyncGenerator<Chunk> {
    const { plan, ask, take, last } = work
    const envelope = {
      id: call.id,
      created: call.created,
      model: this.name,
      system_fingerprint: running.description.fingerprint,
    }
    const tally = new Tally(call.meter, plan.n)
    const { log, created, id, seed } = call
    const streams = plan.parts.map(
      part =>
        async function* (): AsyncGenerator<Chunk> {
          const meter = partMeter(tally, part.choice)
          for await (const chunk of ask(part, { log, created, id, seed, signal, meter }) ?? []) {
            const told = take(envelope, part.choice, chunk)
            if (told !== undefined) yield told
          }
        },
    )
    try {
      await checkContext(plan, running, signal)
      yield* merged(streams, this.#settings.slots)
    } catch (error) {
      if (signal.aborted) return
      throw await running.explain(error)
    }
    if (!signal.aborted) yield last(envelope, tally.usage())
  }
}

/** How a request is asked for, and how its chunks are told. */
interface Work<Chunk> {
  readonly plan: Plan
  ask(part: Part, call: Call): AsyncIterable<Chunk> | undefined
  take(envelope: Envelope, choice: number, chunk: Chunk): Chunk | undefined
  last(envelope: Envelope, usage: CompletionUsage): Chunk
}

/** The upstream takes what we made for it; its types are those of what callers send. */
const chatBody = (part: Part, call: Call): ChatRequest => ({ model: '', messages: [], ...capped(part, call) })
const completionBody = (part: Part, call: Call): CompletionRequest => ({ model: '', ...capped(part, call) })

/** -1 stands for as many as there is room for. */
function capped({ body }: Part, { outputMax = Number.POSITIVE_INFINITY }: Call): Part['body'] {
  if (outputMax === Number.POSITIVE_INFINITY) return body
  const { max_tokens: asked } = body
  return { ...body, max_tokens: typeof asked === 'number' && asked >= 0 ? Math.min(asked, outputMax) : outputMax }
}

/** The value, or undefined when the signal comes first. */
async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>()
  const abort = () => resolve(undefined)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
