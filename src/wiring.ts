import { join } from 'node:path'
import type { Config } from './config.ts'
import { embeddedEngine } from './engines/embedded.ts'
import type { Engine } from './engines/engine.ts'
import { fileAbilities, llamaEngine } from './engines/llama/index.ts'
import { llamaServerEngine } from './engines/llama-server/index.ts'
import { routedEngine } from './engines/routed/index.ts'
import { routeOptions, targetOptions } from './engines/routed/settings.ts'
import { coalescingOptions } from './engines/upstream/coalescing/settings.ts'
import {
  kindOptions,
  type UpstreamPools,
  upstreamCredentials,
  upstreamEngine,
  upstreamPools,
} from './engines/upstream/index.ts'
import { placeOf } from './engines/upstream/kinds/index.ts'
import type { Clock } from './lib/clock.ts'
import type { Proxies } from './lib/connections/index.ts'
import { type Fault, fault } from './lib/faults.ts'
import type { Log } from './lib/log.ts'
import { packageRoot } from './lib/modules.ts'
import type { Random } from './lib/random.ts'
import { systemTimers } from './lib/timers.ts'
import {
  builtIn,
  classicNames,
  type EngineMakers,
  type LocalEntry,
  type RoutedEntry,
  type UpstreamEntry,
} from './platform/catalogue.ts'
import type { ModelFolder } from './platform/folder.ts'
import type { NoticeOptions } from './platform/notices/index.ts'
import { type Price, priceOf, type UsdPrice } from './platform/prices.ts'
import { systemRoom } from './platform/pulling/fit.ts'
import { usualBudgetBytes } from './platform/residency/index.ts'
import type { RoutesOptions } from './platform/routes/index.ts'
import type { Routes } from './platform/routes/types.ts'
import { orUnusable } from './platform/routes/unusable.ts'
import type { SignInOptions } from './platform/sign-in/index.ts'
import { passiveHealth } from './platform/upstreams/health/passive.ts'
import { heldPools } from './platform/upstreams/held-pools.ts'
import type { Line, Upstream, Upstreams } from './platform/upstreams/types.ts'

/* How the settings become the options of the rooms: what `main.ts` does, word by word. */

/** Where models that were pulled lie. */
export const modelsFolder = (config: Config): string => join(config.data_dir, 'models')

/** Where the bytes of files lie. */
export const blobsFolder = (config: Config): string => join(config.data_dir, 'blobs')

/** Where what batches have come to is written down while they are worked off. */
export const journalsFolder = (config: Config): string => join(config.data_dir, 'batches')

/** How many lines of batches ask a model at once: as many as one that runs here has slots. */
export const batchWidth =
  ({ models }: Config) =>
  (name: string): number => {
    const model = models[name]
    if (model === undefined) return name === builtIn.chat || name === builtIn.embedding ? usualSlots : upstreamAtOnce
    return 'file' in model ? (model.slots ?? usualSlots) : upstreamAtOnce
  }

/** The default of the setting `slots`. */
const usualSlots = 4
/** An upstream says by its refusals when it is too many. */
const upstreamAtOnce = 8

/** What all loaded local models may take together. */
export const modelBudgetBytes = (config: Config): number =>
  config.model_memory_bytes ?? usualBudgetBytes(systemRoom.memoryBytes())

const modelFile = (name: string) => join(packageRoot(import.meta.url), 'models', name)

/** Built-in models and those of the settings. */
export function modelsOf(config: Config) {
  const isFree = ({ name }: { name: string }) => !(name in config.models) // a model of the operator may take a built-in name
  const local: LocalEntry[] = [{ name: builtIn.chat, file: modelFile(`${builtIn.chat}.gguf`) }].filter(isFree)
  const embedded = [{ name: builtIn.embedding, file: modelFile(`${builtIn.embedding}.bin`) }].filter(isFree)
  const upstream: UpstreamEntry[] = []
  const routed: RoutedEntry[] = []
  for (const [name, model] of Object.entries(config.models)) {
    if ('file' in model) {
      const { idle_ms: idleMs, price: _, cache: __, ...settings } = model
      local.push({ ...settings, name, ...(idleMs !== undefined && { idleMs }) })
    } else if ('targets' in model) routed.push({ name, route: model })
    else upstream.push({ name, upstream: model.upstream, target: model.name ?? name })
  }
  return { local, embedded, upstream, routed }
}

