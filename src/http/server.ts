import { type AddressInfo, isIP, type Socket } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Route } from '../engines/engine.ts'
import { Fault, fault } from '../lib/faults.ts'
import { parseJson } from '../lib/json.ts'
import { describe } from '../lib/log.ts'
import { Slots } from '../lib/slots.ts'
import { type Request as Asked, execute, type Services } from '../platform/execute.ts'
import { type TakenForm, takeForm } from '../platform/forms.ts'
import type { Idempotency } from '../platform/idempotency.ts'
import type { Caller, Keys } from '../platform/keys.ts'
import type { FormOperation, Operation, Visit } from '../platform/operation.ts'
import { attemptsIn } from '../platform/route.ts'
import { authenticate } from './auth.ts'
import { dialectOf } from './azure/index.ts'
import { azureUrl } from './azure/paths.ts'
import { preflightHeaders } from './headers.ts'
import { formIn, isForm } from './multipart/index.ts'
import { answerOnce, onceName } from './once.ts'
import { openapi } from './openapi.ts'
import type { OperatorDoor } from './operator.ts'
import { readQuery } from './query.ts'
import { Reach, type ReachOptions } from './reach.ts'
import { Replies } from './replies.ts'
import { hurry, refuseSocket } from './sockets.ts'
import { pathsOf, unknownRoute } from './unknown.ts'

export interface ServerOptions {
  operations: readonly Operation[]
  services: Services
  keys: Keys
  idempotency: Idempotency
  /** Lets in commands of this machine, which have no key. */
  operator?: OperatorDoor
  version: string
  maxBodyBytes: number
  logRequests: boolean
  /** Where browsers find this server. Without it, under any address in place of a name, and `localhost`. */
  reachedAt?: ReachOptions
  /** Addresses and networks whose `X-Forwarded-For` and `-Proto` count. */
  trustedProxies?: readonly string[]
}

export interface Server {
  /** @returns the address that was bound, also when the port was 0 */
  listen(host: string, port: number): Promise<AddressInfo>
  /** Takes no new requests, lets running ones end for so long, then aborts them. Resolves when all sockets are closed. */
  drain(timeoutMs: number): Promise<void>
}

/** How long a JSON body may take to come. */
const jsonBodyMs = 300_000
/** Depth of JSON bodies: deeper ones are refused before they are parsed. */
const maxDepth = 64

declare module 'fastify' {
  interface FastifyRequest {
    /** On the monotonic clock; 0 until the first hook. */
    startedMs: number
    caller: Caller | null
    /** Of a browser, where it is of interest. */
    visit: Visit | undefined
  }
}

/** What the parts of the server share. */
interface Door extends ServerOptions {
  replies: Replies
  reach: Reach
  running: Slots<AbortController>
}

/** The only user of Fastify: routes from the operations, one handler for all of them. */
export function makeServer(options: ServerOptions): Server {
  const { clock, log } = options.services
  const replies = new Replies({ clock, log, maxBodyBytes: options.maxBodyBytes })
  const reach = new Reach(options.reachedAt)
  const door: Door = { ...options, reach, replies, running: new Slots<AbortController>() }
  const app = makeApp(door)
  const unused = unusedConnections(app)
  addOperations(app, door)
  addPages(app, door)
  return {
    async listen(host, port) {
      await app.listen({ host, port, backlog: 4096 })
      return app.server.address() as AddressInfo
    },
    async drain(timeoutMs) {
      replies.draining = true
      for (const socket of unused) socket.destroy()
      const timer = setTimeout(() => {
        for (const leaving of door.running.all()) leaving.abort()
        app.server.closeAllConnections()
      }, timeoutMs)
      await app.close()
      clearTimeout(timer)
    },
  }
}

/**
 * Connections that have brought no request yet: browsers open some ahead, and so does Node's `fetch` after an abort. Node does not count
 * them among the idle ones, and would wait for them at the end.
 */
function unusedConnections({ server }: FastifyInstance): ReadonlySet<Socket> {
  const unused = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  server.on('request', ({ socket }: { socket: Socket }) => unused.delete(socket))
  return unused
}

