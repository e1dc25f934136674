import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { bytesOf, stored, tinyModel } from '../../../test/models/make.ts'
import type { Call, Engine } from '../../engines/engine.ts'
import { type LlamaEngine, llamaEngine } from '../../engines/llama/index.ts'
import { systemClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import { systemTimers } from '../../lib/timers.ts'
import { makeResidency } from './index.ts'

const files = { one: await stored(bytesOf(tinyModel())), two: await stored(bytesOf(tinyModel({ seed: 8 }))) }
const tokens = 24

const call = (signal = new AbortController().signal): Call => ({
  id: 'cmpl-1',
  created: 1,
  signal,
  log: silentLog,
  seed: 1,
  meter: { input() {}, output() {} },
})

/** @returns the number of tokens */
async function complete(engine: Engine, signal?: AbortSignal): Promise<number> {
  let usage = 0
  const request = { model: 'm', prompt: 'Shall I', max_tokens: tokens, temperature: 0 }
  for await (const chunk of engine.complete!(request, call(signal))) usage = chunk.usage?.completion_tokens ?? usage
  return usage
}

const makeEngine = (name: keyof typeof files): LlamaEngine =>
  llamaEngine({ name, file: files[name], threads: 1, context: 512, clock: systemClock, log: silentLog })

/** What one of the models takes, as it is estimated. */
const probe = makeEngine('one')
const oneBytes = (await probe.resident.estimateBytes()) ?? 0
await probe.close()

/** Two models under a budget for so many of them. */
async function underBudget(
  forModels: number,
  check: (models: {
    engines: Record<keyof typeof files, LlamaEngine>
    held: Record<keyof typeof files, Engine>
    used(): number
    alive(): string[]
    budgetBytes: number
  }) => Promise<void>,
): Promise<void> {
  const budgetBytes = Math.round(oneBytes * forModels)
  const residency = makeResidency({
    ...{ budgetBytes, idleMs: 0, patienceMs: 50 },
    ...{ clock: systemClock, timers: systemTimers, log: silentLog },
  })
  const engines = { one: makeEngine('one'), two: makeEngine('two') }
  const held = { one: residency.hold(engines.one), two: residency.hold(engines.two) }
  const alive = () => Object.values(engines).flatMap(engine => (engine.pid === undefined ? [] : [engine.name]))
  try {
    await check({ engines, held, alive, used: () => residency.memory().usedBytes, budgetBytes })
  } finally {
    await Promise.all([held.one.close(), held.two.close()])
  }
}

describe('two real models', () => {
  it('take turns where only one fits, and the memory of the other is free before the next is loaded', async () => {
    assert.ok(oneBytes > 0)
    await underBudget(1.5, async ({ engines, held, alive, used, budgetBytes }) => {
      let before: number | undefined
      for (const name of ['one', 'two', 'one'] as const) {
        assert.ok((await complete(held[name])) > 0)
        assert.deepEqual(alive(), [name])
        if (before !== undefined) assert.throws(() => process.kill(before ?? 0, 0), { code: 'ESRCH' })
        before = engines[name].pid
        assert.ok(used() > 0 && used() <= budgetBytes, `${used()} of ${budgetBytes}`)
      }
    })
  })

  it('stay side by side where both fit', async () => {
    await underBudget(3, async ({ held, alive }) => {
      await Promise.all([complete(held.one), complete(held.two)])
      assert.deepEqual(alive(), ['one', 'two'])
    })
  })

  it('answer everybody while both are asked all the time, and are never in memory together', async () => {
    await underBudget(1.5, async ({ held, alive }) => {
      const seen = new Set<number>()
      const names = ['one', 'two', 'one', 'two', 'one', 'two', 'one', 'two'] as const
      const replies = names.map(async name => {
        const counts: number[] = []
        for (let i = 0; i < 3; i++) {
          counts.push(await complete(held[name]))
          seen.add(alive().length)
        }
        return counts
      })
      const counts = (await Promise.all(replies)).flat()
      assert.equal(counts.length, 24)
      assert.ok(counts.every(count => count > 0))
      assert.ok(!seen.has(2), `${[...seen]}`)
    })
  })

  it('come back when their process was killed, and count once', async () => {
    await underBudget(1.5, async ({ engines, held, alive, used, budgetBytes }) => {
      await complete(held.one)
      process.kill(engines.one.pid ?? 0, 'SIGKILL')
      while (engines.one.status().state === 'ready') await turn()
      assert.equal(used(), 0)
      assert.ok((await complete(held.two)) > 0)
      assert.ok((await complete(held.one)) > 0)
      assert.deepEqual(alive(), ['one'])
      assert.ok(used() <= budgetBytes)
    })
  })

  it('are refused where not even one fits, before a process is started', async () => {
    await underBudget(0.9, async ({ held, alive }) => {
      await assert.rejects(complete(held.one), (error: unknown) => {
        assert.ok(error instanceof Fault)
        assert.deepEqual([error.status, error.code], [500, 'model_too_large'])
        return true
      })
      assert.deepEqual(alive(), [])
    })
  })

  it('leave the memory free when a request is aborted while it waits', async () => {
    await underBudget(1.5, async ({ held, alive }) => {
      const reading = held.one.complete!({ model: 'm', prompt: 'Shall', max_tokens: 400, temperature: 0 }, call())
      const running = reading[Symbol.asyncIterator]()
      await running.next()
      const abort = new AbortController()
      const waiting = complete(held.two, abort.signal)
      await turn()
      abort.abort()
      assert.equal(await waiting, 0)
      await running.return?.()
      assert.deepEqual(alive(), ['one'])
    })
  })
})
