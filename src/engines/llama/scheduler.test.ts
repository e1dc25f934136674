import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Gauge } from './gauge.ts'
import type { NativeContext, NativeSampler } from './native.ts'
import { Scheduler, type Task } from './scheduler.ts'

type Batch = { sequence: number; position: number; tokens: number[] }[]

/** A context that remembers what it was asked; the "logits" are the place in the batch, and the sampler ignores them. */
function fakeContext({
  failOn = () => false,
  canCut = true,
}: {
  failOn?: (batch: Batch) => boolean
  canCut?: boolean
} = {}) {
  const batches: Batch[] = []
  const edits: string[] = []
  let decoding = false
  let batch: Batch = []
  const idle = (what: string) => {
    assert.ok(!decoding, `${what} while a decode ran`)
  }
  const context: NativeContext = {
    init: async () => true,
    initBatch: () => {
      idle('initBatch')
      batch = []
    },
    addToBatch: (sequence, position, tokens, logitsAt) => {
      idle('addToBatch')
      batch.push({ sequence, position, tokens: [...tokens] })
      return logitsAt.map(() => sequence)
    },
    decodeBatch: async () => {
      decoding = true
      batches.push(batch)
      await new Promise(resolve => setImmediate(resolve))
      decoding = false
      if (failOn(batch)) throw new Error('decode failed')
    },
    sampleToken: async () => 7,
    disposeSequence: sequence => {
      idle('disposeSequence')
      edits.push(`clear ${sequence}`)
    },
    removeTokenCellsFromSequence: (sequence, start) => {
      idle('removeTokenCellsFromSequence')
      edits.push(`cut ${sequence} at ${start}`)
      return canCut
    },
    getSequenceKvCacheMinPosition: () => 0,
  }
  return { context, batches, edits }
}

const sampler: NativeSampler = { applyConfig: () => {}, dispose: () => {} }
const tokens = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)

function makeTask(request: number, prompt: number[], length: number, more: Partial<Task> = {}) {
  const seen = { cached: -1, tokens: 0, failure: undefined as unknown }
  let done: () => void = () => {}
  const ended = new Promise<void>(resolve => {
    done = resolve
  })
  const task: Task = {
    request,
    prompt,
    makeSampler: () => sampler,
    begun: cached => {
      seen.cached = cached
    },
    token: () => {
      seen.tokens++
      if (seen.tokens >= length) done()
      return seen.tokens < length
    },
    failed: reason => {
      seen.failure = reason
      done()
    },
    ...more,
  }
  return { task, seen, ended }
}