/** The prices that the settings and the routes name. */
export function pricesOf({ models }: Config, routes: Pick<Routes, 'current'>): Pick<ReadonlyMap<string, Price>, 'get'> {
  const written = new Map(
    Object.entries(models).flatMap(([name, { price }]) => (price === undefined ? [] : [[name, priceOf(price)]])),
  )
  const ofRoutes = new WeakMap<UsdPrice, Price>()
  return {
    get(model) {
      const usd = routes.current().get(model)?.settings.price
      if (usd === undefined) return written.get(model)
      const price = ofRoutes.get(usd) ?? priceOf(usd)
      ofRoutes.set(usd, price)
      return price
    },
  }
}

/** Where the key of the secrets in the database comes from. */
export const secretsOf = (config: Config) => ({
  dataDir: config.data_dir,
  key: config.secret_key,
  file: config.secret_key_file,
  old: config.secret_keys_old,
})

/** Models of the file that upstreams answer for, and which names routes may have. */
export function routesOptions({ models, aliases }: Config, folder: ModelFolder): RoutesOptions {
  const isElsewhere = (model: string) =>
    folder.current().has(model) || Object.hasOwn(classicNames, model) || Object.values<string>(builtIn).includes(model)
  return {
    file: Object.fromEntries(
      Object.entries(models).flatMap(([name, model]) => ('file' in model ? [] : [[name, model] as const])),
    ),
    taken(model) {
      if (Object.hasOwn(models, model)) return 'parlance.yaml has a model of that name'
      return Object.hasOwn(aliases, model) ? 'parlance.yaml has an alias of that name' : undefined
    },
    found: model => (folder.current().has(model) ? 'a model of that name was pulled' : undefined),
    aliasOf: model =>
      isElsewhere(model) ? undefined : Object.entries(aliases).find(([, leadsTo]) => leadsTo === model)?.[0],
  }
}

export function signInOptions(config: Config): SignInOptions {
  const { oidc } = config
  if (oidc === undefined) return {}
  const { issuer, client_id: clientId, client_secret: clientSecret, organization } = oidc
  const { scopes = ['email', 'profile'], allowed_domains: allowedDomains = [], role = 'reader' } = oidc
  return {
    oidc: { issuer, clientId, clientSecret, scopes, allowedDomains, organization, role },
    proxies: proxiesOf(config),
  }
}

export function noticeOptions({ mail, webhook }: Config): NoticeOptions {
  return { mail: mail && { smtpUrl: mail.smtp_url, from: mail.from, to: mail.to }, webhook }
}

/** What a target says of its requests, beside what its upstream does. */
interface OfTarget {
  headers?: Record<string, string> | undefined
  body?: Record<string, unknown> | undefined
  firstByteMs?: number | undefined
  /** Is told how each of them went. */
  noticed?: (reason: Fault | undefined) => void
}

/** Through which proxies other servers are asked. */
export const proxiesOf = ({ http_proxy: http, https_proxy: https, no_proxy: none }: Config): Proxies => ({
  http,
  https,
  none,
})

/**
 * How upstreams are reached. Those that reach one origin in one way share its connections, which are closed with the last engine that
 * stands on them; those of the file keep theirs. `close` ends them all.
 * @throws Error in words for the operator, for an upstream of the file that cannot be used
 */
