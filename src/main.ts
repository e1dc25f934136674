import { join } from 'node:path'
import type { Config } from './config.ts'
import { embeddedEngine } from './engines/embedded.ts'
import { fileAbilities, llamaEngine } from './engines/llama/index.ts'
import { type UpstreamPool, upstreamEngine, upstreamPool } from './engines/upstream/index.ts'
import { makeServer, type Server } from './http/server.ts'
import { type Clock, seconds, systemClock } from './lib/clock.ts'
import { type Ids, makeIds } from './lib/ids.ts'
import type { Log } from './lib/log.ts'
import { packageRoot } from './lib/modules.ts'
import { type Random, systemRandom } from './lib/random.ts'
import { operations } from './operations/index.ts'
import { builtIn, type EngineMakers, type LocalEntry, makeCatalogue } from './platform/catalogue.ts'
import type { Services } from './platform/execute.ts'
import { modelFolder } from './platform/folder.ts'
import { type Keys, makeKeys } from './platform/keys.ts'
import { priceOf } from './platform/prices.ts'
import { makeUsage } from './platform/usage.ts'
import { type DataDirLock, openStore, type Store } from './store/store.ts'

/** The product without a door: what the server, the terminal chat and the doctor share. */
export interface Parlance {
  config: Config
  version: string
  store: Store
  keys: Keys
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
  const engines = engineMakers(config, { version, log, clock })
  const models = makeCatalogue({
    ...modelsOf(config),
    folder: modelFolder({ folder: modelsFolder(config), clock, log }),
    aliases: config.aliases,
    makers: engines.makers,
    created: seconds(clock),
  })
  // After what may fail for a wrong setting: an open store keeps the process alive.
  const store = await openStore({ dataDir: config.data_dir, clock, log, ...(lock !== undefined && { lock }) })
  const keys = makeKeys({ store, clock, ids })
  const usage = makeUsage({ store, clock, ids, log })
  return {
    config,
    version,
    store,
    keys,
    services: { models, usage, clock, ids, random, log },
    async close() {
      await models.close()
      const unsettled = await usage.settled(settleTimeoutMs)
      if (unsettled > 0) log.error('usage.unsettled', { requests: unsettled })
      await engines.close()
      await store.close()
    },
  }
}

/** … → operations → http. */
export function serve({ config, version, keys, services }: Parlance): Server {
  return makeServer({
    operations,
    services,
    keys,
    version,
    maxBodyBytes: config.max_body_bytes,
    logRequests: config.log_requests,
  })
}

/** Where models that were pulled lie. */
export const modelsFolder = (config: Config): string => join(config.data_dir, 'models')

const modelFile = (name: string) => join(packageRoot(import.meta.url), 'models', name)

/** Built-in models and those of the settings. */
export function modelsOf(config: Config) {
  const isFree = ({ name }: { name: string }) => !(name in config.models) // a model of the operator may take a built-in name
  const local: LocalEntry[] = [{ name: builtIn.chat, file: modelFile(`${builtIn.chat}.gguf`) }].filter(isFree)
  const embedded = [{ name: builtIn.embedding, file: modelFile(`${builtIn.embedding}.bin`) }].filter(isFree)
  const upstream = []
  for (const [name, model] of Object.entries(config.models)) {
    const price = priceOf(model.price)
    if ('file' in model) local.push({ ...model, name, price })
    else upstream.push({ name, upstream: model.upstream, target: model.name ?? name, price })
  }
  return { local, embedded, upstream }
}

/** How engines start. Models of one origin share its connections; `close` ends them all. */
function engineMakers(config: Config, { version, log, clock }: { version: string; log: Log; clock: Clock }) {
  const pools = new Map<string, UpstreamPool>()
  const poolOf = (baseUrl: string) => {
    const { origin } = new URL(baseUrl)
    const pool = pools.get(origin) ?? upstreamPool(baseUrl)
    pools.set(origin, pool)
    return pool
  }
  const makers: EngineMakers = {
    local: model => llamaEngine({ ...model, log, clock }),
    abilitiesOf: fileAbilities,
    embedded: embeddedEngine,
    upstream({ name, upstream, target }) {
      const {
        base_url: baseUrl,
        api_key: apiKey,
        first_byte_timeout_ms: firstByteMs,
        idle_timeout_ms: idleMs,
      } = config.upstreams[upstream]!
      const timeouts = { ...(firstByteMs !== undefined && { firstByteMs }), ...(idleMs !== undefined && { idleMs }) }
      return upstreamEngine({
        name,
        target,
        baseUrl,
        ...(apiKey !== undefined && { apiKey }),
        timeouts,
        pool: poolOf(baseUrl),
        version,
        log,
      })
    },
  }
  return { makers, close: () => Promise.all([...pools.values()].map(pool => pool.close())) }
}
