/**
 * The events of an upstream as the chunks that the engine contract promises, however sloppy the upstream is: one id, one time and one
 * model for the whole reply (the upstream's own, the call's where it names none), a role first, an empty delta with the
 * `finish_reason` last, then one chunk with the usage. Fields that only the upstream knows stay.
 */
import { fault } from '../../lib/faults.ts'
import { EventParser } from '../../lib/sse.ts'
import { ChatChunk } from '../../wire/chat.ts'
import { fits } from '../../wire/check.ts'
import { CompletionChunk } from '../../wire/completions.ts'
import type { Call, Sink } from '../engine.ts'
import { eventBytesMax } from './filter.ts'
import type { Flow } from './flow.ts'
import type { Tally } from './tally.ts'
import { isObject, parsed } from './values.ts'

type Json = Record<string, unknown>

/** Bytes that wait for a slow consumer before the upstream waits. */
const queuedBytesMax = 65_536

/** What names the engine and the call for the chunks of one reply. */
export interface Reply {
  name: string
  call: Call
  tally: Tally
}

/** Chat chunks. Throws the faults of the stream, and `fault.upstreamInvalid` for an event that is no chunk. */
export function chatChunks(flow: Flow, reply: Reply): AsyncGenerator<ChatChunk> {
  return chunks(flow, reply, new Shaper(reply, 'chat.completion.chunk', chatPieces), isChatChunk)
}

/** Completion chunks; the same rules. */
export function completionChunks(flow: Flow, reply: Reply): AsyncGenerator<CompletionChunk> {
  return chunks(flow, reply, new Shaper(reply, 'text_completion', completionPieces), isCompletionChunk)
}

const isChatChunk = (value: unknown): value is ChatChunk => fits(ChatChunk, value)
const isCompletionChunk = (value: unknown): value is CompletionChunk => fits(CompletionChunk, value)

async function* chunks<Chunk>(
  flow: Flow,
  reply: Reply,
  shaper: Shaper,
  isChunk: (value: unknown) => value is Chunk,
): AsyncGenerator<Chunk> {
  const checked = (chunk: Json): Chunk => {
    if (isChunk(chunk)) return chunk
    throw fault.upstreamInvalid(reply.name, new Error('An event of the stream is no chunk.'))
  }
  for await (const event of flowEvents(flow, reply.call.signal))
    for (const chunk of shaper.shape(event)) yield checked(chunk)
  if (reply.call.signal.aborted) return
  for (const chunk of shaper.finish()) yield checked(chunk)
}

/** The parsed events of a flow; the upstream waits while the consumer does. Ends quietly on abort, throws the fault of the flow. */
async function* flowEvents(flow: Flow, signal: AbortSignal): AsyncGenerator<Json> {
  const queue = new ByteQueue()
  const parser = new EventParser(2 * eventBytesMax)
  const ending = flow.run(queue).finally(() => queue.close())
  try {
    for (;;) {
      const bytes = await queue.take()
      if (signal.aborted) return
      if (bytes === undefined) break
      for (const { data } of parser.push(bytes)) {
        const event = parsed(data)
        if (isObject(event)) yield event
        if (signal.aborted) return
      }
    }
    const { fault: failed } = await ending
    if (failed !== undefined) throw failed
  } finally {
    flow.cancel()
    await ending // until then what was spent is counted
  }
}

/** A sink whose bytes are taken one after another. */
class ByteQueue implements Sink {
  #bytes: Uint8Array[] = []
  #length = 0
  #closed = false
  #wake: (() => void) | undefined
  #resume: (() => void) | undefined

  write(bytes: Uint8Array): boolean {
    this.#bytes.push(bytes)
    this.#length += bytes.length
    this.#wake?.()
    return this.#length < queuedBytesMax
  }

  drained(resume: () => void): void {
    this.#resume = resume
  }

  close(): void {
    this.#closed = true
    this.#wake?.()
  }

