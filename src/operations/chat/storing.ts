import { ChatCollector, collectChat } from '../../engines/collect.ts'
import type { Call, Engine } from '../../engines/engine.ts'
import { seconds } from '../../lib/clock.ts'
import { fault } from '../../lib/faults.ts'
import type { ModelContext, Reply } from '../../platform/operation.ts'
import type { ChatChunk, ChatRequest } from '../../wire/chat.ts'
import { isRecord } from '../../wire/walk.ts'
import { generate } from '../generation.ts'
import { keepCompletion } from './rows.ts'
import { chatWay } from './way.ts'

/** Of what is kept of a request. */
const requestBytesMax = 8_388_608
/** Of all that is kept of a request and its reply. */
const storedBytesMax = 16_777_216
/** Of the deltas of a stream. Those of calls hold more framing than text, so it is no exact bound; one on memory. */
const deltaLengthMax = 4 * storedBytesMax
/** Of an empty delta. */
const framingLength = JSON.stringify([{ content: '' }, null]).length

/**
 * Answers a request with `store: true`. The reply is in the store before it is acknowledged: one in one piece before it leaves, a
 * streamed one before its last `finish_reason` does, so that tokens never wait for the store. What failed, or was left before its
 * end, is not stored.
 *
 * Upstreams are not told to store: the completion is kept here, under an id of ours, for those of upstreams may repeat.
 *
 * @throws Fault 400 before it runs for a request that is too large to be kept, and after it for such a reply; 507 when there is no
 *   room. In a stream that has begun, these are its last event, in place of the end.
 */
export async function generateStored(body: ChatRequest, context: ModelContext): Promise<Reply> {
  const { store: _, metadata, ...asked } = body
  const { accepts } = context.models.engineFor(context.target, 'chat')
  const keeper = new Keeper({ asked, metadata: metadata ?? {}, local: accepts === 'known' }, context)
  const way = chatWay(asked)
  const chunks = (engine: Engine, call: Call) => {
    keeper.seed(call)
    return renamed(way.chunks(engine, call), call.id)
  }
  if (body.stream === true)
    return generate(
      { ...context, wants: 'values' },
      { ...way, chunks: (engine, call) => keeper.passing(chunks(engine, call)) },
    )
  const reply = await generate(context, {
    ...way,
    chunks,
    collect: async given => keeper.kept(await collectChat(given)),
  })
  return reply.kind === 'bytes' ? { kind: 'json', value: await keeper.kept(ours(reply.bytes, context)) } : reply
}

/** A completion of any shape: upstreams know more fields. */
interface Completed {
  id: string
  object: 'chat.completion'
  created: number
  model: string
  service_tier?: unknown
}

/** The reply of an upstream under our id, with what some leave out. */
function ours(bytes: Buffer, { ids, clock, target }: ModelContext): Completed {
  if (bytes.length > storedBytesMax) throw tooLarge('reply')
  const value: unknown = JSON.parse(bytes.toString())
  const { created, model, ...rest } = isRecord(value) ? value : {}
  return {
    ...rest,
    id: ids.make('chatcmpl'),
    object: 'chat.completion',
    created: typeof created === 'number' && Number.isSafeInteger(created) ? created : seconds(clock),
    model: typeof model === 'string' && model !== '' ? model : target.name,
  }
}

async function* renamed(chunks: AsyncIterable<ChatChunk>, id: string): AsyncGenerator<ChatChunk> {
  for await (const chunk of chunks) yield chunk.id === id ? chunk : { ...chunk, id }
}

interface Asking {
  asked: ChatRequest
  metadata: Record<string, string>
  /** The model is one of ours, so that what the request leaves open is known. */
  local: boolean
}

/** Keeps the reply to one request. */
class Keeper {
  readonly #asking: Asking
  readonly #context: ModelContext
  readonly #terms: Record<string, unknown>
  readonly #messages: string

  /** @throws Fault 400 */
  constructor(asking: Asking, context: ModelContext) {
    this.#asking = asking
    this.#context = context
    this.#terms = { request_id: context.from.requestId, ...termsOf(asking) }
    this.#messages = JSON.stringify(asking.asked.messages)
    if (bytesOf(this.#messages) + bytesOf(JSON.stringify(this.#terms)) > requestBytesMax) throw tooLarge('request')
  }

  /** A local model samples a request that has no seed with this one. */
  seed(call: Call): void {
    if (this.#asking.local) this.#terms.seed ??= call.seed
  }

  /** The same completion, when it is on the disk. @throws Fault */
  async kept<Completion extends Completed>(completion: Completion): Promise<Completion> {
    const { asked, metadata, local } = this.#asking
    const { store, caller, clock } = this.#context
    const { id, model, service_tier = local ? 'default' : null } = completion
    const body = JSON.stringify({ ...completion, ...this.#terms, service_tier })
    const messages = this.#messages
    if (bytesOf(body) + bytesOf(messages) > storedBytesMax) throw tooLarge('reply')
    const models = [asked.model, model]
    await keepCompletion(store, caller, { id, models, metadata, body, messages }, clock.now())
    return completion
  }

  /** Passes chunks on; from the one that ends the last choice they wait until all is stored. */
  async *passing(chunks: AsyncIterable<ChatChunk>): AsyncGenerator<ChatChunk> {
    const whole = new ChatCollector()
    const last: ChatChunk[] = []
    let open = this.#asking.asked.n ?? 1
    let length = 0
    for await (const chunk of chunks) {
      whole.add(chunk)
      for (const { delta, logprobs = null, finish_reason } of chunk.choices) {
        length += Math.max(0, JSON.stringify([delta, logprobs]).length - framingLength)
        if (finish_reason !== null) open--
      }
      if (length > deltaLengthMax) throw tooLarge('reply')
      if (open > 0) yield chunk
      else last.push(chunk)
    }
    if (open > 0 && this.#context.signal.aborted) return
    await this.kept(whole.close())
    yield* last
  }
}

/** What a completion was asked with, as OpenAI's API description shows it. */
function termsOf({ asked, local }: Asking): Record<string, unknown> {
  const usual = (value: number) => (local ? value : null)
  return {
    input_user: asked.user ?? asked.safety_identifier ?? null,
    seed: asked.seed ?? null,
    temperature: asked.temperature ?? usual(1),
    top_p: asked.top_p ?? usual(1),
    presence_penalty: asked.presence_penalty ?? usual(0),
    frequency_penalty: asked.frequency_penalty ?? usual(0),
    tools: asked.tools ?? null,
    tool_choice: asked.tool_choice ?? null,
    response_format: asked.response_format ?? null,
  }
}

const bytesOf = (text: string): number => Buffer.byteLength(text)

const tooLarge = (what: 'request' | 'reply') =>
  fault.invalidValue(
    'store',
    what === 'request'
      ? `The request is too large to be stored: messages, tools and response format together may have ${requestBytesMax} bytes as JSON.`
      : `The reply is too large to be stored: with its request it may have ${storedBytesMax} bytes as JSON.`,
    'completion_too_large',
  )
