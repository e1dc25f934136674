import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { systemClock } from '../lib/clock.ts'
import { makeIds } from '../lib/ids.ts'
import { jsonLog, silentLog } from '../lib/log.ts'
import { seededRandom } from '../lib/random.ts'
import { type ManualTime, manualTime } from '../lib/timers.ts'
import { type Handler, type JobRun, NotAgain, ToBeContinued } from '../platform/jobs/handler.ts'
import { makeQueue, type Queue } from '../store/queue/index.ts'
import { openStore } from '../store/store.ts'
import { makeWorker, type Worker } from './worker.ts'

const dataDir = await mkdtemp(join(tmpdir(), 'parlance-worker-'))
const store = await openStore({ dataDir, clock: systemClock, log: silentLog })
after(async () => {
  await store.close()
  await rm(dataDir, { recursive: true })
})

const leaseMs = 9000
const until = async (done: () => boolean | Promise<boolean>) => {
  while (!(await done())) await new Promise(resolve => setImmediate(resolve))
}

interface Shop {
  time: ManualTime
  queue: Queue
  worker: Worker
  lines: string[]
  enqueue(payload?: object, more?: object): Promise<string>
  status(id: string): Promise<string | undefined>
}

/** A worker over an empty queue, whose time stands still. */
async function shop(handler: Partial<Handler> & Pick<Handler, 'run'>, { alone = false } = {}): Promise<Shop> {
  await store.write(store.build.deleteFrom('jobs'))
  const time = manualTime()
  const random = seededRandom(5)
  const ids = makeIds(seededRandom(time.now() + Math.floor(performance.now())))
  const queue = makeQueue({ store, clock: time, ids })
  const lines: string[] = []
  const log = jsonLog(line => lines.push(line), time.now)
  const services = { queue, clock: time, timers: time, random, ids, log }
  const worker = makeWorker(services, { handlers: [{ kind: 'work', ...handler }], alone, leaseMs })
  return {
    ...{ time, queue, worker, lines },
    enqueue: async (payload = {}, more = {}) => (await queue.enqueue({ kind: 'work', payload, ...more })) ?? '',
    status: async id => (await queue.find(id))?.status,
  }
}

const held = () => {
  const runs: JobRun[] = []
  const ends: PromiseWithResolvers<undefined>[] = []
  return {
    runs,
    ends,
    run(run: JobRun) {
      const end = Promise.withResolvers<undefined>()
      runs.push(run)
      ends.push(end)
      run.signal.addEventListener('abort', () => end.reject(run.signal.reason))
      return end.promise
    },
  }
}

