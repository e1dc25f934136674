import { randomBytes } from 'node:crypto'
import { scriptedEngine } from '../../engines/scripted.ts'
import { upstreamPool } from '../../engines/upstream/index.ts'
import { placeOf } from '../../engines/upstream/kinds/index.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Log, silentLog } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import type { Store } from '../../store/store.ts'
import { makeRoutes, type RouteBook, type RoutesOptions } from '../routes/index.ts'
import { makeVault, secretKeys, type Vault } from '../vault/index.ts'
import { type Line, makeUpstreams, type Upstream, type UpstreamBook, type UpstreamsOptions } from './index.ts'

export interface TestUpstreams {
  upstreams: UpstreamBook
  routes: RouteBook
  vault: Vault
  close(): void
}

export interface TestUpstreamsOptions {
  /** Those of parlance.yaml. */
  upstreams?: UpstreamsOptions['file']
  routes?: Partial<RoutesOptions>
  /** Default: made once in the data folder. */
  vault?: Vault
}

/** Upstreams and routes over a real store; whoever asks for an engine gets a scripted one. */
export async function testUpstreams(
  parts: { store: Store; clock: Clock; random: Random; dataDir: string; log?: Log },
  { upstreams: file = {}, routes: routing = {}, vault = testVault(parts) }: TestUpstreamsOptions = {},
): Promise<TestUpstreams> {
  const { store, clock, log = silentLog } = parts
  const upstreams = await makeUpstreams({ store, clock, log, vault }, { file, connect: testLine })
  const none = () => undefined
  const options: RoutesOptions = { file: {}, taken: none, found: none, aliasOf: none, ...routing }
  const routes = await makeRoutes({ store, clock, log, vault, upstreams }, options)
  return {
    upstreams,
    routes,
    vault,
    close() {
      upstreams.close()
      routes.close()
    },
  }
}

export const testVault = ({ dataDir, random }: { dataDir: string; random: Random }): Vault =>
  makeVault({ keys: secretKeys({ dataDir, random, log: silentLog }), random })

/** A key of settings. */
export const newKey = (): string => randomBytes(32).toString('base64')

function testLine(upstream: Upstream): Line {
  const pool = upstreamPool(placeOf(upstream.settings).baseUrl)
  return { upstream, pool, engine: name => scriptedEngine({ name }), close: () => pool.close() }
}
