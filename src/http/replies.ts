import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../lib/clock.ts'
import type { Fault } from '../lib/faults.ts'
import type { Log } from '../lib/log.ts'
import type { Reply } from '../platform/operation.ts'
import { dialectOf } from './azure/index.ts'
import { fromFramework, rendered } from './errors.ts'
import { type HeaderList, responseHeaders } from './headers.ts'
import { announcedBytes, lingerOnClose } from './sockets.ts'
import { sinkOf, streamHeaders, writeBytes, writeEvents } from './stream.ts'

/** Bytes of a reply that are copied to leave in one piece with their head. */
const joinedBytesMax = 8192

export interface RepliesOptions {
  clock: Clock
  log: Log
  maxBodyBytes: number
}

/** Writes every reply: what Fastify would do with a reply costs more than the reply. */
export class Replies {
  /** From then on each reply closes its connection. */
  draining = false
  readonly #clock: Clock
  readonly #log: Log
  readonly #maxBodyBytes: number

  constructor({ clock, log, maxBodyBytes }: RepliesOptions) {
    this.#clock = clock
    this.#log = log
    this.#maxBodyBytes = maxBodyBytes
  }

  send(request: FastifyRequest, reply: FastifyReply, status: number, extra: HeaderList, body: string | Buffer): void {
    if (!reply.sent) reply.hijack()
    const raw = reply.raw
    if (raw.headersSent || raw.destroyed) return
    const headers = this.#headers(request)
    headers.push(...extra)
    if (status !== 204) headers.push('content-length', String(Buffer.byteLength(body)))
    // Without a look at what is announced, a request whose reply is ready at once would always look incomplete.
    const bytesToCome = request.raw.complete ? 0 : announcedBytes(request.raw)
    const unread = !(bytesToCome <= this.#maxBodyBytes)
    if (this.draining || unread) headers.push('connection', 'close')
    if (bytesToCome !== 0) lingerOnClose(request.raw)
    raw.writeHead(status, headers)
    if (request.method === 'HEAD') raw.end()
    // Node puts a text and the head together into one piece; as Latin-1 the bytes stay what they are.
    else if (typeof body !== 'string' && body.length <= joinedBytesMax) raw.end(body.toString('latin1'), 'latin1')
    else raw.end(body)
  }

  json(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    body: string | Buffer,
    extra: HeaderList = [],
  ): void {
    this.send(request, reply, status, ['content-type', 'application/json', ...extra], body)
  }

  error(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const known = fromFramework(error, { maxBodyBytes: this.#maxBodyBytes })
    const { status, headers, body } = rendered(known, request, this.#log)
    this.json(request, reply, status, body, Object.entries(headers).flat())
  }

  /** The reply ends with this error, whether it has begun as a stream or not at all. */
  broken(reason: Fault, request: FastifyRequest, reply: FastifyReply): void {
    if (!reply.raw.headersSent) this.error(reason, request, reply)
    else if (!reply.raw.writableEnded) reply.raw.end(`data: ${rendered(reason, request, this.#log).body}\n\n`)
  }

  /** Resolves when the whole reply was handed over, a stream with all its events. No promise where that is so at once. */
  write(outcome: Reply, request: FastifyRequest, reply: FastifyReply, signal: AbortSignal): Promise<void> | undefined {
    const { headers = [], status = 200 } = outcome
    if (outcome.kind === 'json' || outcome.kind === 'bytes') {
      const body = outcome.kind === 'json' ? JSON.stringify(outcome.value) : outcome.bytes
      this.json(request, reply, status, body, headers)
      return undefined
    }
    if (outcome.kind === 'content') return this.#content(outcome, request, reply, signal)
    reply.hijack()
    reply.raw.writeHead(200, this.#headers(request).concat(streamHeaders, headers))
    if (outcome.kind === 'relay') return outcome.pipe(sinkOf(reply.raw)).then(() => undefined)
    return writeEvents(reply.raw, outcome.events, signal, error => rendered(error, request, this.#log).body)
  }

  /** Bytes at the reader's pace. What fails in the middle ends the connection: a length was promised. */
  async #content(
    { type, sizeBytes, bytes, close, headers = [] }: Extract<Reply, { kind: 'content' }>,
    request: FastifyRequest,
    reply: FastifyReply,
    signal: AbortSignal,
  ): Promise<void> {
    reply.hijack()
    const { raw } = reply
    const own = ['content-type', type, 'content-length', String(sizeBytes)]
    raw.writeHead(200, this.#headers(request).concat(own, headers))
    try {
      if (request.method !== 'HEAD') await writeBytes(raw, bytes, signal)
      raw.end()
    } catch (error) {
      raw.destroy()
      throw error
    } finally {
      await close()
    }
  }

  #headers({ id, url, startedMs, caller }: FastifyRequest): string[] {
    const elapsedMs = startedMs === 0 ? 0 : this.#clock.monotonic() - startedMs
    const headers = responseHeaders(id, elapsedMs, caller ?? undefined)
    headers.push(...dialectOf(url).headers(id))
    return headers
  }
}
