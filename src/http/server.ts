import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { Fault, fault } from '../lib/faults.ts'
import { parseJson } from '../lib/json.ts'
import { describe } from '../lib/log.ts'
import { Slots } from '../lib/slots.ts'
import { execute, type Services } from '../platform/execute.ts'
import type { Caller, Keys } from '../platform/keys.ts'
import type { Operation, Reply } from '../platform/operation.ts'
import { authenticate } from './auth.ts'
import { fromFramework, rendered } from './errors.ts'
import { type HeaderList, preflightHeaders, responseHeaders } from './headers.ts'
import { openapi } from './openapi.ts'
import { sinkOf, streamHeaders, writeEvents } from './stream.ts'
import { unknownRoute } from './unknown.ts'

export interface ServerOptions {
  operations: readonly Operation[]
  services: Services
  keys: Keys
  version: string
  maxBodyBytes: number
  logRequests: boolean
}

export interface Server {
  /** @returns the address that was bound, also when the port was 0 */
  listen(host: string, port: number): Promise<AddressInfo>
  /** Takes no new requests, lets running ones end for so long, then aborts them. Resolves when all sockets are closed. */
  drain(timeoutMs: number): Promise<void>
}

/** Bytes of a reply that are copied to leave in one piece with their head. */
const joinedBytesMax = 8192

/** Depth of JSON bodies: deeper ones are refused before they are parsed. */
const maxDepth = 64

declare module 'fastify' {
  interface FastifyRequest {
    /** On the monotonic clock; 0 until the first hook. */
    startedMs: number
    caller: Caller | null
  }
}

/** The only user of Fastify: routes from the operations, one handler for all of them. */
export function makeServer({ operations, services, keys, version, maxBodyBytes, logRequests }: ServerOptions): Server {
  const { ids, clock, log } = services
  const running = new Slots<AbortController>()
  let draining = false

  const app = Fastify({
    bodyLimit: maxBodyBytes,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    keepAliveTimeout: 75_000, // above the pools of clients and balancers (wire.md section 3)
    connectionTimeout: 0,
    requestTimeout: 300_000, // of receiving a request; replies may take as long as they like
    routerOptions: { maxParamLength: 1000 },
    http: { requireHostHeader: false }, // Node would refuse without a body; the first hook says it in our form
    genReqId: () => ids.make('request'),
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    clientErrorHandler: (error, socket) => refuseSocket(error, socket, ids.make('request')),
    frameworkErrors: (error, request, reply) => sendError(error, request, reply),
  })
  app.server.headersTimeout = 80_000
  // What Node would answer without a body, or not at all. No operation depends on an expectation, so a strange one is no obstacle.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.server.on('connect', (_request, socket) =>
    refuseSocket(new Error('this is no proxy'), socket, ids.make('request')),
  )

  // Bodies arrive as bytes: `parseJson` is stricter than the framework's parser, and bounded.
  app.removeAllContentTypeParsers()
  // The usual type has an entry of its own, because the framework remembers what it found only for those.
  for (const type of ['application/json', '*'])
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.decorateRequest('startedMs', 0)
  app.decorateRequest('caller', null)

  const headersOf = ({ id, startedMs, caller }: FastifyRequest) =>
    responseHeaders(id, startedMs === 0 ? 0 : clock.monotonic() - startedMs, caller ?? undefined)
  const send = (
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    extra: HeaderList,
    body: string | Buffer,
  ) => {
    if (!reply.sent) reply.hijack()
    const raw = reply.raw
    if (raw.headersSent || raw.destroyed) return
    const headers = headersOf(request)
    headers.push(...extra)
    if (status !== 204) headers.push('content-length', String(Buffer.byteLength(body)))
    // Without a look at what is announced, a request whose reply is ready at once would always look incomplete.
    const bytesToCome = request.raw.complete ? 0 : announcedBytes(request)
    const unread = !(bytesToCome <= maxBodyBytes)
    if (draining || unread) headers.push('connection', 'close')
    if (bytesToCome !== 0) lingerOnClose(request.raw)
    raw.writeHead(status, headers)
    if (request.method === 'HEAD') raw.end()
    // Node puts a text and the head together into one piece; as Latin-1 the bytes stay what they are.
    else if (typeof body !== 'string' && body.length <= joinedBytesMax) raw.end(body.toString('latin1'), 'latin1')
    else raw.end(body)
  }
  const sendJson = (
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    body: string | Buffer,
    extra: HeaderList = [],
  ) => send(request, reply, status, ['content-type', 'application/json', ...extra], body)
  const sendError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const { status, headers, body } = rendered(fromFramework(error, { maxBodyBytes }), request.id, log)
    sendJson(request, reply, status, body, Object.entries(headers).flat())
  }

  const answer = async (operation: Operation, request: FastifyRequest, reply: FastifyReply) => {
    const { id, caller } = request
    const leaving = new AbortController()
    const place = running.enter(leaving)
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) leaving.abort()
      else if (draining) request.raw.socket.destroySoon() // kept for a next request, which will not come
    })
    try {
      const body = operation.body === undefined ? undefined : readBody(request)
      const params = request.params as Record<string, string>
      if (Object.values(params).includes('')) throw unknownRoute(request.method, request.url, operations)
      const outcome = await execute(
        operation,
        { body, params, caller: caller!, signal: leaving.signal, wants: 'bytes' },
        services,
      )
      await write(outcome, request, reply, leaving.signal)
    } catch (error) {
      if (leaving.signal.aborted) return // nobody is there to be told
      if (reply.raw.headersSent) log.error('stream.broken', { requestId: id, cause: describe(error) })
      else sendError(error, request, reply)
    } finally {
      running.leave(place)
      if (reply.raw.headersSent && !reply.raw.writableEnded) reply.raw.end()
      if (logRequests)
        log.info('request', {
          requestId: id,
          operation: operation.id,
          status: reply.raw.statusCode,
          ms: Math.round(clock.monotonic() - request.startedMs),
        })
    }
  }
  const write = async (outcome: Reply, request: FastifyRequest, reply: FastifyReply, signal: AbortSignal) => {
    if (outcome.kind === 'json') return sendJson(request, reply, 200, JSON.stringify(outcome.value))
    if (outcome.kind === 'bytes') return sendJson(request, reply, 200, outcome.bytes)
    reply.hijack()
    reply.raw.writeHead(200, headersOf(request).concat(streamHeaders))
    if (outcome.kind === 'relay') return outcome.pipe(sinkOf(reply.raw))
    return writeEvents(reply.raw, outcome.events, signal, error => rendered(error, request.id, log).body)
  }

  app.addHook('onRequest', (request, _reply, done) => {
    request.startedMs = clock.monotonic()
    if (draining) done(fault.draining())
    else if (request.headers.host === undefined && request.raw.httpVersion === '1.1')
      done(fault.badRequest('The request names no host.'))
    else done()
  })
  const admit = (operation: Operation, request: FastifyRequest, done: (refused?: Error) => void) => {
    // Not at once: first what has arrived of the body is read, so that the connection can be kept.
    const refuse = (refused: Error) => queueMicrotask(() => done(refused))
    const enter = (caller: Caller) => {
      request.caller = caller
      const refused = operation.body === undefined ? undefined : transportFault(request)
      if (refused === undefined) done()
      else refuse(refused)
    }
    const known = attempt(() => authenticate(request.headers, keys))
    if (known instanceof Error) refuse(known)
    else if (known instanceof Promise) known.then(enter, done)
    else enter(known)
  }
  for (const operation of operations)
    app.route({
      method: operation.method,
      url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      onRequest: (request, _reply, done) => admit(operation, request, done),
      handler: (request, reply) => answer(operation, request, reply),
    })
  const document = JSON.stringify(openapi(operations, version))
  const open = (path: string, body: string) => app.get(path, (request, reply) => sendJson(request, reply, 200, body))
  open('/openapi.json', document)
  open('/health', JSON.stringify({ status: 'ok', version }))
  app.options('*', (request, reply) => send(request, reply, 204, preflightHeaders(request.headers), ''))
  app.setNotFoundHandler((request, reply) =>
    sendError(unknownRoute(request.method, request.url, operations), request, reply),
  )
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply))

  return {
    async listen(host, port) {
      await app.listen({ host, port, backlog: 4096 })
      return app.server.address() as AddressInfo
    },
    async drain(timeoutMs) {
      draining = true
      const timer = setTimeout(() => {
        for (const leaving of running.all()) leaving.abort()
        app.server.closeAllConnections()
      }, timeoutMs)
      await app.close()
      clearTimeout(timer)
    },
  }
}