/** Fastify with our limits, and with our words wherever it or Node would use their own. */
function makeApp({ services, replies, maxBodyBytes, trustedProxies = [] }: Door): FastifyInstance {
  const { ids, clock } = services
  const app = Fastify({
    bodyLimit: maxBodyBytes,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    keepAliveTimeout: 75_000, // above the pools of clients and balancers (wire.md section 3)
    connectionTimeout: 0,
    requestTimeout: 3_600_000, // of receiving a request, a large file over a slow line; replies may take as long as they like
    routerOptions: { maxParamLength: 1000 },
    http: { requireHostHeader: false }, // Node would refuse without a body; the first hook says it in our form
    rewriteUrl: request => azureUrl(request.url ?? '/'),
    genReqId: () => ids.make('request'),
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    clientErrorHandler: (error, socket) => refuseSocket(error, socket, ids.make('request')),
    frameworkErrors: (error, request, reply) => replies.error(error, request, reply),
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
  // A form is read by `takeForm`, as it comes.
  app.addContentTypeParser('multipart/form-data', (_request, _body, done) => done(null))
  app.decorateRequest('startedMs', 0)
  app.decorateRequest('caller', null)
  app.decorateRequest('visit', undefined)
  app.addHook('onRequest', (request, _reply, done) => {
    request.startedMs = clock.monotonic()
    if (replies.draining) done(fault.draining())
    else if (request.headers.host === undefined && request.raw.httpVersion === '1.1')
      done(fault.badRequest('The request names no host.'))
    else if (!request.originalUrl.startsWith('/'))
      done(fault.badRequest('The request names a whole URL, as proxies are asked: this server is none.'))
    else done()
  })
  app.setErrorHandler((error, request, reply) => replies.error(error, request, reply))
  return app
}

function addOperations(app: FastifyInstance, door: Door): void {
  for (const operation of door.operations)
    for (const path of pathsOf(operation))
      app.route({
        method: operation.method,
        url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
        onRequest: (request, _reply, done) => admit(operation, door, request, done),
        handler: (request, reply) => answer(operation, door, request, reply),
      })
}

/** What needs no key: the description of the API, a sign of life, what browsers ask first, and where nothing is. */
function addPages(app: FastifyInstance, { operations, version, replies }: Door): void {
  const page = (path: string, body: string) =>
    app.get(path, (request, reply) => replies.json(request, reply, 200, body))
  page('/openapi.json', JSON.stringify(openapi(operations, version)))
  page('/health', JSON.stringify({ status: 'ok', version }))
  app.options('*', (request, reply) => replies.send(request, reply, 204, preflightHeaders(request.headers), ''))
  app.setNotFoundHandler((request, reply) =>
    replies.error(unknownRoute(request.method, request.url, operations), request, reply),
  )
}

/** Before a body is read: who is calling, and whether the body can be read at all. Without a promise where the key is known. */
function admit(operation: Operation, door: Door, request: FastifyRequest, done: (refused?: Error) => void): void {
  // Not at once: first what has arrived of the body is read, so that the connection can be kept.
  const refuse = (refused: Error) => queueMicrotask(() => done(refused))
  const enter = (caller: Caller) => {
    request.caller = caller
    const refused = operation.body === undefined ? undefined : transportFault(operation, request)
    if (refused !== undefined) return refuse(refused)
    if (operation.form === undefined) hurry(request.raw, jsonBodyMs)
    done()
  }
  const known = attempt(() => door.operator?.(request.raw) ?? authenticate(operation, request, door))
  if (known instanceof Error) refuse(known)
  else if (known instanceof Promise) known.then(enter, done)
  else enter(known)
}

async function answer(operation: Operation, door: Door, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { services, replies, running, logRequests, keys } = door
  const { id } = request
  const caller = request.caller!
  const dialect = dialectOf(request.url)
  const leaving = new AbortController()
  const place = running.enter(leaving)
  const callers = caller.kind === 'session' ? services.signIn.sessions : keys
  // Not what is over at once: whoever ends their own key or signs out is told so, and not that it has ended meanwhile.
  const watches = operation.bills !== 'nothing'
  const unwatch = watches ? callers.watch(caller, reason => leaving.abort(reason)) : () => {}
  let leaves = true // whose reply is kept goes on without a reader: the client will ask for it again
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished && leaves) leaving.abort()
    else if (replies.draining) request.raw.socket.destroySoon() // kept for a next request, which will not come
  })
  const explains = request.headers['x-parlance-explain'] === '1'
  const route: Route | undefined = explains || logRequests ? { tried: [] } : undefined
  let form: TakenForm | undefined
  try {
    const { signal } = leaving
    form = operation.form === undefined ? undefined : await formOf(operation, door, request, signal)
    const asked = askedOf(operation, door, request, { signal, form, route, explains })
    const { body } = asked
    const name = onceName(operation, request, body)
    if (name === undefined) {
      const outcome = await execute(operation, asked, services)
      if (outcome.kind === 'json' || outcome.kind === 'bytes') leaving.signal.throwIfAborted() // it may be cut short
      const writing = replies.write(dialect.reply(outcome, operation, body), request, reply, leaving.signal)
      if (writing !== undefined) await writing
    } else {
      leaves = false
      const content = form === undefined ? [bytesOf(request)] : [JSON.stringify(form.fields), form.file.staged.sha256]
      await answerOnce({ operation, caller, name, content, request }, { ...door, log: services.log }, reply, begun =>
        execute(operation, { ...asked, begun }, services).then(outcome => {
          leaving.signal.throwIfAborted()
          return dialect.reply(outcome, operation, body)
        }),
      )
    }
  } catch (error) {
    if (leaving.signal.aborted) return // told below, if anybody is there
    if (reply.raw.headersSent) services.log.error('stream.broken', { requestId: id, cause: describe(error) })
    else replies.error(error, request, reply)
  } finally {
    if (form !== undefined) await form.discard()
    unwatch()
    running.leave(place)
    if (leaving.signal.reason instanceof Fault) replies.broken(leaving.signal.reason, request, reply)
    if (reply.raw.headersSent && !reply.raw.writableEnded) reply.raw.end()
    if (logRequests) {
      const ms = Math.round(services.clock.monotonic() - request.startedMs)
      const tried = route === undefined || route.tried.length === 0 ? {} : { attempts: attemptsIn(route) }
      services.log.info('request', {
        requestId: id,
        operation: operation.id,
        status: reply.raw.statusCode,
        ms,
        ...tried,
      })
    }
  }
}

