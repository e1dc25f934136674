import { createHash } from 'node:crypto'
import { type Proxies, parseProxy, proxyFor } from '../../../lib/connections/index.ts'
import { type UpstreamPool, upstreamPool, upstreamUrl } from '../pool.ts'
import { readPapers, secureContexts } from './secure.ts'
import type { ConnectionSettings } from './settings.ts'

export interface UpstreamPools {
  /**
   * The connections for an upstream. Those that go to one origin in one way are shared, and what the files of the settings hold now
   * counts: a new certificate under an old name makes new connections.
   * @param named where the settings stand, for messages, such as `upstreams.east`
   * @throws Error in words for the operator: a file that cannot be read or used, a proxy that cannot be used
   */
  of(baseUrl: string, settings: ConnectionSettings, named: string): UpstreamPool
  /** Closes connections that nobody stands on any more, and forgets them. */
  drop(pool: UpstreamPool): Promise<void>
  /** Ends everything. */
  close(): Promise<void>
}

export function upstreamPools(proxies: Proxies): UpstreamPools {
  const pools = new Map<string, UpstreamPool>()
  return {
    of(baseUrl, settings, named) {
      const url = upstreamUrl(baseUrl)
      const { proxy: asked, connect_timeout_ms: connectMs, connections } = settings
      const papers = readPapers(settings, named)
      const proxy =
        asked === undefined
          ? proxyFor(url, proxies)
          : asked === 'none'
            ? undefined
            : parseProxy(asked, `\`${named}.proxy\``)
      const all = JSON.stringify([url.origin, proxy, papers, connectMs, connections])
      const way = createHash('sha256').update(all).digest('base64')
      const known = pools.get(way)
      if (known !== undefined) return known
      const pool = upstreamPool(baseUrl, {
        ...secureContexts(papers, named),
        ...(connectMs !== undefined && { connectMs }),
        ...(connections !== undefined && { connections }),
        proxy,
      })
      pools.set(way, pool)
      return pool
    },
    async drop(pool) {
      for (const [way, one] of pools) if (one === pool) pools.delete(way)
      await pool.close()
    },
    async close() {
      await Promise.all([...pools.values()].map(pool => pool.close()))
    },
  }
}