/** `wire/check.ts` validates; given nothing, Fastify would load two compilers of its own (8 MB). */
function noSchemas(): never {
  throw new Error('Routes carry no schemas.')
}

function attempt<Result>(work: () => Result): Result | Fault {
  try {
    return work()
  } catch (error) {
    return error instanceof Fault ? error : fault.internal(error)
  }
}

/** Before a body is read: its type and encoding. A body without a type is taken for JSON, as the SDKs' empty ones are. */
function transportFault(request: FastifyRequest): Fault | undefined {
  const type = request.headers['content-type']
  if (type !== undefined && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type))
    return fault.unsupportedMediaType(type.slice(0, 80))
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    return fault.unsupportedMediaType(`${encoding.slice(0, 40)}-encoded body`)
  return undefined
}

/** Length of the body as the head of the request says it; infinite where it does not say. */
function announcedBytes({ headers }: FastifyRequest): number {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : Number.POSITIVE_INFINITY
}

function readBody(request: FastifyRequest): unknown {
  const bytes = request.body
  const value = Buffer.isBuffer(bytes) && bytes.length > 0 ? parseJson(bytes, { maxDepth }) : {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault.bodyNotObject()
  return value
}

/** How long the rest of a refused body is still taken in. */
const lingerMs = 5000

/**
 * A socket that is closed with unread bytes sends a reset, and a client that is still sending its body never reads why it was
 * refused. So the end of the reply is sent first, and what still comes is taken in and dropped for a while.
 */
function lingerOnClose(request: IncomingMessage): void {
  const { socket } = request
  socket.destroySoon = () => {
    socket.end()
    request.resume()
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    socket.once('close', () => clearTimeout(timer))
  }
}

/** Bytes that are no HTTP: there is no request to answer, only a socket. */
function refuseSocket(error: Error, socket: Duplex, requestId: string): void {
  if (!socket.writable || ('code' in error && error.code === 'ECONNRESET')) {
    socket.destroy()
    return
  }
  const tooLarge = 'code' in error && error.code === 'HPE_HEADER_OVERFLOW'
  const shown = fault.badRequest(tooLarge ? 'The request headers are too large.' : 'The request is not valid HTTP.')
  const body = JSON.stringify(shown.body())
  const status = tooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'
  const headers = responseHeaders(requestId, 0, undefined)
  headers.push('content-type', 'application/json')
  headers.push('content-length', String(Buffer.byteLength(body)), 'connection', 'close')
  const lines = headers.map((word, at) => (at % 2 === 0 ? `${word}: ` : `${word}\r\n`))
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`)
}
