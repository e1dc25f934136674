import Type from 'typebox'
import type { Engine, Sink } from '../../engines/engine.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import { manualTime } from '../../lib/timers.ts'
import type { Caller } from '../access.ts'
import { terminal } from '../audit.ts'
import { testCaller } from '../caller.fixture.ts'
import { execute, type Services } from '../execute.ts'
import { makeLedger } from '../ledger/index.ts'
import { makeModels, type Target } from '../models.ts'
import { type ModelContext, operation, type Reply } from '../operation.ts'
import { priceOf } from '../prices.ts'
import { testServices } from '../services.fixture.ts'
import { makeResponseCache, type ResponseCacheOptions } from './index.ts'

export interface Body {
  model: string
  [field: string]: unknown
}

export interface Asked {
  caller?: Caller
  cacheControl?: string
  signal?: AbortSignal
  wants?: 'bytes' | 'values'
}

/** What a reply came to when it was read to its end. */
export interface Read {
  /** `x-parlance-cache`. */
  cache: string | undefined
  headers: Record<string, string>
  text: string
  failed?: Fault
}

export const equal: Body = { model: 'words', temperature: 0, messages: [{ role: 'user', content: 'Hello' }] }

/** Events of a stream. */
export const eventsOf = (count: number): string[] => [
  ...Array.from({ length: count }, (_, at) => `data: {"choices":[{"index":0,"delta":{"content":"${at}"}}]}\n\n`),
  'data: [DONE]\n\n',
]

export const relayOf = (pieces: readonly string[]): Reply => ({
  kind: 'relay',
  async pipe(sink) {
    for (const piece of pieces)
      if (!sink.write(Buffer.from(piece))) await new Promise<void>(resolve => sink.drained(resolve))
    return undefined
  },
})

/** Requests as a door hands them over, to an operation that does what the test says, over a real ledger and a clock that stands still. */
export async function cacheWorld(options: Partial<ResponseCacheOptions> = {}, more: Partial<Services> = {}) {
  const target = (name: string): Target => ({
    ...{ name, ownedBy: 'test', created: 1, price: priceOf({ input: 1, output: 2 }) },
    ...{ abilities: new Set<never>(), open: (): Engine => Promise.reject(new Error('No engine.')) as never },
  })
  const models = makeModels([target('words'), target('other')], { alias: 'words' })
  const around = await testServices(models, more)
  const { store, ids } = around
  const time = manualTime(around.clock.now())
  const own = { store, clock: time, ids, log: silentLog, timers: time }
  const ledger = await makeLedger(own, { mode: 'grouped', reconcile: false })
  const services = { ...around, ledger }
  const cache = makeResponseCache(
    { clock: services.clock, log: silentLog },
    { maxBytes: 1_000_000, maxEntryBytes: 100_000, ttlMsOf: () => 60_000, ...options },
  )
  const runs: { body: Body; context: ModelContext }[] = []
  const world = {
    ...services,
    cache,
    async close() {
      ledger.close()
      await around.close()
    },
    /** All that reached the engine. */
    runs,
    /** What the engine does; `run` counts from 1. */
    reply: (_run: number, _body: Body, _context: ModelContext): Reply | Promise<Reply> => ({
      kind: 'bytes',
      bytes: Buffer.from('{}'),
    }),

    /** The reply before it is read. @throws Fault */
    ask(body: Body = equal, { caller = testCaller(), signal = never, wants = 'bytes', cacheControl }: Asked = {}) {
      const asked = {
        ...{ body, caller, signal, wants, cacheControl },
        params: {},
        query: {},
        from: terminal,
        bytes: 100,
      }
      return execute(chat, asked, { ...services, responses: cache })
    },
    async read(body: Body = equal, asked: Asked = {}): Promise<Read> {
      return readReply(await world.ask(body, asked))
    },
    /** The same; a refusal as its status. */
    async statusOf(body: Body = equal, asked: Asked = {}): Promise<number> {
      try {
        await world.read(body, asked)
        return 200
      } catch (error) {
        if (error instanceof Fault) return error.status
        throw error
      }
    },
    /** Rows of the ledger, the oldest first. */
    async rows() {
      await ledger.settled(1000)
      time.advance(100) // a period of the journal
      await store.flush()
      return store.read.selectFrom('usage').selectAll().orderBy('id').execute()
    },
  }
  const chat = operation<Body>({
    id: 'chat.completions.create',
    method: 'POST',
    path: '/v1/chat/completions',
    summary: 'Answers as the test says.',
    body: Type.Object({ model: Type.String() }),
    reply: Type.Object({}),
    scope: 'model.request',
    bills: 'tokens',
    repeats: true,
    worst: () => ({ inputTokens: 100, outputTokens: 100, choices: 1 }),
    run({ body }, context) {
      runs.push({ body, context })
      context.meter.input(10)
      context.meter.output(5)
      return world.reply(runs.length, body, context)
    },
  })
  return world
}

const never = new AbortController().signal

export async function readReply(reply: Reply): Promise<Read> {
  const list = reply.headers ?? []
  const headers: Record<string, string> = {}
  for (let at = 0; at < list.length; at += 2) headers[list[at]!] = list[at + 1]!
  const around = { cache: headers['x-parlance-cache'], headers }
  if (reply.kind === 'bytes') return { ...around, text: reply.bytes.toString() }
  if (reply.kind === 'json') return { ...around, text: JSON.stringify(reply.value) }
  const pieces: string[] = []
  if (reply.kind === 'events') {
    for await (const event of reply.events) pieces.push(JSON.stringify(event))
    return { ...around, text: pieces.join('\n') }
  }
  if (reply.kind === 'content') throw new Error('No model answers so.')
  const sink: Sink = { write: bytes => pieces.push(Buffer.from(bytes).toString()) > 0, drained: resume => resume() }
  const failed = await reply.pipe(sink)
  return { ...around, text: pieces.join(''), ...(failed && { failed }) }
}

/** Until all that can happen by itself has happened. */
export const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
}
