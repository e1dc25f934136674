import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine } from '../../engines/engine.ts'
import { scriptedEngine } from '../../engines/scripted.ts'
import { manualClock } from '../../lib/clock.ts'
import { makeIds } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { seededRandom } from '../../lib/random.ts'
import { noBatches } from '../../platform/batches/none.fixture.ts'
import { testCaller } from '../../platform/caller.fixture.ts'
import { testFiles } from '../../platform/files/files.fixture.ts'
import { type Keys, makeKeys } from '../../platform/keys.ts'
import { noLimits } from '../../platform/limits/none.ts'
import { makeModels, type Target } from '../../platform/models.ts'
import type { ModelContext, Operation, Reply } from '../../platform/operation.ts'
import { free, makePrices, type Prices } from '../../platform/prices.ts'
import { makeSignIn } from '../../platform/sign-in/index.ts'
import { type TestUpstreams, testUpstreams } from '../../platform/upstreams/upstreams.fixture.ts'
import { openStore, type Store } from '../../store/store.ts'
import type { ChatChunk, ChatRequest } from '../../wire/chat.ts'
import { check, refuseUnknown } from '../../wire/check.ts'
import type { StoredCompletion } from '../../wire/stored.ts'
import { createChatCompletion } from './create.ts'
import { retrieveChatCompletion } from './retrieve.ts'

/** A project with a store on disk, and a model that answers. */
export class Setting {
  readonly clock = manualClock()
  readonly log = silentLog
  readonly #ids = makeIds(seededRandom(7))
  readonly #folder = mkdtempSync(join(tmpdir(), 'parlance-stored-'))
  engine: Engine = scriptedEngine()
  store!: Store
  keys!: Keys
  #prices!: Prices
  #reaching!: TestUpstreams

  async open(more: { maxSizeBytes?: number } = {}): Promise<void> {
    this.store = await openStore({ dataDir: this.#folder, clock: this.clock, log: silentLog, ...more })
    this.keys = makeKeys({ store: this.store, clock: this.clock, ids: this.#ids, log: silentLog })
    this.#prices = await makePrices(this, { settings: new Map(), preset: 'none' })
    const { store, clock } = this
    this.#reaching = await testUpstreams({ store, clock, random: seededRandom(8), dataDir: this.#folder })
  }

  async restart(): Promise<void> {
    await this.#end()
    await this.open()
  }

  async close(): Promise<void> {
    await this.#end()
    rmSync(this.#folder, { recursive: true })
  }

  async #end(): Promise<void> {
    this.keys.close()
    this.#prices.close()
    this.#reaching.close()
    await this.store.close()
  }

  context(more: Partial<ModelContext> = {}): ModelContext {
    const target: Target = {
      name: 'words-1',
      ownedBy: 'test',
      created: 1,
      price: free,
      abilities: this.engine.abilities,
      open: () => this.engine,
    }
    return {
      caller: testCaller(),
      wants: 'bytes',
      models: makeModels([target], { words: 'words-1' }),
      upstreams: this.#reaching.upstreams,
      routes: this.#reaching.routes,
      store: this.store,
      files: testFiles({ store: this.store, clock: this.clock, ids: this.#ids, folder: this.#folder }),
      batches: noBatches(),
      keys: this.keys,
      from: { ip: null, userAgent: null, requestId: 'req_1' },
      clock: this.clock,
      ids: this.#ids,
      random: seededRandom(5),
      signal: new AbortController().signal,
      log: silentLog,
      target,
      meter: { input() {}, output() {} },
      outputMax: null,
      ledger: {
        strict: false,
        reserve: () => ({ outputMax: null, settle: () => undefined }),
        changed: async () => {},
        settled: async () => 0,
      },
      limits: noLimits,
      prices: this.#prices,
      signIn: makeSignIn({
        store: this.store,
        clock: this.clock,
        ids: this.#ids,
        random: seededRandom(6),
        log: silentLog,
      }),
      visit: undefined,
      ...more,
    }
  }

  /** Runs an operation on input that is checked as by `execute`. */
  async run<Body, Query>(
    operation: Operation<Body, never, Query> | Operation<Body, 'completion_id', Query>,
    { body, query, id = '' }: { body?: unknown; query?: unknown; id?: string } = {},
    context: ModelContext = this.context(),
  ): Promise<Reply> {
    if (operation.body !== undefined && operation.strict) refuseUnknown(operation.body, body)
    if (operation.body !== undefined) check(operation.body, body)
    if (operation.query !== undefined) check(operation.query, query ?? {})
    const input = { body: body as Body, query: (query ?? {}) as Query, params: { completion_id: id } }
    return operation.run(input, context)
  }

  async json<Body, Query>(...asked: Parameters<typeof this.run<Body, Query>>): Promise<unknown> {
    const reply = await this.run(...asked)
    if (reply.kind !== 'json') throw new Error(`The reply is ${reply.kind}.`)
    return reply.value
  }

  /** Asks for a completion that is stored, and gives its id. */
  async ask(more: Partial<ChatRequest> = {}, context = this.context()): Promise<string> {
    const body = { ...question, store: true, ...more }
    const { id } = (await this.json(createChatCompletion, { body }, context)) as { id: string }
    return id
  }

  /** The same, streamed. */
  async stream(more: Partial<ChatRequest> = {}, context = this.context()): Promise<AsyncIterator<ChatChunk>> {
    const body = { ...question, store: true, stream: true, ...more }
    const reply = await this.run(createChatCompletion, { body }, context)
    if (reply.kind !== 'events') throw new Error(`The reply is ${reply.kind}.`)
    return (reply.events as AsyncIterable<ChatChunk>)[Symbol.asyncIterator]()
  }

  async retrieve(id: string, context = this.context()): Promise<StoredCompletion> {
    return (await this.json(retrieveChatCompletion, { id }, context)) as StoredCompletion
  }

  /** How many completions and labels there are. */
  async counts(): Promise<[completions: number, labels: number]> {
    const count = async (table: 'chat_completions' | 'chat_completion_labels') => {
      const rows = await this.store.read.selectFrom(table).select('id').execute()
      return rows.length
    }
    return [await count('chat_completions'), await count('chat_completion_labels')]
  }
}

export const question: ChatRequest = {
  model: 'words',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Say this is a test!' },
  ],
}

/** Reads a stream to its end. */
export async function rest(events: AsyncIterator<ChatChunk>): Promise<ChatChunk[]> {
  const chunks: ChatChunk[] = []
  for (let next = await events.next(); !next.done; next = await events.next()) chunks.push(next.value)
  return chunks
}

export const said = (chunks: readonly ChatChunk[]): string =>
  chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
