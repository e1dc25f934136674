import { join } from 'node:path'
import type { Config } from './config.ts'
import { embeddedEngine } from './engines/embedded.ts'
import { fileAbilities, llamaEngine } from './engines/llama/index.ts'
import { llamaServerEngine } from './engines/llama-server/index.ts'
import { routedEngine } from './engines/routed/index.ts'
import { routeOptions, targetOptions } from './engines/routed/settings.ts'
import { upstreamEngine, upstreamPools } from './engines/upstream/index.ts'
import type { Clock } from './lib/clock.ts'
import type { Proxies } from './lib/connections/index.ts'
import type { Log } from './lib/log.ts'
import { packageRoot } from './lib/modules.ts'
import type { Random } from './lib/random.ts'
import { systemTimers } from './lib/timers.ts'
import {
  builtIn,
  type EngineMakers,
  type LocalEntry,
  type RoutedEntry,
  type UpstreamEntry,
} from './platform/catalogue.ts'
import type { NoticeOptions } from './platform/notices/index.ts'
import { type Price, priceOf } from './platform/prices.ts'
import { systemRoom } from './platform/pulling/fit.ts'
import { usualBudgetBytes } from './platform/residency/index.ts'
import type { SignInOptions } from './platform/sign-in/index.ts'

/* How the settings become the options of the rooms: what `main.ts` does, word by word. */

/** Where models that were pulled lie. */
export const modelsFolder = (config: Config): string => join(config.data_dir, 'models')

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
      const { idle_ms: idleMs, price: _, ...settings } = model
      local.push({ ...settings, name, ...(idleMs !== undefined && { idleMs }) })
    } else if ('targets' in model)
      routed.push({ name, targets: model.targets.map(one => ({ upstream: one.upstream, target: one.name ?? name })) })
    else upstream.push({ name, upstream: model.upstream, target: model.name ?? name })
  }
  return { local, embedded, upstream, routed }
}

/** The prices that the settings name. */
export function pricesOf({ models }: Config): Map<string, Price> {
  return new Map(
    Object.entries(models).flatMap(([name, { price }]) => (price === undefined ? [] : [[name, priceOf(price)]])),
  )
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
}

/** Through which proxies other servers are asked. */
export const proxiesOf = ({ http_proxy: http, https_proxy: https, no_proxy: none }: Config): Proxies => ({
  http,
  https,
  none,
})

/** How engines start. Models that reach one origin in one way share its connections; `close` ends them all. */
export function engineMakers(
  config: Config,
  { version, log, clock, random }: { version: string; log: Log; clock: Clock; random: Random },
) {
  const pools = upstreamPools(proxiesOf(config))
  // Engines open when they are first asked: a file that cannot be read is told before that.
  for (const [name, settings] of Object.entries(config.upstreams))
    pools.of(settings.base_url, settings, `upstreams.${name}`)
  const upstreamOf = ({ name, upstream, target }: UpstreamEntry, more: OfTarget = {}) => {
    const settings = config.upstreams[upstream]!
    const { base_url: baseUrl, api_key: apiKey, idle_timeout_ms: idleMs } = settings
    const { headers, body, firstByteMs = settings.first_byte_timeout_ms } = more
    return upstreamEngine({
      name,
      target,
      baseUrl,
      ...(apiKey !== undefined && { apiKey }),
      ...(headers && { headers }),
      ...(body && { body }),
      timeouts: { ...(firstByteMs !== undefined && { firstByteMs }), ...(idleMs !== undefined && { idleMs }) },
      pool: pools.of(baseUrl, settings, `upstreams.${upstream}`),
      version,
      log,
    })
  }
  const makers: EngineMakers = {
    local({ engine, ...model }) {
      const { llama_server: binary } = config
      if (engine === undefined || binary === undefined) return llamaEngine({ ...model, log, clock })
      return llamaServerEngine({ ...model, binary, version, log, clock })
    },
    abilitiesOf: fileAbilities,
    embedded: embeddedEngine,
    upstream: upstreamOf,
    routed({ name }) {
      const model = config.models[name]
      if (model === undefined || !('targets' in model)) throw new RangeError(`${name} has no targets.`)
      return routedEngine({
        name,
        ...routeOptions(model),
        targets: model.targets.map(target => {
          const { upstream, name: there = name, headers, body, first_byte_timeout_ms: firstByteMs } = target
          const more = { headers, body, firstByteMs }
          return { ...targetOptions(target), model: there, engine: upstreamOf({ name, upstream, target: there }, more) }
        }),
        logsAttempts: config.log_requests,
        ...{ clock, random, timers: systemTimers, log },
      })
    },
  }
  return { makers, close: () => pools.close() }
}