  /** All that has come; undefined at the end. */
  async take(): Promise<Uint8Array | undefined> {
    while (this.#bytes.length === 0) {
      if (this.#closed) return
      const resume = this.#resume
      this.#resume = undefined
      resume?.()
      if (this.#bytes.length > 0 || this.#closed) continue
      await new Promise<void>(wake => {
        this.#wake = wake
      })
    }
    const bytes = Buffer.concat(this.#bytes)
    this.#bytes = []
    this.#length = 0
    return bytes
  }
}

/** Splits one choice of an event into the pieces it should have been sent as. */
type Pieces = (choice: Json, first: boolean) => Json[]

class Shaper {
  readonly #reply: Reply
  readonly #object: string
  readonly #pieces: Pieces
  #envelope: Json | undefined
  /** What events without choices said, such as what Azure's filter found: it goes with the next chunk. */
  #carried: Json = {}
  /** Choices that have begun; true until their finish_reason. */
  readonly #open = new Map<number, boolean>()

  constructor(reply: Reply, object: string, pieces: Pieces) {
    this.#reply = reply
    this.#object = object
    this.#pieces = pieces
  }

  *shape(event: Json): Iterable<Json> {
    const choices = Array.isArray(event.choices) ? event.choices.filter(isObject) : []
    const rest = around(event)
    if (choices.length === 0) {
      this.#carried = { ...this.#carried, ...rest }
      return // the usage comes at the end
    }
    this.#envelope ??= envelopeOf(event, this.#reply)
    const named = { ...this.#carried, ...rest, ...this.#envelope, object: this.#object }
    this.#carried = {}
    for (const choice of choices) {
      const index = Number.isSafeInteger(choice.index) ? Number(choice.index) : 0
      if (this.#open.get(index) === false) continue // it has had its finish_reason
      for (const piece of this.#pieces(choice, !this.#open.has(index))) {
        this.#open.set(index, piece.finish_reason === null)
        yield { ...named, choices: [{ ...piece, index }] }
      }
    }
  }

  /** What is missing at the end of a whole stream. */
  *finish(): Iterable<Json> {
    const envelope = { ...this.#envelope, object: this.#object }
    for (const [index, open] of this.#open)
      if (open)
        for (const piece of this.#pieces({ delta: {}, text: '', finish_reason: 'stop' }, false))
          yield { ...envelope, choices: [{ ...piece, index }] }
    yield { ...this.#carried, ...envelope, choices: [], usage: this.#reply.tally.usage() }
  }
}

const tiers = new Set(['auto', 'default', 'flex', 'scale', 'priority'])

/** The fields around the choices. What is not as it is in OpenAI's API there is left out where that API has the field. */
function around({ choices: _, usage: __, service_tier: tier, system_fingerprint: fingerprint, ...rest }: Json): Json {
  return {
    ...rest,
    ...(typeof tier === 'string' && tiers.has(tier) && { service_tier: tier }),
    ...(typeof fingerprint === 'string' && { system_fingerprint: fingerprint }),
  }
}

function envelopeOf(event: Json, { call, name }: Reply): Json {
  const named = (value: unknown, other: string) => (typeof value === 'string' && value !== '' ? value : other)
  const created = Number.isSafeInteger(event.created) ? Number(event.created) : 0
  return {
    id: named(event.id, call.id),
    created: created > 0 ? created : call.created,
    model: named(event.model, name),
  }
}

const finishReasons = new Set(['stop', 'length', 'tool_calls', 'content_filter', 'function_call'])

/** Servers invent reasons (`eos`, `end_turn`); they all mean that the model had its say. */
const finishOf = (reason: unknown): string | null =>
  typeof reason === 'string' && reason !== '' ? (finishReasons.has(reason) ? reason : 'stop') : null

const chatPieces: Pieces = (choice, first) => {
  const delta = isObject(choice.delta) ? choice.delta : {}
  const { role: _, ...rest } = withoutNulls(delta)
  const { logprobs = null, ...around } = choice
  const pieces: Json[] = []
  if (first) pieces.push({ ...around, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null })
  const said = Object.values(rest).some(value => value !== '') || logprobs !== null
  if (said) pieces.push({ ...around, delta: withCalls(rest), logprobs, finish_reason: null })
  const finish = finishOf(choice.finish_reason)
  if (finish !== null) pieces.push({ ...around, delta: {}, logprobs: null, finish_reason: finish })
  return pieces
}

const completionPieces: Pieces = choice => {
  const { logprobs = null } = choice
  const text = typeof choice.text === 'string' ? choice.text : ''
  return [{ ...choice, text, logprobs, finish_reason: finishOf(choice.finish_reason) }]
}

const withoutNulls = (value: Json): Json =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null))

/** Calls without an index take their place's; nulls would be joined to names and ids by clients. */
function withCalls(delta: Json): Json {
  if (!Array.isArray(delta.tool_calls)) return delta
  const calls = delta.tool_calls.filter(isObject).map((call, place) => ({
    ...withoutNulls(call),
    index: Number.isSafeInteger(call.index) ? call.index : place,
    ...(isObject(call.function) ? { function: withoutNulls(call.function) } : {}),
  }))
  return { ...delta, tool_calls: calls }
}
