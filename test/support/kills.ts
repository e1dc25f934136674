import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Product, type ProductOptions, startProduct } from './product.ts'
import { dice } from './random.ts'

/** Something that is done to a server until it is killed, and looked for afterwards. */
export interface Doing<Fact> {
  readonly name: string
  /**
   * Does its things one after another until the server is gone (`signal`).
   * @param acknowledged is called with each thing whose answer has come
   */
  work(product: Product, acknowledged: (fact: Fact) => void, signal: AbortSignal): Promise<void>
  /** Looks at the server after a restart. @param facts all that was acknowledged, in all rounds @throws AssertionError */
  check(product: Product, facts: readonly Fact[]): Promise<void>
}

/** A kind of thing with what was acknowledged of it. */
export interface Round {
  work(product: Product, acknowledged: () => void, signal: AbortSignal): Promise<void>
  check(product: Product): Promise<void>
  /** Acknowledged so far. */
  count(): number
}

/** Keeps the facts of one kind together, so that several kinds run in one and the same rounds. */
export function doing<Fact>({ work, check }: Doing<Fact>): Round {
  const facts: Fact[] = []
  return {
    work: (product, acknowledged, signal) =>
      work(
        product,
        fact => {
          facts.push(fact)
          acknowledged()
        },
        signal,
      ),
    check: product => check(product, facts),
    count: () => facts.length,
  }
}

export interface KillOptions {
  readonly rounds: number
  readonly seed: number
  readonly doings: readonly Round[]
  /** A kill comes so many milliseconds at most after the first acknowledgement of its round. */
  readonly killWithinMs?: number
  readonly product?: ProductOptions
}

/**
 * Starts the product over one data folder again and again, lets everything be done at once, and kills it at a random moment. After each
 * restart, and after the last one that ends cleanly, everything that was ever acknowledged is looked for.
 */
export async function killRounds({
  rounds,
  seed,
  doings,
  killWithinMs = 250,
  product = {},
}: KillOptions): Promise<void> {
  const chance = dice(seed)
  const folder = await mkdtemp(join(tmpdir(), 'parlance-kills-'))
  const dataDir = join(folder, 'data')
  const start = async (): Promise<Product> => ({
    ...(await startProduct({ ...product, env: { ...product.env, PARLANCE_DATA_DIR: dataDir } })),
    dataDir,
  })
  try {
    for (let round = 0; round < rounds; round++) {
      const running = await start()
      try {
        await checked(running, doings, `round ${round}`)
        await workAndKill(running, doings, chance.next() * killWithinMs)
      } finally {
        await running[Symbol.asyncDispose]()
        await gone(running.pid)
      }
    }
    const last = await start()
    try {
      await checked(last, doings, 'after the last round')
    } finally {
      await last.stop()
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** @throws Error with what the server has printed, beside what was wrong */
async function checked(product: Product, doings: readonly Round[], when: string): Promise<void> {
  try {
    for (const each of doings) await each.check(product)
  } catch (error) {
    throw new Error(`${when}: ${error}\n${product.printed().stderr.slice(-4000)}`, { cause: error })
  }
}

async function workAndKill(product: Product, doings: readonly Round[], afterMs: number): Promise<void> {
  const leaving = new AbortController()
  const first = Promise.withResolvers<void>()
  const works = doings.map(each => each.work(product, first.resolve, leaving.signal))
  const done = Promise.allSettled(works)
  await Promise.race([first.promise, done])
  await delay(afterMs)
  leaving.abort()
  process.kill(product.pid, 'SIGKILL')
  for (const result of await done) if (result.status === 'rejected') throw result.reason
}

/** Resolves when there is no such process any more, so that its locks are free. */
async function gone(pid: number): Promise<void> {
  for (let look = 0; look < 2000; look++) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await delay(5)
  }
  throw new Error(`Process ${pid} does not end.`)
}
