/** Started by tests as a process of its own, to be killed: `crash.fixture.ts <data folder>` works off the queue there, and says so. */
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '../lib/clock.ts'
import { makeIds } from '../lib/ids.ts'
import { silentLog } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import { systemTimers } from '../lib/timers.ts'
import type { Handler } from '../platform/jobs/handler.ts'
import { makeQueue } from '../store/queue/index.ts'
import { lockDataDir, openStore } from '../store/store.ts'
import { makeWorker } from './worker.ts'

const [, , dataDir = ''] = process.argv
const services = { clock: systemClock, timers: systemTimers, random: systemRandom, log: silentLog }
const store = await openStore({ dataDir, ...services, lock: lockDataDir(dataDir, systemClock) })
const ids = makeIds(systemRandom)
const queue = makeQueue({ store, clock: systemClock, ids })

/** Leaves a row for each time that it was done: one too many is a row too many. */
const handler: Handler = {
  kind: 'work',
  atOnce: 8,
  async run({ job }) {
    await wait(systemRandom.uint32() % 10)
    return [store.build.insertInto('settings').values({ name: `${job.id} ${ids.make('request')}`, value: '' })]
  },
}

await makeWorker({ ...services, queue, ids }, { handlers: [handler], alone: true }).start()
process.stdout.write('working\n')
setInterval(() => {}, 60_000) // until it is killed
