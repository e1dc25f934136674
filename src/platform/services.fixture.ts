import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manualClock } from '../lib/clock.ts'
import { makeIds } from '../lib/ids.ts'
import { silentLog } from '../lib/log.ts'
import { seededRandom } from '../lib/random.ts'
import { systemTimers } from '../lib/timers.ts'
import { makeQueue } from '../store/queue/index.ts'
import { openStore } from '../store/store.ts'
import { makeBatches } from './batches/index.ts'
import type { Services } from './execute.ts'
import { testFiles } from './files/files.fixture.ts'
import type { FilesOptions } from './files/index.ts'
import { makeKeys } from './keys.ts'
import { makeLedger } from './ledger/index.ts'
import { noLimits } from './limits/none.ts'
import type { Models } from './models.ts'
import { makePrices } from './prices.ts'
import { makeSignIn, type SignInOptions } from './sign-in/index.ts'
import { testUpstreams } from './upstreams/upstreams.fixture.ts'

/** Everything that `execute` needs, over a real store in a folder of its own and a clock that stands still. For tests. */
export async function testServices(
  models: Models,
  more: Partial<Services> = {},
  entering: SignInOptions = {},
  filing?: FilesOptions,
) {
  const dataDir = await mkdtemp(join(tmpdir(), 'parlance-services-'))
  const clock = manualClock()
  const random = seededRandom(1)
  const ids = makeIds(random)
  const log = silentLog
  const store = await openStore({ dataDir, clock, log })
  const signIn = makeSignIn({ store, clock, ids, random, log }, { cost: { ln: 4, r: 1, p: 1 }, ...entering })
  const keys = makeKeys({ store, clock, ids, log, alsoChanged: signIn.sessions.changed })
  const ledger = await makeLedger({ store, clock, ids, log }, { mode: 'grouped', reconcile: true })
  const prices = await makePrices({ store, clock, log }, { settings: new Map(), preset: 'none' })
  const files = testFiles({ store, clock, ids, folder: dataDir }, filing)
  const batches = makeBatches(
    { queue: makeQueue({ store, clock, ids }), timers: systemTimers, services: () => services },
    { operations: [], folder: join(dataDir, 'batches'), widthOf: () => 4 },
  )
  const { upstreams, routes, ...reaching } = await testUpstreams({ store, clock, random, dataDir })
  const services: Services = {
    models,
    upstreams,
    routes,
    store,
    files,
    batches,
    keys,
    ledger,
    limits: noLimits,
    prices,
    signIn,
    clock,
    ids,
    random,
    log,
    ...more,
  }
  return {
    ...services,
    dataDir,
    clock,
    async close() {
      keys.close()
      await signIn.close()
      await models.close()
      reaching.close()
      ledger.close()
      prices.close()
      await store.close()
      await rm(dataDir, { recursive: true })
    },
  }
}