/** The form of a request, with its file on the disk. @throws Fault */
function formOf(
  operation: FormOperation,
  { services }: Door,
  request: FastifyRequest,
  signal: AbortSignal,
): Promise<TakenForm> {
  const params = request.params as Record<string, string>
  return takeForm(operation, formIn(request.raw, signal), { caller: request.caller!, params }, services)
}

const noBytes = Buffer.alloc(0)
const bytesOf = ({ body }: FastifyRequest): Buffer => (Buffer.isBuffer(body) ? body : noBytes)

/** What a request asks of its operation, read in its dialect. @throws Fault 400, 404 */
function askedOf(
  operation: Operation,
  { operations }: Door,
  request: FastifyRequest,
  { signal, form, route, explains }: Pick<Asked, 'signal' | 'route' | 'explains'> & { form: TakenForm | undefined },
): Asked {
  const params = request.params as Record<string, string>
  const given = operation.body === undefined ? undefined : (form?.fields ?? readBody(request))
  const body = given === undefined ? undefined : dialectOf(request.url).body(given, params)
  for (const name in params) if (params[name] === '') throw unknownRoute(request.method, request.url, operations)
  const ip = isIP(request.ip) > 0 ? request.ip : (request.socket.remoteAddress ?? null)
  return {
    body,
    file: form?.file,
    bytes: bytesOf(request).length,
    params,
    query: operation.query === undefined ? {} : readQuery(request.raw.url, operation.query),
    caller: request.caller!,
    from: { ip, userAgent: request.headers['user-agent'] ?? null, requestId: request.id },
    visit: request.visit,
    wants: 'bytes',
    cacheControl: request.headers['cache-control'],
    signal,
    route,
    explains,
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
function transportFault({ form }: Operation, request: FastifyRequest): Fault | undefined {
  const type = request.headers['content-type']
  if (form !== undefined && !isForm(type)) return fault.formExpected((type ?? 'none').slice(0, 80))
  if (form === undefined && type !== undefined && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type))
    return fault.unsupportedMediaType(type.slice(0, 80))
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    return fault.unsupportedMediaType(`${encoding.slice(0, 40)}-encoded body`)
  return undefined
}

function readBody(request: FastifyRequest): unknown {
  const bytes = request.body
  const value = Buffer.isBuffer(bytes) && bytes.length > 0 ? parseJson(bytes, { maxDepth }) : {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault.bodyNotObject()
  return value
}
