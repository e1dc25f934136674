import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { UsageTable } from '../../src/store/schema/money.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { dice } from '../support/random.ts'
import { Clients, type Plan, type Seen } from './asking.ts'
import { costOf, KillableServer } from './server.ts'
import { truthful } from './traffic.ts'
import { type Script, startTruth, type Truth } from './truth.ts'

/** Tokens of each reply. */
const pieces = 6
/** How many such requests a key's budget is for. */
const budgetFor = 10
const parallel = 200

const whole: Script = truthful({ pieces, end: 'whole', after: 0, prompt: 0, completion: pieces })
/** What the product adds to a prompt that it has counted for an upstream, which may count otherwise. */
const marginTokens = 8
const budgetNano = budgetFor * costOf(whole.prompt, pieces) + costOf(marginTokens, 0)
/** With less left nobody can be served. */
const leastNano = costOf(whole.prompt + marginTokens, 1)

export interface TrialsAsked {
  seed: number
  trials: number
}

/** What a trial came to. */
export interface Trial {
  spentNano: number
  /** Of the requests at once: let in, and refused for want of money. */
  admitted: number
  refused: number
  /** Let in after those. */
  after: number
}

/**
 * So many keys, each with a budget for ten requests. Each is asked 200 times at once, by clients some of which leave, of an upstream
 * that breaks some replies; then once after another for as long as money is left. Nothing is overspent, and nobody is refused for
 * whom there is money.
 */
export const trials = ({ seed, trials: count }: TrialsAsked): Promise<Trial[]> =>
  withServer(async till => {
    const found: Trial[] = []
    for (let number = 0; number < count; number++) {
      const key = await till.newKey()
      const prefix = `${seed}-${number}`
      const seen = await Promise.all(
        Array.from({ length: parallel }, (_, index) =>
          till.ask(key.secret, mixed(`${prefix}-${index}`, seed + number)),
        ),
      )
      const refused = seen.filter(({ status }) => status === 429)
      assert.ok(refused.every(({ code }) => code === 'insufficient_quota'))
      let spentNano = await till.spent(key.id, parallel - refused.length)
      assert.ok(spentNano <= budgetNano, `${spentNano} of ${budgetNano} nano-dollars after ${parallel} at once`)
      let after = 0
      while (budgetNano - spentNano >= leastNano) {
        const { status, code } = await till.ask(key.secret, plain(`${prefix}-after-${after++}`))
        assert.equal(status, 200, `refused with ${budgetNano - spentNano} nano-dollars left: ${code}`)
        spentNano = await till.spent(key.id, parallel - refused.length + after)
      }
      assert.ok(spentNano <= budgetNano, `${spentNano} of ${budgetNano} nano-dollars`)
      const last = await till.ask(key.secret, plain(`${prefix}-last`))
      assert.deepEqual([last.status, last.code, last.headers['x-should-retry']], [429, 'insufficient_quota', 'false'])
      found.push({ spentNano, admitted: parallel - refused.length, refused: refused.length, after })
    }
    return found
  })

/** Of twelve requests, one after another, exactly the ten that the budget is for are served, and whole. */
export const oneAfterAnother = ({ seed, trials: count }: TrialsAsked): Promise<void> =>
  withServer(async till => {
    for (let number = 0; number < count; number++) {
      const key = await till.newKey()
      const statuses: number[] = []
      for (let index = 0; index < budgetFor + 2; index++) {
        const { status, headers } = await till.ask(key.secret, {
          ...plain(`${seed}-${number}-${index}`),
          stream: index % 2 === 0,
        })
        statuses.push(status)
        assert.equal(headers['x-parlance-max-tokens'], undefined, 'nothing is cut')
      }
      assert.deepEqual(statuses, [...Array(budgetFor).fill(200), 429, 429])
      assert.equal(await till.spent(key.id, budgetFor), budgetFor * costOf(whole.prompt, pieces))
    }
  })

const plain = (tag: string): Plan => ({ tag, stream: false, script: whole, maxTokens: pieces })

/** Two in ten leave in mid-stream, one before the reply, one is broken by the upstream; the others get all. */
function mixed(tag: string, seed: number): Plan {
  const { below } = dice(seed * 1_000_003 + Number(tag.split('-').at(-1)))
  const drawn = below(10)
  const after = 1 + below(pieces - 1)
  const common = { tag, stream: drawn !== 2, maxTokens: pieces }
  if (drawn < 2) return { ...common, script: truthful({ ...whole, end: 'hold', after }), leavesAfter: after }
  if (drawn === 2) return { ...common, script: truthful({ ...whole, end: 'hold' }), leavesAfter: 0 }
  if (drawn === 3) return { ...common, script: truthful({ ...whole, end: 'reset', after }) }
  return { ...common, script: whole }
}

/** A running server, its upstream, and a look into its books. */
class Till {
  readonly server: KillableServer
  readonly #clients: Clients
  readonly #store: Store
  #keys = 0

  constructor(server: KillableServer, clients: Clients, store: Store) {
    this.server = server
    this.#clients = clients
    this.#store = store
  }

  ask = (secret: string, plan: Plan): Promise<Seen> => this.#clients.ask(this.server.url, secret, plan)

  /** A key with a budget of its own. */
  async newKey(): Promise<{ id: string; secret: string }> {
    const { data } = await this.#admin<{ data: { id: string }[] }>('GET', 'projects')
    const path = `projects/${data[0]!.id}/api_keys`
    const { id, value } = await this.#admin<{ id: string; value: string }>('POST', path, {
      name: `key ${this.#keys++}`,
    })
    await this.#admin('POST', 'limits', { subject: 'key', subject_id: id, hard_limit_usd: budgetNano / 1e9 })
    return { id, secret: value }
  }

  /** What a key has spent, when so many of its requests have ended and been counted. */
  async spent(keyId: string, requests: number): Promise<number> {
    const untilMs = performance.now() + 20_000
    for (;;) {
      const rows: Pick<UsageTable, 'status' | 'cost_nano'>[] = await this.#store.read
        .selectFrom('usage')
        .select(['status', 'cost_nano'])
        .where('key_id', '=', keyId)
        .execute()
      if (rows.length === requests && rows.every(({ status }) => status !== 'open'))
        return rows.reduce((sum, row) => sum + row.cost_nano, 0)
      assert.ok(performance.now() < untilMs, `${rows.length} rows of ${requests} requests`)
      await delay(5)
    }
  }

  async #admin<Reply>(method: 'GET' | 'POST', path: string, body?: object): Promise<Reply> {
    const reply = await request(`${this.server.url}/v1/organization/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.server.key}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await reply.body.text()
    assert.equal(reply.statusCode, 200, text)
    return JSON.parse(text) as Reply
  }
}

async function withServer<Value>(work: (till: Till) => Promise<Value>): Promise<Value> {
  const truth: Truth = await startTruth()
  const server = await KillableServer.start(truth, 'grouped')
  const clients = new Clients(truth)
  const store = await openStore({ dataDir: server.dataDir, clock: systemClock, log: silentLog })
  try {
    const value = await work(new Till(server, clients, store))
    await store.close()
    await server.stop(() => {})
    return value
  } catch (error) {
    await store.close()
    await server.discard()
    throw error
  } finally {
    await clients.close()
    await truth.close()
  }
}
