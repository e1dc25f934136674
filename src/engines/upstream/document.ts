import { type Fault, fault } from '../../lib/faults.ts'
import type { RelayPath } from '../engine.ts'
import type { BodyReader, Exchange, Head } from './exchange.ts'
import { type About, errorInReply, refusal } from './refusals.ts'
import type { Tally } from './tally.ts'
import { isObject, mediaType, parsed } from './values.ts'

/** Bytes of a reply that is not streamed. */
export const documentBytesMax = 67_108_864
/** Bytes of an answer that is no 200; only a short message is taken from it. */
const refusalBytesMax = 65_536

/** A reply in one piece: the bytes as the upstream sent them, and what they mean. */
export interface Document {
  bytes: Buffer
  value: Record<string, unknown>
}

/** What a document settles: with a reply, or with a fault; neither when the call was aborted. */
export interface Settle {
  resolve(document: Document): void
  reject(reason: Fault | undefined): void
}

/** Reads a reply in one piece and checks that it is one. Where a stream was asked for, only an error in its place is understood. */
export function documentReader(
  exchange: Exchange,
  head: Head,
  about: About,
  checks: { path: RelayPath; streamed: boolean; encoding: string | string[]; tally: Tally; settle: Settle },
): BodyReader {
  const { path, streamed, encoding, tally, settle } = checks
  const garbled = (detail: string) => fault.upstreamInvalid(about.name, new Error(detail))
  const type = mediaType(head.headers['content-type'])
  const isJson = encoding === 'identity' && (type === 'application/json' || (type?.endsWith('+json') ?? false))
  return bounded(exchange, head, documentBytesMax, {
    tooLong: () => settle.reject(garbled(`The reply is longer than ${documentBytesMax} bytes.`)),
    fail: settle.reject,
    end(bytes) {
      const value = isJson ? parsed(bytes) : undefined
      if (!isObject(value)) return settle.reject(garbled('The reply is no JSON object.'))
      const error = errorInReply(about, value)
      if (error !== undefined) return settle.reject(error)
      const wrong = streamed ? 'A stream was asked for.' : shapeFault(path, value)
      if (wrong !== undefined) return settle.reject(garbled(wrong))
      tally.report(value.usage)
      const counting = tally.close(false, value)
      if (counting === undefined) settle.resolve({ bytes, value })
      else void counting.then(() => settle.resolve(withUsage(path, value, tally)))
    },
  })
}

/** Reads an answer that is no reply, for the error in it. What is cut off or too long is judged by its status. */
export function refusalReader(exchange: Exchange, head: Head, about: About, fail: Settle['reject']): BodyReader {
  const judge = (bytes: Buffer) => fail(refusal(about, head, bytes))
  return bounded(exchange, head, refusalBytesMax, {
    tooLong: () => judge(Buffer.alloc(0)),
    fail: reason => (reason === undefined ? fail(undefined) : judge(Buffer.alloc(0))),
    end: judge,
  })
}

/** Collects a body up to a bound; beyond, the connection is closed. */
export function bounded(
  exchange: Exchange,
  { headers }: Head,
  bytesMax: number,
  then: { tooLong(): void; fail(reason: Fault | undefined): void; end(bytes: Buffer): void },
): BodyReader {
  const chunks: Buffer[] = []
  const expectedBytes = Number(headers['content-length'])
  let length = 0
  return {
    data(chunk) {
      length += chunk.length
      if (length > bytesMax) {
        exchange.drop()
        then.tooLong()
      } else {
        chunks.push(chunk)
        if (length !== expectedBytes) exchange.alive() // most replies come in one piece, and need no timer
      }
    },
    end: () => then.end(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    fail: reason => then.fail(reason),
  }
}

/** The same reply with the usage that the upstream left out: client programs read it without a look. */
function withUsage(path: RelayPath, reply: Record<string, unknown>, tally: Tally): Document {
  const { prompt_tokens, total_tokens, ...rest } = tally.usage()
  const usage = { prompt_tokens, ...(path === '/embeddings' ? {} : rest), total_tokens }
  const value = { ...reply, usage }
  return { bytes: Buffer.from(JSON.stringify(value)), value }
}

/** What is wrong with the form of a reply, for the log; undefined when it can be passed on. */
function shapeFault(path: RelayPath, reply: Record<string, unknown>): string | undefined {
  const { object, list, entry } = shapes[path]
  if (reply.object !== undefined && reply.object !== object) return `The reply's object is not '${object}'.`
  const entries = reply[list]
  if (!Array.isArray(entries) || entries.length === 0) return `The reply has no ${list}.`
  return entries.every(one => isObject(one) && entry(one))
    ? undefined
    : `The reply's ${list} are not of the known form.`
}

/** Some servers leave `object` out, and all clients do without it; another one than the right one is never right. */
const shapes: Record<RelayPath, { object: string; list: string; entry(one: Record<string, unknown>): boolean }> = {
  '/chat/completions': { object: 'chat.completion', list: 'choices', entry: one => isObject(one.message) },
  '/completions': { object: 'text_completion', list: 'choices', entry: one => typeof one.text === 'string' },
  '/embeddings': {
    object: 'list',
    list: 'data',
    entry: one => typeof one.embedding === 'string' || Array.isArray(one.embedding),
  },
}
