import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { upstreamPool } from '../../../engines/upstream/index.ts'
import type { UpstreamConfig } from '../../../engines/upstream/settings.ts'
import { missing } from '../../people/acting.ts'
import { unknownHealth } from '../health/state.ts'
import type { Findings, Line, Upstream, Upstreams } from '../types.ts'

/** A server that answers as it is told. */
export async function startServer(answer: RequestListener): Promise<{ origin: string; close(): Promise<void> }> {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

export const upstreamOf = (name: string, settings: UpstreamConfig): Upstream => ({
  name,
  source: 'file',
  settings,
  shown: settings,
  createdAt: null,
})

/** A way to one upstream; closing it closes its connections. */
export function lineOf(upstream: Upstream): Line {
  const pool = upstreamPool(upstream.settings.base_url ?? '')
  return {
    upstream,
    pool,
    engine() {
      throw new RangeError('These tests have no engines.')
    },
    close: () => pool.close(),
  }
}

/** Upstreams in memory, which come and go as a test says. */
export function knownUpstreams(first: readonly Upstream[] = []): Upstreams & { put(...upstreams: Upstream[]): void } {
  const all = new Map(first.map(upstream => [upstream.name, upstream]))
  const found = new Map<Upstream, Findings>()
  const listeners = new Set<(names: ReadonlySet<string>) => void>()
  const nothing: Findings = { health: unknownHealth, models: null }
  const get = (name: string) => {
    const upstream = all.get(name)
    if (upstream === undefined) throw missing('upstream', name)
    return upstream
  }
  return {
    put(...upstreams) {
      for (const upstream of upstreams) all.set(upstream.name, upstream)
      for (const listener of listeners) listener(new Set(upstreams.map(({ name }) => name)))
    },
    list: () => [...all.values()],
    find: name => all.get(name),
    get,
    changed(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    line: name => lineOf(get(name)),
    findings: name => found.get(get(name)) ?? nothing,
    note(upstream, findings) {
      if (all.get(upstream.name) === upstream) found.set(upstream, { ...(found.get(upstream) ?? nothing), ...findings })
    },
  }
}
