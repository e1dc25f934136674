import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '../lib/clock.ts'
import { makeIds } from '../lib/ids.ts'
import { silentLog } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import { makeQueue } from '../store/queue/index.ts'
import { openStore } from '../store/store.ts'

/** A process that is killed cannot be watched through its own clock. */
const stuckMs = 30_000

/** Kills the worker again and again at random moments while it works off a queue. */
export function crashRounds(rounds: number, jobsPerRound: number): void {
  test(`${rounds} kills of the worker: each job is done once, and none is stuck`, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'parlance-jobs-'))
    const store = await openStore({ dataDir, clock: systemClock, log: silentLog })
    const queue = makeQueue({ store, clock: systemClock, ids: makeIds(systemRandom) })
    const start = async () => {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'crash.fixture.ts'), dataDir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      return async () => {
        child.kill('SIGKILL')
        await once(child, 'close')
      }
    }
    const given: (string | undefined)[] = []
    for (let round = 0; round < rounds; round++) {
      const kill = await start()
      for (let i = 0; i < jobsPerRound; i++)
        given.push(await queue.enqueue({ kind: 'work', payload: {}, attemptsMax: 1000 }))
      await wait(systemRandom.uint32() % 30)
      await kill()
    }
    const kill = await start()
    const startedMs = performance.now()
    while ((await queue.countOpen('work')) > 0) {
      assert.ok(performance.now() - startedMs < stuckMs, 'a job is stuck')
      await wait(20)
    }
    await kill()
    const rows = await store.read.selectFrom('settings').select('name').where('name', 'like', 'job_%').execute()
    assert.deepEqual(rows.map(row => row.name.split(' ')[0]).sort(), [...given].sort())
    await store.close()
    await rm(dataDir, { recursive: true })
  })
}
