import type { Config } from './config.ts'
import { operatorDoor, withOperator } from './http/operator.ts'
import { makeServer, type Server } from './http/server.ts'
import { makeWorker, type Worker } from './jobs/worker.ts'
import { type Clock, seconds, systemClock } from './lib/clock.ts'
import { type Ids, makeIds } from './lib/ids.ts'
import type { Log } from './lib/log.ts'
import { type Random, systemRandom } from './lib/random.ts'
import { systemTimers } from './lib/timers.ts'
import { operations } from './operations/index.ts'
import { makeBatches } from './platform/batches/index.ts'
import { makeCatalogue } from './platform/catalogue.ts'
import { makeControl } from './platform/control.ts'
import type { Services } from './platform/execute.ts'
import { makeFiles } from './platform/files/index.ts'
import { modelFolder } from './platform/folder.ts'
import { type Idempotency, makeIdempotency } from './platform/idempotency.ts'
import type { Handler } from './platform/jobs/handler.ts'
import { sweeper } from './platform/jobs/sweeping.ts'
import { type Keys, makeKeys } from './platform/keys.ts'
import { makeLedger } from './platform/ledger/index.ts'
import { makeLimits } from './platform/limits/index.ts'
import { makeNotices } from './platform/notices/index.ts'
import { makePrices, type Prices } from './platform/prices.ts'
import { makeResidency } from './platform/residency/index.ts'
import { makeResponseCache } from './platform/response-cache/index.ts'
import { cacheOptions } from './platform/response-cache/settings.ts'
import { makeRoutes } from './platform/routes/index.ts'
import { makeSignIn } from './platform/sign-in/index.ts'
import { makeUpstreams } from './platform/upstreams/index.ts'
import { keptLists } from './platform/upstreams/listing/kept.ts'
import { watchUpstreams } from './platform/upstreams/listing/watch.ts'
import { makeVault, secretKeys, type Vault } from './platform/vault/index.ts'
import { resealed } from './platform/vault/reseal.ts'
import { diskBlobs } from './store/blobs/disk.ts'
import { makeQueue, type Queue } from './store/queue/index.ts'
import { type DataDirLock, openStore, type Store } from './store/store.ts'
import {
  batchWidth,
  blobsFolder,
  engineMakers,
  journalsFolder,
  modelBudgetBytes,
  modelsFolder,
  modelsOf,
  noticeOptions,
  pricesOf,
  routesOptions,
  secretsOf,
  signInOptions,
  upstreamWays,
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
  queue: Queue
  /** Who does which kind of jobs. */
  handlers: readonly Handler[]
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
  const ways = upstreamWays(config, { version, log, clock, random })
  const vault = makeVault({ keys: secretKeys({ ...secretsOf(config), random, log }), random })
  // After what may fail for a wrong setting: an open store keeps the process alive.
  const store = await openStore({ dataDir: config.data_dir, clock, log, ...(lock !== undefined && { lock }) })
  const { upstreams, routes, prices, limits, models, ...modelling } = await openModels(config, {
    ...{ store, vault, ways, version, clock, random, log },
    ...(lock !== undefined && { lock }),
  }).catch(async error => {
    await store.close()
    throw error
  })
  const signIn = makeSignIn({ store, clock, ids, random, log }, signInOptions(config))
  const keys = makeKeys({ store, clock, ids, log, alsoChanged: signIn.sessions.changed })
  const idempotency = makeIdempotency({ store, clock, log })
  const files = makeFiles(
    { store, blobs: diskBlobs({ folder: blobsFolder(config), ids }), clock, ids, log, timers: systemTimers },
    { quotaBytes: config.files_quota_bytes },
  )
  if (lock !== undefined) files.start()
  const responses = makeResponseCache(
    { clock, log },
    cacheOptions(config.response_cache, model => (config.models[model] ?? routes.find(model)?.settings)?.cache),
  )
  const queue = makeQueue({ store, clock, ids })
  const notices = makeNotices({ store, queue, clock, ids, log }, noticeOptions(config))
  const ledger = await makeLedger(
    { store, clock, ids, log },
    {
      ...{ mode: config.ledger, batchDiscount: config.batch_discount, reconcile: lock !== undefined },
      notify: notice => notices.tell(notice),
    },
  )
  const batches = makeBatches(
    { queue, timers: systemTimers, services: () => services },
    { operations, folder: journalsFolder(config), widthOf: batchWidth(config) },
  )
  const services: Services = {
    ...{ models, upstreams, routes, store, files, batches, keys, ledger, limits, prices, responses, signIn },
    ...{ clock, ids, random, log },
    startingCredit: config.credit,
  }
  return {
    config,
    version,
    store,
    keys,
    prices,
    idempotency,
    queue,
    handlers: [...notices.handlers, ...batches.handlers, sweeper({ queue, clock })],
    services,
    async close() {
      keys.close()
      await signIn.close()
      idempotency.close()
      await files.close()
      await modelling.watch.close()
      modelling.close()
      await models.close()
      const unsettled = await ledger.settled(settleTimeoutMs)
      if (unsettled > 0) log.error('usage.unsettled', { requests: unsettled })
      ledger.close()
      await notices.close()
      await ways.close()
      await store.close()
    },
  }
}

