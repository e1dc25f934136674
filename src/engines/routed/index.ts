import type { Ability, Call, Engine, EngineStatus, RelayPath, Sink } from '../engine.ts'
import type { Attempt } from './attempt.ts'
import { Router, type RouterOptions } from './router.ts'
import type { Target } from './target.ts'
import { tokenizerOf } from './tokenizer.ts'

export type { PolicyName } from './policies.ts'
export type { RouterOptions } from './router.ts'
export type { RoutedTarget, TargetLimits } from './target.ts'

/**
 * A model that several engines answer for. It speaks their contract: a reply comes from one of them, whole, and another one is asked only
 * before the first byte of it. What one of them lacks is not offered,
 * and they are closed with it.
 * @throws RangeError for no targets, or too many
 */
export function routedEngine(options: RouterOptions): Engine {
  return new Routed(options)
}

class Routed implements Engine {
  readonly name: string
  readonly abilities: ReadonlySet<Ability>
  readonly accepts: Engine['accepts']
  readonly tokenizer?: NonNullable<Engine['tokenizer']>
  readonly chat?: NonNullable<Engine['chat']>
  readonly complete?: NonNullable<Engine['complete']>
  readonly embed?: NonNullable<Engine['embed']>
  readonly relay?: NonNullable<Engine['relay']>
  readonly #router: Router
  #isClosed = false

  constructor(options: RouterOptions) {
    const engines = options.targets.map(({ engine }) => engine)
    const router = new Router(options)
    this.#router = router
    this.name = options.name
    this.abilities = new Set(offered.filter(ability => engines.every(({ abilities }) => abilities.has(ability))))
    this.accepts = engines.every(({ accepts }) => accepts === 'everything') ? 'everything' : 'known'
    const tokenizer = tokenizerOf(options.targets)
    if (tokenizer !== undefined) this.tokenizer = tokenizer
    if (this.abilities.has('chat'))
      this.chat = (request, call) => chunks(router, request, call, (engine, attempt) => engine.chat!(request, attempt))
    if (this.abilities.has('complete'))
      this.complete = (request, call) =>
        chunks(router, request, call, (engine, attempt) => engine.complete!(request, attempt))
    if (this.abilities.has('embed'))
      this.embed = async (request, call) => {
        const ask = (engine: Engine, attempt: Attempt) => engine.embed!(request, attempt)
        const { reply, attempt } = await router.answer({ request, call, streamed: false, ask })
        attempt.end()
        return reply
      }
    if (engines.every(({ relay }) => relay !== undefined)) this.relay = (...asked) => relay(router, ...asked)
  }

  /** Ready as long as anybody may be asked. */
  status(): EngineStatus {
    if (this.#isClosed) return { state: 'closed' }
    const failing = this.#router.targets.filter(({ circuit }) => circuit.state === 'open')
    if (failing.length === 0) return { state: 'ready' }
    const state = failing.length === this.#router.targets.length ? 'failed' : 'ready'
    return { state, detail: `left alone because of failures: ${failing.map(({ label }) => label).join(', ')}` }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#router.targets.map(({ engine }: Target) => engine.close()))
  }
}

const offered = ['chat', 'complete', 'embed'] as const

async function relay(router: Router, path: RelayPath, request: object, call: Call) {
  const streamed = 'stream' in request && request.stream === true
  const ask = (engine: Engine, attempt: Attempt) => engine.relay!(path, request, attempt)
  const { reply, attempt } = await router.answer({ request, call, streamed, ask })
  if (reply.kind === 'json') {
    attempt.end()
    return reply
  }
  call.signal.addEventListener('abort', attempt.end, { once: true }) // a stream that nobody reads is aborted
  const pipe = async (sink: Sink) => {
    try {
      const broken = await reply.pipe(sink)
      if (broken !== undefined) router.broke(attempt, broken)
      return broken
    } finally {
      attempt.end()
    }
  }
  return { ...reply, pipe }
}

/** The first chunk is awaited with the attempt; from then on the reply is that target's. Ends quietly when the call is aborted. */
async function* chunks<Chunk>(
  router: Router,
  request: object,
  call: Call,
  begin: (engine: Engine, attempt: Attempt) => AsyncIterable<Chunk>,
): AsyncGenerator<Chunk> {
  if (call.signal.aborted) return
  const ask = async (engine: Engine, attempt: Attempt) => {
    const iterator = begin(engine, attempt)[Symbol.asyncIterator]()
    return { iterator, first: await iterator.next() }
  }
  try {
    const { reply, attempt } = await router.answer({ request, call, streamed: true, ask })
    const { iterator, first } = reply
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value
    } catch (error) {
      if (!call.signal.aborted) router.broke(attempt, error)
      throw error
    } finally {
      await iterator.return?.()
      attempt.end()
    }
  } catch (error) {
    if (!(call.signal.aborted && error === call.signal.reason)) throw error
  }
}
