import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../lib/clock.ts'
import { makeIds } from '../lib/ids.ts'
import { silentLog } from '../lib/log.ts'
import { seededRandom } from '../lib/random.ts'
import { operations } from '../operations/index.ts'
import { noBatches } from '../platform/batches/none.fixture.ts'
import { testFiles } from '../platform/files/files.fixture.ts'
import { makeIdempotency } from '../platform/idempotency.ts'
import { makeKeys } from '../platform/keys.ts'
import { makeLedger } from '../platform/ledger/index.ts'
import { noLimits } from '../platform/limits/none.ts'
import { makeModels, type Target } from '../platform/models.ts'
import { makePrices } from '../platform/prices.ts'
import { makeSignIn } from '../platform/sign-in/index.ts'
import { testUpstreams } from '../platform/upstreams/upstreams.fixture.ts'
import { openStore, type Store } from '../store/store.ts'
import { makeServer } from './server.ts'

export interface Listening {
  base: string
  store: Store
  close(): Promise<void>
}

/** The server on a port of its own, over a store of its own, with the true clock: what is read of it comes over a socket. */
export async function startListening(options: {
  /** A key that may do everything. */
  secret: string
  targets: readonly Target[]
  aliases: Readonly<Record<string, string>>
  maxBodyBytes: number
}): Promise<Listening> {
  const folder = mkdtempSync(join(tmpdir(), 'parlance-listening-'))
  const clock = systemClock
  const random = seededRandom(1)
  const ids = makeIds(random)
  const log = silentLog
  const store = await openStore({ dataDir: folder, clock, log })
  const keys = makeKeys({ store, clock, ids, log })
  await keys.ensure('test', options.secret)
  const { upstreams, routes, close } = await testUpstreams({ store, clock, random, dataDir: folder })
  const services = {
    models: makeModels(options.targets, options.aliases),
    ...{ upstreams, routes, store, keys, clock, ids, random, log },
    files: testFiles({ store, clock, ids, folder }),
    batches: noBatches(),
    ledger: await makeLedger({ store, clock, ids, log }, { mode: 'grouped', reconcile: true }),
    limits: noLimits,
    prices: await makePrices({ store, clock, log }, { settings: new Map(), preset: 'none' }),
    signIn: makeSignIn({ store, clock, ids, random, log }),
  }
  const server = makeServer({
    ...{ operations, services, keys },
    idempotency: makeIdempotency({ store, clock, log }),
    version: '0.0.0',
    maxBodyBytes: options.maxBodyBytes,
    logRequests: false,
  })
  const { port } = await server.listen('127.0.0.1', 0)
  return {
    base: `http://127.0.0.1:${port}`,
    store,
    async close() {
      await server.drain(1000)
      close()
      await store.close()
      rmSync(folder, { recursive: true })
    },
  }
}
