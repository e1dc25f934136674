/**
 * Collects the chunks of a reply into the reply that is not streamed: the only path to it. Nothing is lost: fields that only an
 * upstream knows are merged too (texts joined, lists appended, of anything else the last one kept).
 */
import { fault } from '../lib/faults.ts'
import type {
  AssistantReply,
  ChatChoice,
  ChatChunk,
  ChatChunkChoice,
  ChatCompletion,
  ChatDelta,
  ChatLogprobs,
  FinishReason,
  ToolCall,
  ToolCallDelta,
} from '../wire/chat.ts'
import type { CompletionUsage } from '../wire/common.ts'
import type {
  Completion,
  CompletionChoice,
  CompletionChunk,
  CompletionChunkChoice,
  CompletionLogprobs,
} from '../wire/completions.ts'
import { isRecord } from '../wire/walk.ts'

/**
 * The whole chat reply: choices by index, `usage` of the last chunk that has one. `content` is null only when there is no text but
 * tool calls or a refusal. Throws `fault.internal` when a choice, or everything, is missing its end, as after an abort; what the
 * chunks throw passes through.
 */
export async function collectChat(chunks: AsyncIterable<ChatChunk>): Promise<ChatCompletion> {
  const collector = new ChatCollector()
  for await (const chunk of chunks) collector.add(chunk)
  return collector.close()
}

/** The same, chunk by chunk, for who passes them on meanwhile. */
export class ChatCollector {
  readonly #envelope = new Envelope()
  readonly #choices = new Map<number, ChatDraft>()

