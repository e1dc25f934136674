import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { bytesOf, stored, tinyModel } from '../../../test/models/make.ts'
import { seededRandom } from '../../lib/random.ts'
import { loadModel, type Model } from './model.ts'
import type { NativeContext } from './native.ts'
import { Scheduler, type Task } from './scheduler.ts'

const slots = 6
const context = 1024

/** What llama.cpp does is not ours to change: these tests tell when a new version breaks what the scheduler builds on. */
describe('scheduler on llama.cpp', () => {
  let model: Model
  let batches: number[][] = []
  let scheduler: Scheduler

  before(async () => {
    const file = await stored(bytesOf(tinyModel({ context })))
    model = await loadModel({
      type: 'load',
      file,
      context,
      slots,
      threads: 1,
      batch: 512,
      gpu: false,
      template: null,
      tokenBytesMax: 0,
      vocabularySize: 355,
    })
    scheduler = new Scheduler(watched(model.context), { slots, batch: 512, cycled: () => {} })
  })
  after(() => {
    batches = []
  })

  /** Notes which sequences each batch holds. */
  function watched(native: NativeContext): NativeContext {
    let batch: number[] = []
    return {
      init: () => native.init(),
      initBatch: size => {
        batch = []
        native.initBatch(size)
      },
      addToBatch: (sequence, position, tokens, logitsAt) => {
        batch.push(sequence)
        return native.addToBatch(sequence, position, tokens, logitsAt)
      },
      decodeBatch: () => {
        batches.push(batch)
        return native.decodeBatch()
      },
      sampleToken: (logits, sampler) => native.sampleToken(logits, sampler),
      disposeSequence: sequence => native.disposeSequence(sequence),
      removeTokenCellsFromSequence: (sequence, start, end) => native.removeTokenCellsFromSequence(sequence, start, end),
      getSequenceKvCacheMinPosition: sequence => native.getSequenceKvCacheMinPosition(sequence),
    }
  }

  let requests = 0
  function run(
    prompt: readonly number[],
    length: number,
    watch: { token?: (count: number, request: number) => void } = {},
  ) {
    const request = ++requests
    const tokens: number[] = []
    const began = performance.now()
    let firstAfterMs = 0
    let cached = 0
    const done = new Promise<void>((resolve, reject) => {
      const task: Task = {
        request,
        prompt,
        makeSampler: () => model.sampler({ temperature: 0, topP: 1, seed: 1, maxTokens: length }),
        begun: count => {
          cached = count
        },
        token: token => {
          firstAfterMs ||= performance.now() - began
          tokens.push(token)
          watch.token?.(tokens.length, request)
          if (tokens.length < length) return true
          resolve()
          return false
        },
        failed: reject,
      }
      scheduler.submit(task)
    })
    return { request, tokens, done, firstAfterMs: () => firstAfterMs, cached: () => cached }
  }

  it('decodes N steady replies in batches of exactly N, in ascending order', async () => {
    batches = []
    const jobs = Array.from({ length: slots }, (_, i) => run([40 + i, 50, 60], 100))
    await Promise.all(jobs.map(({ done }) => done))
    const whole = batches.filter(batch => batch.length === slots)
    assert.ok(whole.length >= 98, `${whole.length} of ${batches.length} batches held all`)
    for (const batch of batches)
      assert.deepEqual(
        batch,
        batch.toSorted((a, b) => a - b),
      )
  })

  it('uses a slot again within 100 ms while the others go on', async () => {
    const long = Array.from({ length: slots - 1 }, (_, i) => run([70 + i, 50, 60], 700))
    const prompts = Array.from({ length: 8 }, (_, i) => [100 + i, 51, 52, 53])
    const waits: number[] = []
    for (const prompt of prompts) {
      const job = run(prompt, 3)
      await job.done
      waits.push(job.firstAfterMs())
    }
    // The median: this machine may have others to serve.
    const median = waits.toSorted((a, b) => a - b)[waits.length / 2] ?? 0
    assert.ok(median < 100, `the first token came after ${median} ms`)
    assert.ok(
      long.every(({ tokens }) => tokens.length < 700),
      'the others had ended',
    )
    await Promise.all(long.map(({ done }) => done))
  })

  it('gives each of many random arrivals, some cancelled, what it gets alone, with shared beginnings from the cache', async () => {
    const random = seededRandom(11)
    const common = Array.from({ length: 64 }, () => 97 + (random.uint32() % 26))
    const prompts = Array.from({ length: 30 }, (_, i) => [
      ...common,
      ...Array.from({ length: 1 + (i % 40) }, () => 97 + (random.uint32() % 26)),
    ])
    const alone: number[][] = []
    for (const prompt of prompts) {
      const job = run(prompt, 24)
      await job.done
      alone.push(job.tokens)
    }
    const pauseSteps = () => new Promise(resolve => setTimeout(resolve, random.uint32() % 4))
    const jobs: ReturnType<typeof run>[] = []
    for (const [i, prompt] of prompts.entries()) {
      const cancelled = i % 7 === 3
      jobs.push(
        run(prompt, 24, cancelled ? { token: (count, request) => count === 5 && scheduler.cancel(request) } : {}),
      )
      await pauseSteps()
    }
    await Promise.all(jobs.filter((_, i) => i % 7 !== 3).map(({ done }) => done))
    for (const [i, job] of jobs.entries())
      assert.deepEqual(job.tokens, alone[i]?.slice(0, job.tokens.length), `request ${i}`)
    assert.ok(jobs.reduce((sum, job) => sum + job.cached(), 0) > 30 * 32)
  })
})
