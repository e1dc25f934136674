import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { manualClock } from '../../lib/clock.ts'
import { makeIds } from '../../lib/ids.ts'
import { seededRandom } from '../../lib/random.ts'
import { StaleWrite, type Store } from '../store.ts'
import { backOffMs, type Lease, LeaseLost, makeQueue, type Queue, usualRetryMs } from './index.ts'

/** A store with empty tables, that can be opened twice at once: by two processes, as far as it can tell. */
export interface QueuePlace {
  open(): Promise<Store>
  remove(): Promise<void>
}

/** What the queue promises over every database. */
export function queueContract(name: string, makePlace: () => Promise<QueuePlace>): void {
  describe(`the queue over ${name}`, () => {
    let place: QueuePlace
    const stores: Store[] = []
    let queue: Queue
    const clock = manualClock()
    const ids = makeIds(seededRandom(7))
    const another = async () => {
      const store = stores[1] ?? (await place.open())
      stores[1] = store
      return makeQueue({ store, clock, ids })
    }
    before(async () => {
      place = await makePlace()
      stores[0] = await place.open()
    })
    beforeEach(async () => {
      const [store] = stores
      await store!.write([store!.build.deleteFrom('jobs'), store!.build.deleteFrom('settings')])
      queue = makeQueue({ store: store!, clock, ids })
    })
    after(async () => {
      for (const store of stores) await store.close()
      await place.remove()
    })
    const given = { queue: () => queue, store: () => stores[0]!, another, clock }
    claiming(given)
    fencing(given)
    ending(given)
    cancelling(given)
    scheduling(given)
  })
}

interface Given {
  queue(): Queue
  store(): Store
  another(): Promise<Queue>
  clock: ReturnType<typeof manualClock>
}

const leaseMs = 10_000
const claim = (queue: Queue, most = 1, worker = 'w', kinds: string[] = ['work']) =>
  queue.claim({ worker, kinds, leaseMs, most })
const one = async (queue: Queue): Promise<Lease> => {
  const [lease] = await claim(queue)
  return lease ?? assert.fail('nothing was claimed')
}
const work = (payload: object = {}, more: object = {}) => ({ kind: 'work', payload, ...more })
const events = async (store: Store, id: string) => {
  const rows = await store.read
    .selectFrom('job_events')
    .select(['number', 'event'])
    .where('job_id', '=', id)
    .orderBy('number')
    .execute()
  assert.deepEqual(
    rows.map(row => row.number),
    rows.map((_, index) => index + 1),
  )
  return rows.map(row => row.event).join(' ')
}
const names = (leases: Lease[]) => leases.map(({ job }) => (job.payload as { name: string }).name).join('')

function claiming({ queue, store, another, clock }: Given): void {
  test('what is enqueued is claimed once, with what it was told', async () => {
    const id = await queue().enqueue(work({ a: [1, 'ü'] }))
    const lease = await one(queue())
    assert.equal(lease.job.id, id)
    assert.deepEqual([lease.job.payload, lease.job.attempt, lease.fence], [{ a: [1, 'ü'] }, 1, 1])
    assert.deepEqual(await claim(queue()), [])
  })

  test('workers that race get each job once between them', async () => {
    const other = await another()
    const jobs = await Promise.all(Array.from({ length: 60 }, () => queue().enqueue(work())))
    const got = await Promise.all(
      Array.from({ length: 20 }, (_, i) => claim(i % 2 === 0 ? queue() : other, 4, `w${i}`)),
    )
    const claimed = got.flat().map(lease => lease.job.id)
    assert.equal(claimed.length, 60)
    assert.deepEqual(new Set(claimed), new Set(jobs))
  })

  test('the higher priority goes first, then what was due earlier; other kinds and later times wait', async () => {
    const nowMs = clock.now()
    for (const [name, priority, runAt] of [
      ['c', 0, nowMs - 10],
      ['d', 0, nowMs - 5],
      ['a', 9, nowMs],
      ['e', -1, nowMs - 99],
      ['b', 3, nowMs],
    ] as const)
      await queue().enqueue(work({ name }, { priority, runAt }))
    await queue().enqueue({ kind: 'other', payload: {} })
    await queue().enqueue(work({ name: 'f' }, { runAt: nowMs + 1000, priority: 99 }))
    let order = ''
    for (let i = 0; i < 7; i++) order += names(await claim(queue()))
    assert.equal(order, 'abcde')
    assert.equal(await queue().nextDueAt(['work']), nowMs + 1000)
    clock.advance(1000)
    assert.equal(names(await claim(queue())), 'f')
  })

  test('a kind and subject has one open job, and another when it has ended', async () => {
    const subject = { subject: 'batch_1' }
    assert.notEqual(await queue().enqueue(work({}, subject)), undefined)
    assert.equal(await queue().enqueue(work({}, subject)), undefined)
    assert.notEqual(await queue().enqueue(work({}, { subject: 'batch_2' })), undefined)
    const lease = (await claim(queue(), 2)).find(({ job }) => job.subject === 'batch_1')
    await queue().finish(lease!)
    assert.notEqual(await queue().enqueue(work({}, subject)), undefined)
    assert.equal(await queue().countOpen('work'), 2)
  })

  test('statements of a job are written with others, all or nothing', async () => {
    const { id, statements } = queue().enqueuing(work())
    const setting = store().build.insertInto('settings').values({ name: 'a', value: '' })
    await assert.rejects(store().write([...statements, { statement: setting, expectChanges: 2 }]), StaleWrite)
    assert.equal(await queue().find(id), undefined)
    await store().write([...statements, setting])
    assert.equal((await queue().find(id))?.status, 'waiting')
  })

  test('what is too large or has no kind is refused', async () => {
    await assert.rejects(queue().enqueue(work({ text: 'x'.repeat(70_000) })), RangeError)
    await assert.rejects(queue().enqueue({ kind: "x'; drop", payload: {} }), RangeError)
  })
}