export function upstreamWays(
  config: Config,
  { version, log, clock, random }: { version: string; log: Log; clock: Clock; random: Random },
) {
  const pools = upstreamPools(proxiesOf(config))
  const held = heldPools(pools.drop)
  const forever: UpstreamPools = {
    ...pools,
    of(...way) {
      const pool = pools.of(...way)
      held.hold(pool)
      return pool
    },
  }
  const credentials = upstreamCredentials(forever, { clock, random, log })
  // Engines open when they are first asked: a file that cannot be read is told before that.
  for (const [name, settings] of Object.entries(config.upstreams))
    forever.of(placeOf(settings).baseUrl, settings, `upstreams.${name}`)
  const poolOf = ({ name, settings }: Upstream) => pools.of(placeOf(settings).baseUrl, settings, `upstreams.${name}`)
  const engine = (upstream: Upstream, { name, target }: Omit<UpstreamEntry, 'upstream'>, more: OfTarget = {}) => {
    const { settings } = upstream
    const { api_key: apiKey, idle_timeout_ms: idleMs } = settings
    const kind = kindOptions(settings)
    const coalescing = coalescingOptions(settings.embeddings)
    const { headers, body, firstByteMs = settings.first_byte_timeout_ms, noticed } = more
    const pool = poolOf(upstream)
    const made = upstreamEngine({
      name,
      upstream: upstream.name,
      target,
      ...kind,
      credential: credentials.of(upstream.name, settings),
      ...(apiKey !== undefined && { apiKey }),
      ...(headers && { headers }),
      ...(body && { body }),
      ...(noticed && { noticed }),
      timeouts: { ...(firstByteMs !== undefined && { firstByteMs }), ...(idleMs !== undefined && { idleMs }) },
      comparesUsage: settings.compare_usage === 'sampled',
      ...(coalescing && { coalescing }),
      pool,
      version,
      log,
    })
    const release = held.hold(pool)
    const close = () => made.close().finally(release)
    return { ...made, close }
  }
  /** An errand. */
  const connect = (upstream: Upstream): Line => {
    const pool = poolOf(upstream)
    const credential = credentials.of(upstream.name, upstream.settings)
    const release = held.hold(pool)
    const engines: Engine[] = []
    return {
      upstream,
      pool,
      ...(credential && {
        async credentials(signal) {
          return ['authorization', `Bearer ${credential.current() ?? (await credential.token(signal))}`]
        },
      }),
      engine(model) {
        const made = engine(upstream, { name: model, target: model })
        engines.push(made)
        return made
      },
      close: () => Promise.all(engines.map(one => one.close())).then(release),
    }
  }
  const close = () => {
    credentials.close()
    return pools.close()
  }
  return { engine, connect, close }
}

/** How engines start. */
export function engineMakers(
  config: Config,
  {
    upstreams,
    ways,
    log,
    version,
    clock,
    random,
  }: {
    upstreams: Pick<Upstreams, 'find' | 'findings' | 'note'>
    ways: Pick<ReturnType<typeof upstreamWays>, 'engine'>
    version: string
    log: Log
    clock: Clock
    random: Random
  },
): EngineMakers {
  const notice = passiveHealth(upstreams, clock)
  /** @throws Fault 503 for an upstream that is not there any more, or whose settings cannot be used */
  const upstreamOf = ({ upstream: named, ...model }: UpstreamEntry, more: OfTarget = {}) => {
    const upstream = upstreams.find(named)
    try {
      if (upstream === undefined) throw new Error(`There is no upstream \`${named}\` any more.`)
      if (upstream.problem !== undefined) throw new Error(upstream.problem)
      return ways.engine(upstream, model, { ...more, noticed: reason => notice(upstream, reason) })
    } catch (error) {
      throw fault.upstreamUnusable(named, error)
    }
  }
  return {
    local({ engine, ...model }) {
      const { llama_server: binary } = config
      if (engine === undefined || binary === undefined) return llamaEngine({ ...model, log, clock })
      return llamaServerEngine({ ...model, binary, version, log, clock })
    },
    abilitiesOf: fileAbilities,
    embedded: embeddedEngine,
    upstream: model => upstreamOf(model),
    routed({ name, route }) {
      return routedEngine({
        name,
        ...routeOptions(route),
        targets: route.targets.map(target => {
          const { upstream, name: there = name, headers, body, first_byte_timeout_ms: firstByteMs } = target
          const make = () => upstreamOf({ name, upstream, target: there }, { headers, body, firstByteMs })
          return { ...targetOptions(target), model: there, engine: orUnusable(name, make) }
        }),
        logsAttempts: config.log_requests,
        ...{ clock, random, timers: systemTimers, log },
      })
    },
  }
}
