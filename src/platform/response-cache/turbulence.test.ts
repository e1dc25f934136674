import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Sink } from '../../engines/engine.ts'
import { Fault, fault } from '../../lib/faults.ts'
import { seededRandom } from '../../lib/random.ts'
import type { Reply } from '../operation.ts'
import { cacheWorld, equal, eventsOf } from './cache.fixture.ts'

const events = eventsOf(400)
const whole = events.join('')

/** A stream that takes its time, listens to its signal, and now and then breaks. */
const unsteady = (below: (bound: number) => number, signal: AbortSignal): Reply => {
  const breaksAt = below(4) === 0 ? below(events.length) : Number.POSITIVE_INFINITY
  return {
    kind: 'relay',
    async pipe(sink) {
      for (const [at, event] of events.entries()) {
        if (signal.aborted) return undefined
        if (at === breaksAt) return fault.upstreamInterrupted('words')
        if (below(50) === 0) await turn()
        if (!sink.write(Buffer.from(event)) && !signal.aborted)
          await new Promise<void>(resolve => {
            signal.addEventListener('abort', () => resolve(), { once: true })
            sink.drained(resolve)
          })
      }
      return undefined
    },
  }
}

describe('readers of every speed who come and go', () => {
  for (const seed of [1, 2, 3, 4])
    test(`get all, or are told that they do not, and nothing stays behind (seed ${seed})`, async () => {
      const world = await cacheWorld({ maxBytes: 60_000, maxEntryBytes: seed % 2 === 0 ? 10_000 : 50_000 })
      const random = seededRandom(seed)
      const below = (bound: number) => random.uint32() % bound
      world.reply = async (_run, _body, { signal }) => {
        await turn()
        if (below(8) === 0)
          throw below(2) === 0 ? fault.invalidValue('seed', 'No.') : fault.upstreamFailed('words', null)
        return unsteady(below, signal)
      }
      const ended: Record<string, number> = {}
      const reader = async () => {
        for (let wait = below(30); wait > 0; wait--) await turn()
        const leaving = new AbortController()
        const leavesAfter = below(3) === 0 ? below(whole.length) : Number.POSITIVE_INFINITY
        if (below(10) === 0) void turn().then(() => leaving.abort())
        const slowness = below(4)
        let length = 0
        let text = ''
        let resume: (() => void) | undefined
        const sink: Sink = {
          write(bytes) {
            text += Buffer.from(bytes).toString()
            length += bytes.length
            if (length > leavesAfter) leaving.abort()
            return below(20) >= slowness
          },
          drained(again) {
            resume = again
            void (async () => {
              for (let wait = slowness * 10; wait > 0; wait--) await turn()
              resume?.()
            })()
          },
        }
        try {
          const body = { ...equal, stream: true, topic: below(4) }
          const reply = await world.ask(body, {
            signal: leaving.signal,
            ...(below(9) === 0 && { cacheControl: 'no-cache' }),
          })
          assert.ok(reply.kind === 'relay')
          const failed = await reply.pipe(sink)
          if (leaving.signal.aborted) return 'left'
          if (failed !== undefined) return failed.code ?? 'failed'
          assert.equal(text, whole)
          return 'whole'
        } catch (error) {
          if (leaving.signal.aborted) return 'left early'
          assert.ok(error instanceof Fault, String(error))
          return error.code ?? 'failed'
        }
      }
      for (const end of await Promise.all(Array.from({ length: 200 }, reader))) ended[end] = (ended[end] ?? 0) + 1
      assert.ok((ended.whole ?? 0) > 20 && (ended.left ?? 0) > 10, JSON.stringify(ended))
      assert.deepEqual(
        Object.keys(ended).filter(
          end =>
            !/^(?:whole|left|left early|invalid_value|upstream_(?:failed|interrupted)|stream_read_too_slowly)$/.test(
              end,
            ),
        ),
        [],
      )
      for (let wait = 0; wait < 100; wait++) await turn()
      assert.equal(world.cache.state.comingBytes, 0)
      assert.equal(await world.ledger.settled(0), 0)
      assert.ok(world.cache.state.bytes <= 60_000)
      await world.close()
    })
})