function fencing({ queue, store, another, clock }: Given): void {
  test('a lease that has run out is somebody else’s, and its old holder writes nothing', async () => {
    const id = (await queue().enqueue(work())) ?? ''
    const old = await one(queue())
    clock.advance(leaseMs - 1)
    assert.deepEqual(await claim(queue()), [])
    clock.advance(1)
    const next = await one(await another())
    assert.deepEqual([next.job.id, next.fence, next.job.attempt], [id, 2, 2])
    const setting = store().build.insertInto('settings').values({ name: 'result', value: 'old' })
    for (const late of [
      () => queue().write(old, [setting]),
      () => queue().finish(old, [setting]),
      () => queue().fail(old, 'x', 1),
      () => queue().release(old),
      () => queue().cancelled(old),
      () => queue().renew(old, leaseMs, true),
    ])
      await assert.rejects(late(), LeaseLost)
    assert.deepEqual(await store().read.selectFrom('settings').selectAll().execute(), [])
    await queue().finish(next, [setting])
    await assert.rejects(queue().finish(next), LeaseLost)
    assert.equal(await events(store(), id), 'enqueued claimed claimed done')
  })

  test('a lease that is renewed goes on', async () => {
    await queue().enqueue(work())
    let lease = await one(queue())
    for (let i = 0; i < 5; i++) {
      clock.advance(leaseMs - 1)
      lease = await queue().renew(lease, leaseMs, false)
    }
    assert.deepEqual(await claim(queue()), [])
    await queue().finish(lease)
  })

  test('a statement that misses its expectation undoes the step and is no lost lease', async () => {
    await queue().enqueue(work())
    const lease = await one(queue())
    const nothing = { statement: store().build.deleteFrom('settings'), expectChanges: 1 }
    await assert.rejects(queue().finish(lease, [nothing]), StaleWrite)
    assert.equal((await queue().find(lease.job.id))?.status, 'running')
    await queue().finish(lease)
  })

  test('whoever takes over gets at once what a dead worker held', async () => {
    await queue().enqueue(work())
    const old = await one(queue())
    assert.equal(await queue().takeOver(), 1)
    const next = await one(queue())
    assert.equal(next.job.id, old.job.id)
    await assert.rejects(queue().finish(old), LeaseLost)
    await queue().finish(next)
  })
}