  add(chunk: ChatChunk): void {
    this.#envelope.add(chunk)
    for (const choice of chunk.choices) draftAt(this.#choices, choice.index, () => new ChatDraft()).add(choice)
  }

  /** @throws Fault as `collectChat` */
  close(): ChatCompletion {
    const { id, created, model, extras, usage } = this.#envelope.close(this.#choices.size)
    return {
      id,
      object: 'chat.completion',
      created,
      model,
      choices: byIndex(this.#choices).map(([index, draft]) => draft.close(index)),
      ...(usage === null ? {} : { usage }),
      ...extras,
    }
  }
}

/** The same for the classic endpoint. */
export async function collectCompletion(chunks: AsyncIterable<CompletionChunk>): Promise<Completion> {
  const envelope = new Envelope()
  const choices = new Map<number, CompletionDraft>()
  for await (const chunk of chunks) {
    envelope.add(chunk)
    for (const choice of chunk.choices) draftAt(choices, choice.index, () => new CompletionDraft()).add(choice)
  }
  const { id, created, model, extras, usage } = envelope.close(choices.size)
  return {
    id,
    object: 'text_completion',
    created,
    model,
    choices: byIndex(choices).map(([index, draft]) => draft.close(index)),
    ...(usage === null ? {} : { usage }),
    ...extras,
  }
}

const envelopeFields = new Set(['id', 'created', 'model', 'object', 'choices', 'usage', 'obfuscation'])

/** What stands around the choices. Azure's first chunk has an empty id and model, so the first that is set counts. */
class Envelope {
  private id = ''
  private created = 0
  private model = ''
  private usage: CompletionUsage | null = null
  private readonly extras = new Extras(envelopeFields)

  add(chunk: ChatChunk | CompletionChunk): void {
    this.id ||= chunk.id
    this.created ||= chunk.created
    this.model ||= chunk.model
    this.usage = chunk.usage ?? this.usage
    this.extras.replace(chunk)
  }

  close(choices: number) {
    if (choices === 0) throw endless('the reply has no choices')
    return { id: this.id, created: this.created, model: this.model, extras: this.extras.values(), usage: this.usage }
  }
}

const chatChoiceFields = new Set(['index', 'delta', 'logprobs', 'finish_reason'])
const deltaFields = new Set(['role', 'content', 'refusal', 'reasoning_content', 'tool_calls', 'function_call'])

class ChatDraft {
  private content = ''
  private refusal = ''
  private reasoning = ''
  private call: { name: string; arguments: string } | null = null
  private readonly calls = new Map<number, CallDraft>()
  private logprobs: ChatLogprobs = null
  private finish: FinishReason | null = null
  private readonly extras = new Extras(chatChoiceFields)
  private readonly deltaExtras = new Extras(deltaFields)

  add(choice: ChatChunkChoice): void {
    this.extras.replace(choice)
    this.finish = choice.finish_reason ?? this.finish
    this.logprobs = joinLogprobs(this.logprobs, choice.logprobs ?? null)
    // Azure's asynchronous filter sends choices without a delta.
    if (choice.delta !== undefined) this.addDelta(choice.delta)
  }

  private addDelta(delta: ChatDelta): void {
    this.content += delta.content ?? ''
    this.refusal += delta.refusal ?? ''
    this.reasoning += delta.reasoning_content ?? ''
    this.deltaExtras.merge(delta)
    for (const call of delta.tool_calls ?? []) draftAt(this.calls, call.index, () => new CallDraft()).add(call)
    if (delta.function_call !== undefined && delta.function_call !== null) {
      this.call ??= { name: '', arguments: '' }
      this.call.name ||= delta.function_call.name ?? ''
      this.call.arguments += delta.function_call.arguments ?? ''
    }
  }

  close(index: number): ChatChoice {
    if (this.finish === null) throw endless(`choice ${index} did not finish`)
    const textless = this.content === '' && (this.calls.size > 0 || this.call !== null || this.refusal !== '')
    const message: AssistantReply = {
      ...this.deltaExtras.values(),
      role: 'assistant',
      content: textless ? null : this.content,
      refusal: this.refusal === '' ? null : this.refusal,
      ...(this.reasoning === '' ? {} : { reasoning_content: this.reasoning }),
      ...(this.calls.size === 0 ? {} : { tool_calls: byIndex(this.calls).map(([, call]) => call.close()) }),
      ...(this.call === null ? {} : { function_call: this.call }),
    }
    return { ...this.extras.values(), index, message, logprobs: this.logprobs, finish_reason: this.finish }
  }
}

/** The first delta of a call carries its id and name; an upstream that repeats them must not double them. */
class CallDraft {
  private id = ''
  private name = ''
  private arguments = ''

  add(delta: ToolCallDelta): void {
    this.id ||= delta.id ?? ''
    this.name ||= delta.function?.name ?? ''
    this.arguments += delta.function?.arguments ?? ''
  }

  close(): ToolCall {
    return { id: this.id, type: 'function', function: { name: this.name, arguments: this.arguments } }
  }
}

function joinLogprobs(before: ChatLogprobs, more: ChatLogprobs): ChatLogprobs {
  if (more === null) return before
  const joined = before ?? { content: null, refusal: null }
  if (more.content) joined.content = push(joined.content ?? [], more.content)
  if (more.refusal) joined.refusal = push(joined.refusal ?? [], more.refusal)
  return joined
}

const completionChoiceFields = new Set(['index', 'text', 'logprobs', 'finish_reason'])

class CompletionDraft {
  private text = ''
  private logprobs: CompletionLogprobs = null
  private finish: CompletionChoice['finish_reason'] | null = null
  private readonly extras = new Extras(completionChoiceFields)

  add(choice: CompletionChunkChoice): void {
    this.extras.replace(choice)
    this.text += choice.text
    this.finish = choice.finish_reason ?? this.finish
    const more = choice.logprobs
    if (more === null || more === undefined) return
    this.logprobs ??= {}
    if (more.tokens) this.logprobs.tokens = push(this.logprobs.tokens ?? [], more.tokens)
    if (more.token_logprobs)
      this.logprobs.token_logprobs = push(this.logprobs.token_logprobs ?? [], more.token_logprobs)
    if (more.top_logprobs === null) this.logprobs.top_logprobs ??= null
    if (more.top_logprobs) this.logprobs.top_logprobs = push(this.logprobs.top_logprobs ?? [], more.top_logprobs)
    if (more.text_offset) this.logprobs.text_offset = push(this.logprobs.text_offset ?? [], more.text_offset)
  }

  close(index: number): CompletionChoice {
    if (this.finish === null) throw endless(`choice ${index} did not finish`)
    return { ...this.extras.values(), index, text: this.text, logprobs: this.logprobs, finish_reason: this.finish }
  }
}

/** Fields outside the wire's schema, kept as they came. */
class Extras {
  private readonly kept = new Map<string, unknown>()
  private readonly known: ReadonlySet<string>

  constructor(known: ReadonlySet<string>) {
    this.known = known
  }

  /** The newest value that is not null counts: the fields around the choices repeat in every chunk. */
  replace(from: object): void {
    for (const [name, value] of unknownOf(from, this.known)) {
      if (!this.kept.has(name) || value !== null) this.kept.set(name, value)
    }
  }

  /** Deltas add up. */
  merge(from: object): void {
    for (const [name, value] of unknownOf(from, this.known)) this.kept.set(name, merged(this.kept.get(name), value))
  }

  values(): Record<string, unknown> {
    return Object.fromEntries(this.kept)
  }
}

function unknownOf(from: object, known: ReadonlySet<string>): [string, unknown][] {
  return Object.entries(from).filter(([name]) => !known.has(name))
}

function merged(before: unknown, more: unknown): unknown {
  if (more === undefined || more === null) return before ?? more
  if (before === undefined || before === null) return Array.isArray(more) ? [...more] : more
  if (typeof before === 'string' && typeof more === 'string') return before + more
  if (Array.isArray(before) && Array.isArray(more)) return push(before, more)
  if (isRecord(before) && isRecord(more)) return mergedRecords(before, more)
  return more
}

/** Names that say what a thing is, not what it holds: repeating them does not add to them. */
const labels = new Set(['id', 'type', 'index', 'role', 'format'])

function mergedRecords(before: Record<string, unknown>, more: Record<string, unknown>): Record<string, unknown> {
  const joined = new Map(Object.entries(before))
  for (const [name, value] of Object.entries(more)) {
    joined.set(name, labels.has(name) ? value : merged(joined.get(name), value))
  }
  return Object.fromEntries(joined)
}

/** Grows `into`, which must be ours: copying it for every chunk would cost the square of the reply. */
function push<Item>(into: Item[], more: readonly Item[]): Item[] {
  for (const item of more) into.push(item)
  return into
}

function draftAt<Draft>(drafts: Map<number, Draft>, index: number, make: () => Draft): Draft {
  let draft = drafts.get(index)
  if (draft === undefined) {
    draft = make()
    drafts.set(index, draft)
  }
  return draft
}

function byIndex<Draft>(drafts: ReadonlyMap<number, Draft>): [number, Draft][] {
  return [...drafts].sort(([a], [b]) => a - b)
}

function endless(reason: string) {
  return fault.internal(new Error(`The chunks ended too early: ${reason}.`))
}
