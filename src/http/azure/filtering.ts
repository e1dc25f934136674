import type { Sink } from '../../engines/engine.ts'
import { encodeEvent } from '../../lib/sse.ts'
import type { Operation, Reply } from '../../platform/operation.ts'
import { isRecord } from '../../wire/walk.ts'

/**
 * What Azure says when its filter has not looked at a text, in its own words. No filter has looked here either, so nothing may be
 * called safe.
 */
const notFiltered = { error: { code: 'content_filter_error', message: 'The contents are not filtered' } }
/** Of which replies Azure tells what its filter found. */
const told: ReadonlySet<string> = new Set(['/v1/chat/completions', '/v1/completions'])
/** Inside a JSON string the quotes would be escaped, so in bytes this is a field, or a text that is this word and nothing more. */
const field = 'prompt_filter_results'

/**
 * The reply with what Azure says about its content filter: in one piece for each prompt and each choice; a stream opens with an event
 * without choices for the prompts, and says nothing of the choices, as Azure's asynchronous filter. What an upstream says of a filter
 * of its own stays as it is.
 */
export function withFilterResults(reply: Reply, { method, path }: Operation, body: unknown): Reply {
  if (method !== 'POST' || !told.has(path)) return reply
  const asked = isRecord(body) ? body : {}
  const prompts = Array.from({ length: promptsOf(asked) }, (_, index) => ({
    prompt_index: index,
    content_filter_results: notFiltered,
  }))
  if (reply.kind === 'json') return { ...reply, value: whole(reply.value, prompts) }
  if (reply.kind === 'bytes') {
    const { bytes, ...rest } = reply
    const value: unknown = JSON.parse(bytes.toString())
    return isRecord(value) ? { ...rest, kind: 'json', value: whole(value, prompts) } : reply
  }
  const first = { choices: [], created: 0, id: '', model: '', object: '', [field]: prompts, ...usageOf(asked) }
  if (reply.kind === 'events') return { ...reply, events: opened(reply.events, first) }
  if (reply.kind === 'content') return reply
  const { pipe } = reply
  return { ...reply, pipe: sink => pipe(openedSink(sink, Buffer.from(encodeEvent(JSON.stringify(first))))) }
}

/** A completion may have many prompts; one may be a list of tokens. */
function promptsOf({ prompt }: Record<string, unknown>): number {
  return Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1
}

/** Where usage is asked for, every event but the last says that it has none. */
function usageOf({ stream_options: options }: Record<string, unknown>): object {
  return isRecord(options) && options.include_usage === true ? { usage: null } : {}
}

function whole(value: object, prompts: object[]): object {
  if (field in value || !('choices' in value) || !Array.isArray(value.choices)) return value
  const choices = value.choices.map((choice: object) => ({ content_filter_results: notFiltered, ...choice }))
  return { ...value, [field]: prompts, choices }
}

async function* opened(events: AsyncIterable<object>, first: object): AsyncGenerator<object> {
  let begun = false
  for await (const event of events) {
    if (!begun && !(field in event)) yield first
    begun = true
    yield event
  }
}

/** The same sink, to which the first event goes before the stream's own first one: they come whole, and pass unread from then on. */
function openedSink(sink: Sink, first: Buffer): Sink {
  let begun = false
  return {
    drained: resume => sink.drained(resume),
    write(bytes) {
      if (begun) return sink.write(bytes)
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      begun = text.includes('data: ') // and not a comment alone
      return sink.write(!begun || text.includes(`"${field}"`) ? bytes : Buffer.concat([first, text]))
    },
  }
}