describe('scheduler', () => {
  it('decodes all running replies in one batch, in ascending order of slots', async () => {
    const { context, batches } = fakeContext()
    const scheduler = new Scheduler(context, { slots: 3, batch: 512, cycled: () => {} })
    const jobs = [1, 2, 3].map(request => makeTask(request, tokens(4, request * 100), 10))
    for (const { task } of jobs) scheduler.submit(task)
    await Promise.all(jobs.map(({ ended }) => ended))
    const steady = batches.filter(batch => batch.every(part => part.tokens.length === 1) && batch.length === 3)
    assert.ok(steady.length >= 8)
    for (const batch of batches)
      assert.deepEqual(
        batch.map(part => part.sequence),
        [...batch.map(part => part.sequence)].sort(),
      )
  })

  it('lets each prompt have its share of a step beside replies, and one alone all of it', async () => {
    const { context, batches } = fakeContext()
    const scheduler = new Scheduler(context, { slots: 4, batch: 512, cycled: () => {} })
    let asked: ReturnType<typeof makeTask>[] = []
    const running = makeTask(1, tokens(700), 12, {
      token: () => {
        if (asked.length > 0) return batches.length < 12
        asked = [2, 3, 4].map(request => makeTask(request, tokens(200, 1000 * request), 1))
        for (const { task } of asked) scheduler.submit(task)
        return true
      },
    })
    scheduler.submit(running.task)
    while (asked.length === 0) await new Promise(resolve => setImmediate(resolve))
    await Promise.all(asked.map(({ ended }) => ended))
    scheduler.cancel(1)
    const sizes = batches.map(batch => batch.map(part => part.tokens.length))
    assert.deepEqual(sizes.slice(0, 4), [[512], [188], [1, 128, 128, 128], [1, 72, 72, 72]])
  })

  it('uses what a slot still holds of an earlier prompt, and decodes the last token anew', async () => {
    const { context, batches, edits } = fakeContext()
    const scheduler = new Scheduler(context, { slots: 2, batch: 512, cycled: () => {} })
    const first = makeTask(1, tokens(50), 3)
    scheduler.submit(first.task)
    await first.ended
    const second = makeTask(2, [...tokens(40), 999], 1)
    scheduler.submit(second.task)
    await second.ended
    assert.equal(second.seen.cached, 40)
    assert.deepEqual(edits, ['cut 0 at 40'])
    assert.deepEqual(batches.at(-1), [{ sequence: 0, position: 40, tokens: [999] }])
    const same = makeTask(3, [...tokens(40), 999], 1)
    scheduler.submit(same.task)
    await same.ended
    assert.equal(same.seen.cached, 40)
  })

  it('leaves the cache of another key alone, where its own slot holds as much of the prompt', async () => {
    const common = tokens(40)
    for (const [key, cachedOfOther] of [
      ['b', 60],
      [undefined, 40],
    ] as const) {
      const { context } = fakeContext()
      const scheduler = new Scheduler(context, { slots: 2, batch: 512, cycled: () => {} })
      const ofA = makeTask(1, [...common, ...tokens(20, 100)], 5, { cacheKey: 'a' })
      const ofB = makeTask(2, [...common, ...tokens(20, 200)], 5, { cacheKey: 'b' })
      scheduler.submit(ofA.task)
      scheduler.submit(ofB.task)
      await Promise.all([ofA.ended, ofB.ended])
      const asks = makeTask(3, [...common, 300], 1, { cacheKey: key })
      scheduler.submit(asks.task)
      await asks.ended
      assert.equal(asks.seen.cached, 40)
      const goesOn = makeTask(4, [...common, ...tokens(20, 100), 400], 1, { cacheKey: 'a' })
      scheduler.submit(goesOn.task)
      await goesOn.ended
      assert.equal(goesOn.seen.cached, cachedOfOther)
    }
  })

  it('shares no beginning between tenants', async () => {
    const { context } = fakeContext()
    const scheduler = new Scheduler(context, { slots: 2, batch: 512, cycled: () => {} })
    const cachedOf = async (request: number, tenant: string) => {
      const { task, ended, seen } = makeTask(request, [...tokens(40), request], 1, { tenant })
      scheduler.submit(task)
      await ended
      return seen.cached
    }
    assert.equal(await cachedOf(1, 'org-a'), 0)
    assert.equal(await cachedOf(2, 'org-b'), 0)
    assert.equal(await cachedOf(3, 'org-b'), 40)
  })

  it('starts from nothing where a sequence cannot be cut', async () => {
    const { context, edits } = fakeContext({ canCut: false })
    const scheduler = new Scheduler(context, { slots: 1, batch: 512, cycled: () => {} })
    for (const request of [1, 2]) {
      const { task, ended, seen } = makeTask(request, [...tokens(40), request], 2)
      scheduler.submit(task)
      await ended
      assert.equal(seen.cached, 0)
    }
    assert.deepEqual(edits, ['cut 0 at 40', 'clear 0'])
  })

  it('cuts long prompts into pieces, smaller ones while replies run', async () => {
    const { context, batches } = fakeContext()
    const scheduler = new Scheduler(context, { slots: 2, batch: 256, cycled: () => {} })
    const short = makeTask(1, tokens(3), 20)
    const long = makeTask(2, tokens(600, 1000), 1)
    scheduler.submit(short.task)
    scheduler.submit(long.task)
    await Promise.all([short.ended, long.ended])
    for (const batch of batches) {
      const size = batch.reduce((sum, part) => sum + part.tokens.length, 0)
      assert.ok(size <= 256)
      if (batch.some(part => part.sequence === 0 && part.tokens.length === 1)) assert.ok(size <= 129)
    }
    const decoded = batches.flatMap(batch => batch.filter(part => part.sequence === 1).flatMap(part => part.tokens))
    assert.deepEqual(decoded, tokens(600, 1000))
  })

  it('lets a request of many choices not shut out others', async () => {
    const { context } = fakeContext()
    const scheduler = new Scheduler(context, { slots: 2, batch: 512, cycled: () => {} })
    const order: number[] = []
    const jobs = [1, 1, 1, 1, 1, 2].map(request =>
      makeTask(request, tokens(3, request), 2, { begun: () => void order.push(request) }),
    )
    for (const { task } of jobs) scheduler.submit(task)
    await Promise.all(jobs.map(({ ended }) => ended))
    assert.ok(order.indexOf(2) <= 2, `request 2 came as number ${order.indexOf(2)}`)
  })

  it('says nothing more to a cancelled task, and gives its slot to the next', async () => {
    const { context } = fakeContext()
    const scheduler = new Scheduler(context, { slots: 1, batch: 512, cycled: () => {} })
    const endless = makeTask(1, tokens(3), Number.POSITIVE_INFINITY, {
      token: () => {
        scheduler.cancel(1)
        return true
      },
    })
    const waiting = makeTask(1, tokens(3), 1)
    const next = makeTask(2, tokens(3), 2)
    for (const { task } of [endless, waiting, next]) scheduler.submit(task)
    await next.ended
    assert.equal(waiting.seen.cached, -1)
    assert.equal(next.seen.tokens, 2)
  })

  it('leaves a paused request out of the batches until it is resumed', async () => {
    const { context, batches } = fakeContext()
    const scheduler = new Scheduler(context, { slots: 2, batch: 512, cycled: () => {} })
    const slow = makeTask(1, tokens(3), 5)
    const fast = makeTask(2, tokens(3), 10)
    scheduler.submit(slow.task)
    scheduler.submit(fast.task)
    scheduler.pause(1)
    await fast.ended
    assert.ok(slow.seen.tokens <= 1)
    const before = batches.length
    scheduler.resume(1)
    await slow.ended
    assert.equal(slow.seen.tokens, 5)
    assert.ok(batches.slice(before).every(batch => batch.length === 1))
  })

  it('fails the tasks of a batch that failed, forgets what their slots hold, and goes on', async () => {
    const { context, edits } = fakeContext({ failOn: batch => batch.some(part => part.tokens.includes(666)) })
    const scheduler = new Scheduler(context, { slots: 1, batch: 512, cycled: () => {} })
    const bad = makeTask(1, [1, 2, 666], 1)
    const good = makeTask(2, [1, 2, 3], 1)
    scheduler.submit(bad.task)
    scheduler.submit(good.task)
    await Promise.all([bad.ended, good.ended])
    assert.match(String(bad.seen.failure), /decode failed/)
    assert.deepEqual(edits, ['clear 0'])
    assert.equal(good.seen.tokens, 1)
  })

  it('fails only the task whose sampling fails', async () => {
    const { context } = fakeContext()
    const broken: NativeSampler = { ...sampler }
    const sampleToken: NativeContext['sampleToken'] = async (_, used) => {
      if (used === broken) throw new Error('no such token in the grammar')
      return 7
    }
    const scheduler = new Scheduler({ ...context, sampleToken }, { slots: 2, batch: 512, cycled: () => {} })
    const bad = makeTask(1, tokens(3), 5, { makeSampler: () => broken })
    const good = makeTask(2, tokens(3, 10), 5)
    scheduler.submit(bad.task)
    scheduler.submit(good.task)
    await Promise.all([bad.ended, good.ended])
    assert.match(String(bad.seen.failure), /grammar/)
    assert.equal(good.seen.tokens, 5)
  })

  it('decodes the whole of a prompt that is measured, in small pieces, and tells each of its tokens but the first', async () => {
    const { context, batches } = fakeContext()
    const seen: number[] = []
    const gauge = new Gauge({ sampleToken: async () => [1, [1, 1], 1] }, 0, () => sampler)
    const scheduler = new Scheduler(context, { slots: 1, batch: 512, cycled: () => {} })
    for (const request of [1, 2]) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const task = makeTask(request, tokens(100), 1, {
        makeGauge: () => gauge,
        prompted: (measures, complete) => {
          seen.push(measures.length)
          if (complete) resolve()
          return !complete
        },
      })
      scheduler.submit(task.task)
      await promise
      assert.equal(task.seen.cached, 0)
      assert.equal(task.seen.tokens, 0)
    }
    const once = [16, 16, 16, 16, 16, 16, 3]
    assert.deepEqual(seen, [...once, ...once])
    assert.deepEqual(
      batches.slice(0, 7).flatMap(([part]) => part?.tokens),
      tokens(100),
    )
  })
})