describe('a worker', () => {
  test('does what was waiting and what comes, a few at once', async () => {
    const jobs = held()
    const { worker, enqueue, status } = await shop({ ...jobs, atOnce: 2 })
    const ids = [await enqueue({ n: 0 })]
    await worker.start()
    await until(() => jobs.runs.length === 1)
    for (let n = 1; n < 5; n++) ids.push(await enqueue({ n }))
    for (let n = 0; n < 5; n++) {
      await until(() => jobs.runs.length > n)
      assert.ok(worker.running <= 2)
      jobs.ends[n]?.resolve(undefined)
    }
    await until(async () => (await status(ids[4]!)) === 'done')
    assert.deepEqual(jobs.runs.map(run => (run.job.payload as { n: number }).n).sort(), [0, 1, 2, 3, 4])
    await worker.drain(0)
  })

  test('writes what a job gives it in the step in which it is done', async () => {
    const row = store.build.insertInto('settings').values({ name: 'given', value: 'x' })
    const { worker, enqueue, status } = await shop({ run: async () => [row] })
    const id = await enqueue()
    await worker.start()
    await until(async () => (await status(id)) === 'done')
    assert.equal((await store.read.selectFrom('settings').select('value').executeTakeFirst())?.value, 'x')
    await worker.drain(0)
  })

  test('tries again when a job fails, later each time, and gives up in the end', async () => {
    const tries: number[] = []
    const { worker, enqueue, status, time, lines } = await shop({
      retryMs: [1000, 60_000],
      run: async () => {
        tries.push(time.now())
        throw new Error(`attempt ${tries.length}`)
      },
    })
    const id = await enqueue({}, { attemptsMax: 3 })
    const startMs = time.now()
    await worker.start()
    for (let tried = 1; tried < 3; tried++) {
      await until(() => lines.filter(line => line.includes('job.retried')).length === tried)
      while (tries.length === tried) {
        time.advance(500)
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    await until(() => lines.some(line => line.includes('job.dead')))
    assert.equal(await status(id), 'dead')
    const [, second = 0, third = 0] = tries.map(at => at - startMs)
    assert.ok(second >= 800, `${second}`)
    assert.ok(third - second >= 48_000, `${third}`)
    await worker.drain(0)
  })

  test('gives up at once what says that it is no use', async () => {
    const { worker, enqueue, status } = await shop({ run: () => Promise.reject(new NotAgain('never')) })
    const id = await enqueue()
    await worker.start()
    await until(async () => (await status(id)) === 'dead')
    await worker.drain(0)
  })

  test('tells a job within a second that its end was asked for, by another process too', async () => {
    const jobs = held()
    const { worker, enqueue, status, time } = await shop(jobs)
    const id = await enqueue()
    await worker.start()
    await until(() => jobs.runs.length === 1)
    const elsewhere = makeQueue({ store, clock: time, ids: makeIds(seededRandom(99)) })
    await elsewhere.cancel({ id })
    time.advance(500)
    await until(() => jobs.runs[0]?.signal.aborted === true)
    await until(async () => (await status(id)) === 'cancelled')
    await worker.drain(0)
  })

  test('does not begin a job whose end was asked for, unless it has something to put in order', async () => {
    let cleaned = 0
    for (const cleansUp of [undefined, true] as const) {
      const { worker, enqueue, queue, status } = await shop({
        ...(cleansUp && { cleansUp }),
        run: async ({ signal }) => {
          assert.ok(signal.aborted)
          cleaned++
        },
      })
      const id = await enqueue()
      await queue.cancel({ id })
      await worker.start()
      await until(async () => (await status(id)) === (cleansUp ? 'done' : 'cancelled'))
      await worker.drain(0)
    }
    assert.equal(cleaned, 1)
  })

  test('holds on to a job that takes long, and counts attempts anew when it comes further', async () => {
    const jobs = held()
    const { worker, enqueue, queue, status, time } = await shop(jobs)
    const id = await enqueue()
    await worker.start()
    await until(() => jobs.runs.length === 1)
    const first = (await queue.find(id))?.dueAt
    jobs.runs[0]?.progressed()
    for (let i = 0; i < 10; i++) {
      const before = (await queue.find(id))?.dueAt ?? 0
      await until(async () => {
        time.advance(10)
        return ((await queue.find(id))?.dueAt ?? 0) > before
      })
    }
    assert.ok(time.now() > (first ?? 0))
    jobs.ends[0]?.resolve(undefined)
    await until(async () => (await status(id)) === 'done')
    await worker.drain(0)
  })

  test('ends a job that another worker has taken, and says nothing of how it ended', async () => {
    const jobs = held()
    const { worker, enqueue, queue, status, time, lines } = await shop(jobs)
    const id = await enqueue()
    await worker.start()
    await until(() => jobs.runs.length === 1)
    assert.equal(await queue.takeOver(), 1) // as another process would
    const [taken] = await queue.claim({ worker: 'other', kinds: ['work'], leaseMs: 1_000_000, most: 1 })
    time.advance(leaseMs / 3)
    await until(() => jobs.runs[0]?.signal.aborted === true)
    await until(() => lines.some(line => line.includes('job.lease_lost')))
    assert.equal(await status(id), 'running')
    await queue.finish(taken!)
    await worker.drain(0)
  })

  test('puts back at its end what is not done: what may end does, what cannot is cut off', async () => {
    const jobs = held()
    const { worker, enqueue, status, time, queue } = await shop({ ...jobs, atOnce: 3 })
    const ids = [await enqueue(), await enqueue(), await enqueue()]
    await worker.start()
    await until(() => jobs.runs.length === 3)
    const drained = worker.drain(30_000)
    assert.ok(jobs.runs.every(run => run.stopping.aborted && !run.signal.aborted))
    jobs.ends[0]?.resolve(undefined)
    jobs.ends[1]?.reject(new ToBeContinued())
    await until(() => worker.running === 1)
    const late = await enqueue()
    await until(() => time.pending() > 1)
    time.advance(30_000)
    await drained
    const statuses = await Promise.all([...ids, late].map(status))
    assert.deepEqual(statuses.sort(), ['done', 'waiting', 'waiting', 'waiting'])
    assert.equal(await queue.takeOver(), 0)
  })

  test('that is alone begins at once what one before it left', async () => {
    const jobs = held()
    const { worker, enqueue, queue } = await shop(jobs, { alone: true })
    await enqueue()
    await queue.claim({ worker: 'dead', kinds: ['work'], leaseMs: 1_000_000, most: 1 })
    await worker.start()
    await until(() => jobs.runs.length === 1)
    assert.equal(jobs.runs[0]?.fence, 3)
    jobs.ends[0]?.resolve(undefined)
    await worker.drain(1000)
  })
})
