/**
 * Started by tests as a process of its own, to be killed: `spending.fixture.ts <data folder> <prefix> <grouped|strict>`. Twenty callers
 * ask without end, and say what was reserved for them and what they were told is done, each under a name of its own.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { makeIds } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { seededRandom, systemRandom } from '../../lib/random.ts'
import { openStore } from '../../store/store.ts'
import { makeLedger } from './index.ts'
import { intent, outcome, worst } from './ledger.fixture.ts'

const [, , dataDir = '', prefix = '', mode = ''] = process.argv
const clock = systemClock
const log = silentLog
const store = await openStore({ dataDir, clock, log })
const ids = makeIds(systemRandom)
const ledger = await makeLedger(
  { store, clock, log, ids },
  { mode: mode === 'strict' ? 'strict' : 'grouped', reconcile: true },
)
const random = seededRandom(Number(prefix))
const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

async function caller(name: number): Promise<void> {
  for (let i = 0; ; i++) {
    const endUser = `${prefix}.${name}.${i}`
    try {
      const held = await ledger.reserve(intent(worst(10, 5), { endUser }))
      say(`begun ${endUser}`)
      await wait(random.uint32() % 20) // the model works
      const output = Math.min(held.outputMax ?? 5, 1 + (random.uint32() % 5))
      await held.settle(outcome(10, output))
      say(`done ${endUser} ${output}`)
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'insufficient_quota')) throw error
      say(`refused ${endUser}`)
      await wait(20)
    }
  }
}

await Promise.all(Array.from({ length: 20 }, (_, name) => caller(name)))