function ending({ queue, store, clock }: Given): void {
  test('a job that fails is tried again when it was said, and is dead after its attempts', async () => {
    const id = (await queue().enqueue(work({}, { attemptsMax: 3 }))) ?? ''
    for (const [attempt, outcome] of ['retried', 'retried', 'dead'].entries()) {
      const lease = await one(queue())
      assert.equal(lease.job.attempt, attempt + 1)
      assert.equal(await queue().fail(lease, `error ${attempt}`, 500), outcome)
      clock.advance(499)
      assert.deepEqual(await claim(queue()), [])
      clock.advance(1)
    }
    assert.deepEqual(await claim(queue()), [])
    const state = await queue().find(id)
    assert.deepEqual([state?.status, state?.error], ['dead', 'error 2'])
    assert.equal(await events(store(), id), 'enqueued claimed retried claimed retried claimed dead')
  })

  test('a job that ends its workers is dead after its attempts; one that comes further in between is not', async () => {
    const killer = (await queue().enqueue(work({}, { attemptsMax: 3 }))) ?? ''
    for (let i = 0; i < 3; i++) {
      await one(queue())
      clock.advance(leaseMs)
    }
    assert.deepEqual(await claim(queue()), [])
    const state = await queue().find(killer)
    assert.deepEqual([state?.status, state?.error], ['dead', 'Its workers ended again and again while they ran it.'])
    await queue().enqueue(work({}, { attemptsMax: 3 }))
    for (let i = 0; i < 9; i++) {
      const lease = await one(queue())
      assert.equal((await queue().renew(lease, leaseMs, true)).job.attempt, 1)
      clock.advance(leaseMs)
    }
    await queue().finish(await one(queue()))
  })

  test('a job that is put back has used no attempt', async () => {
    await queue().enqueue(work())
    await queue().release(await one(queue()))
    const lease = await one(queue())
    assert.deepEqual([lease.job.attempt, lease.fence], [1, 2])
  })

  test('waits grow from a second to an hour, and no two are alike', () => {
    const random = seededRandom(3)
    const waits = Array.from({ length: 20 }, (_, i) => backOffMs(i + 1, random))
    for (const [i, wait] of waits.entries()) {
      const most = Math.min(3_600_000, 1000 * 2 ** i)
      assert.ok(wait >= 0.8 * most && wait <= most, `${wait} of ${most}`)
    }
    assert.equal(usualRetryMs.at(-1), 3_600_000)
    const same = Array.from({ length: 50 }, () => backOffMs(5, random))
    assert.ok(new Set(same).size > 40)
    assert.ok(backOffMs(9, random, [10, 20]) <= 20)
  })

  test('what has ended long ago goes, with its events', async () => {
    await queue().enqueue(work())
    await queue().finish(await one(queue()))
    await queue().enqueue(work())
    assert.equal(await queue().sweep(clock.now()), 0)
    assert.equal(await queue().sweep(clock.now() + 1), 1)
    const left = await store().read.selectFrom('job_events').select('event').execute()
    assert.equal(left.length, 1)
  })
}

function cancelling({ queue, clock }: Given): void {
  test('a cancelled job tells its worker; one that waits is handed out as cancelled at once', async () => {
    const running = (await queue().enqueue(work({}, { subject: 'a' }))) ?? ''
    const later = (await queue().enqueue(work({}, { runAt: clock.now() + 60_000 }))) ?? ''
    const lease = await one(queue())
    assert.deepEqual(await queue().cancelAsked([lease.token]), new Set())
    await queue().cancel({ kind: 'work', subject: 'a' })
    await queue().cancel({ id: later })
    assert.deepEqual(await queue().cancelAsked([lease.token]), new Set([running]))
    const [waiting] = await claim(queue())
    assert.deepEqual([waiting?.job.id, waiting?.job.isCancelled], [later, true])
    await queue().cancelled(lease)
    await queue().cancelled(waiting!)
    assert.equal((await queue().find(running))?.status, 'cancelled')
    await queue().cancel({ id: running })
    assert.equal((await queue().find(running))?.status, 'cancelled')
  })

  test('whoever listens hears of new work and of ends', async () => {
    let heard = 0
    const stop = queue().onChange(() => heard++)
    const id = (await queue().enqueue(work())) ?? ''
    await queue().cancel({ id })
    assert.equal(heard, 2)
    stop()
    await queue().enqueue(work())
    assert.equal(heard, 2)
  })
}

function scheduling({ queue, store, clock }: Given): void {
  test('scheduled work comes again and again, once however often it is scheduled', async () => {
    const daily = { kind: 'work', payload: {}, everyMs: 86_400_000 }
    for (let i = 0; i < 3; i++) await queue().schedule(daily)
    assert.equal(await queue().countOpen('work'), 1)
    for (let day = 0; day < 3; day++) {
      const lease = await one(queue())
      assert.equal(lease.job.attempt, 1)
      await queue().finish(lease)
      assert.deepEqual(await claim(queue()), [])
      clock.advance(86_400_000)
    }
    await queue().schedule({ ...daily, everyMs: 3_600_000 })
    await queue().finish(await one(queue()))
    clock.advance(3_600_000)
    assert.equal((await claim(queue())).length, 1)
    assert.ok((await store().read.selectFrom('job_events').select('event').execute()).length > 5)
    await queue().sweep(clock.now() + 1)
    assert.deepEqual(await store().read.selectFrom('job_events').select('event').execute(), [])
  })

  test('scheduled work that fails too often waits for its next time', async () => {
    await queue().schedule({ kind: 'work', payload: {}, everyMs: 86_400_000 })
    let outcome = ''
    for (let i = 0; i < 8; i++) {
      outcome = await queue().fail(await one(queue()), 'no', 10)
      clock.advance(10)
    }
    assert.equal(outcome, 'retried')
    assert.deepEqual(await claim(queue()), [])
    clock.advance(86_400_000)
    assert.equal((await one(queue())).job.attempt, 1)
  })
}
