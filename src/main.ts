import type { Config } from './config.ts'
import { operatorDoor, withOperator } from './http/operator.ts'
import { makeServer, type Server } from './http/server.ts'
import { type Clock, seconds, systemClock } from './lib/clock.ts'
import { type Ids, makeIds } from './lib/ids.ts'
import type { Log } from './lib/log.ts'
import { type Random, systemRandom } from './lib/random.ts'
import { systemTimers } from './lib/timers.ts'
import { operations } from './operations/index.ts'
import { makeCatalogue } from './platform/catalogue.ts'
import { makeControl } from './platform/control.ts'
import type { Services } from './platform/execute.ts'
import { modelFolder } from './platform/folder.ts'
import { type Idempotency, makeIdempotency } from './platform/idempotency.ts'
import { type Keys, makeKeys } from './platform/keys.ts'
import { makeLedger } from './platform/ledger/index.ts'
import { makeLimits } from './platform/limits/index.ts'
import { makeNotices } from './platform/notices/index.ts'
import { makePrices, type Prices } from './platform/prices.ts'
import { makeResidency } from './platform/residency/index.ts'
import { makeSignIn } from './platform/sign-in/index.ts'
import { type DataDirLock, openStore, type Store } from './store/store.ts'
import {
  engineMakers,
  modelBudgetBytes,
  modelsFolder,
  modelsOf,
  noticeOptions,
  pricesOf,
  signInOptions,
} from './wiring.ts'

/** The product without a door: what the server, the terminal chat and the doctor share. */
export interface Parlance {
  config: Config
  version: string
  store: Store
  keys: Keys
  prices: Prices
  idempotency: Idempotency
  services: Services
  /** Flushes what is queued and ends every engine. */
  close(): Promise<void>
}

/** What tests replace. */
export interface Surroundings {
  clock?: Clock
  random?: Random
  log: Log
  version: string
  /** The right to serve the data folder; without it (commands beside a server) nothing is migrated under a running server. */
  lock?: DataDirLock
}

/** How long a request that was cut off at the end may take to count its tokens. */
const settleTimeoutMs = 5000

/** The composition root: config → store → engines → platform. */
export async function open(
  config: Config,
  { clock = systemClock, random = systemRandom, log, version, lock }: Surroundings,
): Promise<Parlance> {
  const ids: Ids = makeIds(random)
  const engines = engineMakers(config, { version, log, clock, random })
  const models = makeCatalogue({
    ...modelsOf(config),
    folder: modelFolder({ folder: modelsFolder(config), clock, log }),
    aliases: config.aliases,
    makers: engines.makers,
    residency: makeResidency({
      budgetBytes: modelBudgetBytes(config),
      idleMs: config.model_idle_ms,
      ...{ clock, timers: systemTimers, log },
    }),
    priceOf: (model, origin) => prices.of(model, origin),
    created: seconds(clock),
  })
  // After what may fail for a wrong setting: an open store keeps the process alive.
  const store = await openStore({ dataDir: config.data_dir, clock, log, ...(lock !== undefined && { lock }) })
  const [prices, limits] = await Promise.all([
    makePrices({ store, clock, log }, { settings: pricesOf(config), preset: config.prices }),
    makeLimits({ store, clock, log }),
  ]).catch(async error => {
    await store.close()
    throw error
  })
  const signIn = makeSignIn({ store, clock, ids, random, log }, signInOptions(config))
  const keys = makeKeys({ store, clock, ids, log, alsoChanged: signIn.sessions.changed })
  const idempotency = makeIdempotency({ store, clock, log })
  const notices = makeNotices({ store, clock, ids, log, timers: systemTimers }, noticeOptions(config))
  const ledger = await makeLedger(
    { store, clock, ids, log },
    { mode: config.ledger, reconcile: lock !== undefined, notify: notice => notices.tell(notice) },
  )
  return {
    config,
    version,
    store,
    keys,
    prices,
    idempotency,
    services: {
      ...{ models, store, keys, ledger, limits, prices, signIn, clock, ids, random, log },
      startingCredit: config.credit,
    },
    async close() {
      keys.close()
      await signIn.close()
      idempotency.close()
      limits.close()
      prices.close()
      await models.close()
      const unsettled = await ledger.settled(settleTimeoutMs)
      if (unsettled > 0) log.error('usage.unsettled', { requests: unsettled })
      ledger.close()
      await notices.close()
      await engines.close()
      await store.close()
    },
  }
}

/** … → operations → http. While it listens, commands on this machine find it. */
export function serve({ config, version, keys, idempotency, services }: Parlance): Server {
  const control = makeControl({ dataDir: config.data_dir, ids: services.ids })
  const server = makeServer({
    operations,
    services,
    keys,
    idempotency,
    operator: operatorDoor(control, keys),
    version,
    maxBodyBytes: config.max_body_bytes,
    logRequests: config.log_requests,
    reachedAt: { host: config.host, ...(config.public_url !== undefined && { publicUrl: config.public_url }) },
    trustedProxies: config.trusted_proxies,
  })
  return withOperator(server, control, services.log)
}
