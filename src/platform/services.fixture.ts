import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manualClock } from '../lib/clock.ts'
import { makeIds } from '../lib/ids.ts'
import { silentLog } from '../lib/log.ts'
import { seededRandom } from '../lib/random.ts'
import { openStore } from '../store/store.ts'
import type { Services } from './execute.ts'
import { makeKeys } from './keys.ts'
import { makeLedger } from './ledger/index.ts'
import { noLimits } from './limits/none.ts'
import type { Models } from './models.ts'
import { makePrices } from './prices.ts'
import { makeSignIn, type SignInOptions } from './sign-in/index.ts'

/** Everything that `execute` needs, over a real store in a folder of its own and a clock that stands still. For tests. */
export async function testServices(models: Models, more: Partial<Services> = {}, entering: SignInOptions = {}) {
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
  const services = { models, store, keys, ledger, limits: noLimits, prices, signIn, clock, ids, random, log, ...more }
  return {
    ...services,
    clock,
    async close() {
      keys.close()
      await signIn.close()
      await models.close()
      ledger.close()
      prices.close()
      await store.close()
      await rm(dataDir, { recursive: true })
    },
  }
}