/**
 * Upstreams and routes, and all models with their prices and limits. Everything is closed again when one of them cannot be opened.
 * @throws Error for an alias that leads nowhere, and for a store that cannot be read
 */
async function openModels(
  config: Config,
  parts: Required<Omit<Surroundings, 'lock'>> & {
    store: Store
    vault: Vault
    ways: ReturnType<typeof upstreamWays>
    lock?: DataDirLock
  },
) {
  const { store, vault, ways, clock, random, log, lock } = parts
  const opened: { close(): void }[] = []
  const keep = <Part extends { close(): void }>(part: Part): Part => {
    opened.push(part)
    return part
  }
  const close = () => {
    for (const part of opened) part.close()
  }
  try {
    if (lock !== undefined) await resealed({ store, vault, log })
    const folder = modelFolder({ folder: modelsFolder(config), clock, log })
    const upstreams = keep(
      await makeUpstreams({ store, clock, log, vault }, { file: config.upstreams, connect: ways.connect }),
    )
    const lists = keptLists({ dataDir: config.data_dir, log })
    lists.restore(upstreams)
    const routes = keep(await makeRoutes({ store, clock, log, vault, upstreams }, routesOptions(config, folder)))
    const settings = pricesOf(config, routes)
    const prices = keep(await makePrices({ store, clock, log }, { settings, preset: config.prices }))
    const limits = keep(await makeLimits({ store, clock, log }))
    const models = makeCatalogue({
      ...modelsOf(config),
      ...{ folder, routes, upstreams, aliases: config.aliases },
      makers: engineMakers(config, { ...parts, upstreams }),
      residency: makeResidency({
        budgetBytes: modelBudgetBytes(config),
        idleMs: config.model_idle_ms,
        ...{ clock, timers: systemTimers, log },
      }),
      priceOf: (model, origin) => prices.of(model, origin),
      created: seconds(clock),
    })
    const watch = watchUpstreams({ upstreams, clock, timers: systemTimers, random, log, learned: lists.keep })
    if (lock !== undefined) watch.start()
    return { upstreams, routes, prices, limits, models, watch, close }
  } catch (error) {
    close()
    throw error
  }
}

/** … → jobs: what is done without a request. For the one process that serves the data folder. */
export async function work({ queue, handlers, services }: Parlance): Promise<Worker> {
  const { clock, random, ids, log } = services
  const worker = makeWorker({ queue, clock, timers: systemTimers, random, ids, log }, { handlers, alone: true })
  for (const { kind, everyMs } of handlers)
    if (everyMs !== undefined) await queue.schedule({ kind, payload: {}, everyMs })
  await worker.start()
  return worker
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
