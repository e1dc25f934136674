import { createHash } from 'node:crypto'
import type { Clock } from '../../../lib/clock.ts'
import type { Log } from '../../../lib/log.ts'
import type { Random } from '../../../lib/random.ts'
import type { UpstreamPools } from '../connection/pools.ts'
import type { ConnectionSettings } from '../connection/settings.ts'
import { EntraCredential, usualAuthority } from './entra.ts'
import { placeOf } from './place.ts'
import type { KindSettings } from './settings.ts'

/** The part of an engine's options that the kind of its upstream makes. @throws TypeError where there is no address */
export function kindOptions(settings: KindSettings) {
  const { kind, baseUrl } = placeOf(settings)
  const { api_version: apiVersion, n: choices, lenient } = settings
  return {
    kind: kind.name,
    baseUrl,
    ...(apiVersion !== undefined && { apiVersion }),
    ...(choices !== undefined && { choices }),
    ...(lenient !== undefined && { lenient }),
  }
}

/** The credentials of upstreams that are asked with tokens; models of one upstream share theirs. */
export interface Credentials {
  /** Undefined where no token is needed. The settings are those of the upstream of this name. */
  of(upstream: string, settings: KindSettings & ConnectionSettings): EntraCredential | undefined
  close(): void
}

export function upstreamCredentials(
  pools: UpstreamPools,
  around: { clock: Clock; random: Random; log: Log },
): Credentials {
  /** By upstream: settings that have changed make a new one. */
  const known = new Map<string, { readonly told: string; readonly credential: EntraCredential }>()
  return {
    of(upstream, { entra, proxy, ca_file, connect_timeout_ms }) {
      if (entra === undefined) return undefined
      const way = { ...(proxy !== undefined && { proxy }), ...(ca_file !== undefined && { ca_file }) }
      const wait = connect_timeout_ms === undefined ? {} : { connect_timeout_ms }
      // Secrets are not kept as a key of a map.
      const told = createHash('sha256')
        .update(JSON.stringify([entra, way, wait]))
        .digest('base64')
      const before = known.get(upstream)
      if (before?.told === told) return before.credential
      const pool = pools.of(entra.authority ?? usualAuthority, { ...way, ...wait }, `upstreams.${upstream}`)
      const credential = new EntraCredential({ settings: entra, pool, upstream, ...around })
      known.set(upstream, { told, credential })
      return credential
    },
    close() {
      for (const { credential } of known.values()) credential.close()
    },
  }
}
