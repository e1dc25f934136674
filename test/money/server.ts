import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { UsageTable } from '../../src/store/schema/money.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Truth, upstreamKey } from './truth.ts'

/** Dollars for a million tokens: a prompt's token costs 10 nano-dollars, a reply's 3000. */
const price = { input: 0.01, output: 3 }
export const costOf = (input: number, output: number): number => 10 * input + 3000 * output

/** The product on a folder and a port of its own, which outlive it: it can be killed and started again. */
export class KillableServer {
  readonly #yaml: string
  readonly #env: Record<string, string>
  readonly #folder: string
  #product!: Product
  readonly url: string
  /** When it was killed, and was there again, on the clock of this process. */
  readonly kills: { atMs: number; backMs: number }[] = []

  static async start(truth: Truth, ledger: 'grouped' | 'strict'): Promise<KillableServer> {
    const folder = await mkdtemp(join(tmpdir(), 'parlance-money-'))
    const server = new KillableServer(folder, await freePort(), truth, ledger)
    await server.#start()
    return server
  }

  private constructor(folder: string, port: number, truth: Truth, ledger: string) {
    this.#folder = folder
    this.url = `http://127.0.0.1:${port}`
    this.#yaml = `
upstreams:
  truth: { base_url: ${truth.baseUrl}, api_key: ${upstreamKey} }
models:
  truth: { upstream: truth, name: gpt-4, price: { input: ${price.input}, output: ${price.output} } }
`
    const kept = { PARLANCE_DATA_DIR: this.dataDir, PARLANCE_PORT: String(port), PARLANCE_LEDGER: ledger }
    this.#env = { ...kept, PARLANCE_LOG_REQUESTS: 'false' }
  }

  get dataDir(): string {
    return join(this.#folder, 'data')
  }
  get key(): string {
    return this.#product.key
  }

  /** `kill -9`, and a new start on what is left. */
  async killAndStart(): Promise<void> {
    const atMs = performance.now()
    process.kill(this.#product.pid, 'SIGKILL')
    while (isThere(this.#product.pid)) await delay(5)
    await this.#product[Symbol.asyncDispose]()
    await this.#start()
    this.kills.push({ atMs, backMs: performance.now() })
  }

  /** How long before a kill a moment was; 0 while the server was away, infinite when no kill came any more. */
  beforeKillMs(momentMs: number): number {
    const next = this.kills.find(({ backMs }) => momentMs <= backMs)
    return next === undefined ? Number.POSITIVE_INFINITY : Math.max(0, next.atMs - momentMs)
  }

  /** Ends it in order. @param look at the rows after the end */
  async stop(look: (rows: UsageTable[]) => void | Promise<void>): Promise<void> {
    await this.#product.stop()
    const rows = await this.rows()
    await rm(this.#folder, { recursive: true, force: true })
    await look(rows)
  }

  /** After a failure: nothing is left behind. */
  async discard(): Promise<void> {
    await this.#product[Symbol.asyncDispose]()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** What the ledger has on the disk now. */
  rows(): Promise<UsageTable[]> {
    return this.read(store => store.read.selectFrom('usage').selectAll().orderBy('id').execute())
  }

  async read<Value>(look: (store: Store) => Promise<Value>): Promise<Value> {
    const store = await openStore({ dataDir: this.dataDir, clock: systemClock, log: silentLog })
    try {
      return await look(store)
    } finally {
      await store.close()
    }
  }

  async #start(): Promise<void> {
    this.#product = await startProduct({ yaml: this.#yaml, env: this.#env })
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
