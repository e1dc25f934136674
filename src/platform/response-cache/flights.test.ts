import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'
import type { Sink } from '../../engines/engine.ts'
import { type Fault, fault } from '../../lib/faults.ts'
import { testCaller } from '../caller.fixture.ts'
import { type Body, cacheWorld, equal, eventsOf, relayOf, settled } from './cache.fixture.ts'

const world = await cacheWorld()
describe('equal requests at once', () => {
  after(() => world.close())

  let topic = 0
  const about = (more: object = {}): Body => ({ ...equal, topic, ...more })

  /** Opened when the engine may answer. */
  let gate = Promise.withResolvers<void>()

  beforeEach(() => {
    topic++
    world.runs.length = 0
    gate = Promise.withResolvers<void>()
    world.reply = run => gate.promise.then(() => ({ kind: 'bytes', bytes: Buffer.from(`{"run":${run}}`) }))
  })

  /** Opens the gate when all are waiting. */
  async function together<Result>(asking: Promise<Result>[]): Promise<PromiseSettledResult<Result>[]> {
    const ended = Promise.allSettled(asking)
    await settled()
    gate.resolve()
    return ended
  }

  const many = (count: number, body: Body) => Array.from({ length: count }, () => world.read(body))
  const count = <Value>(values: Value[], wanted: Value) => values.filter(value => value === wanted).length

  test('a thousand equal requests at once are one run, and all get its reply', async () => {
    const replies = await together(many(1000, about()))
    const caches = replies.map(reply => (reply.status === 'fulfilled' ? reply.value.cache : reply.reason))
    assert.deepEqual([count(caches, 'miss'), count(caches, 'hit'), world.runs.length], [1, 999, 1])
    assert.ok(replies.every(reply => reply.status === 'fulfilled' && reply.value.text === '{"run":1}'))
  })

  test('a thousand equal streams at once are one run, and all get every event', async () => {
    world.reply = () => gate.promise.then(() => relayOf(eventsOf(20)))
    const replies = await together(many(1000, about({ stream: true })))
    const text = eventsOf(20).join('')
    assert.ok(replies.every(reply => reply.status === 'fulfilled' && reply.value.text === text))
    assert.equal(world.runs.length, 1)
  })

  test('requests with chance in them, of other projects, or that want a new reply have runs of their own', async () => {
    const rows: [string, () => Promise<unknown>[]][] = [
      ['chance', () => many(3, about({ temperature: 1 }))],
      ['projects', () => [1, 2, 3].map(n => world.read(about(), { caller: testCaller({ projectId: `p${n}` }) }))],
      ['new', () => [1, 2, 3].map(() => world.read(about(), { cacheControl: 'no-cache' }))],
      ['nothing kept', () => [1, 2, 3].map(() => world.read(about(), { cacheControl: 'no-store' }))],
      ['stored', () => many(3, about({ store: true }))],
    ]
    for (const [name, ask] of rows) {
      topic++
      world.runs.length = 0
      await together(ask())
      assert.equal(world.runs.length, 3, name)
    }
  })

  test('a run goes on when its leader leaves, and ends when the last follower has left', async () => {
    const leaving = Array.from({ length: 3 }, () => new AbortController())
    const [leader, first, second] = leaving.map(({ signal }) => world.read(about(), { signal }))
    await settled()
    const { signal } = world.runs[0]!.context
    leaving[0]!.abort(fault.draining())
    await assert.rejects(leader!, ({ code }: Fault) => code === 'shutting_down')
    assert.equal(signal.aborted, false)
    leaving[1]!.abort()
    await assert.rejects(first!, { name: 'AbortError' })
    assert.equal(signal.aborted, false)
    gate.resolve()
    assert.equal((await second!).text, '{"run":1}')
    assert.equal((await world.read(about())).cache, 'hit')
  })

  test('when all have left, the run is aborted, nothing is kept, and the next one runs anew', async () => {
    const leaving = new AbortController()
    world.reply = (_, __, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const asking = Array.from({ length: 3 }, () => world.read(about(), { signal: leaving.signal }))
    await settled()
    leaving.abort()
    const replies = await Promise.allSettled(asking)
    assert.ok(replies.every(({ status }) => status === 'rejected'))
    assert.equal(world.runs[0]?.context.signal.aborted, true)
    world.reply = () => relayOf(eventsOf(1))
    assert.equal((await world.read(about())).cache, 'miss')
  })

  test('a leader who leaves in the middle of a stream takes nothing from the others', async () => {
    const events = eventsOf(10)
    world.reply = () => ({
      kind: 'relay',
      async pipe(sink) {
        for (const [at, event] of events.entries()) {
          if (at === 5) await gate.promise
          sink.write(Buffer.from(event))
        }
        return undefined
      },
    })
    const leaving = new AbortController()
    const body = about({ stream: true })
    const leader = world.read(body, { signal: leaving.signal })
    const follower = world.read(body)
    await settled()
    leaving.abort()
    assert.equal((await leader).text, events.slice(0, 5).join(''))
    const late = world.read(body)
    await settled()
    gate.resolve()
    assert.deepEqual([(await follower).text, (await late).text], [events.join(''), events.join('')])
    assert.equal(world.runs.length, 1)
  })

  test('a follower who reads nothing holds up nobody, and is told in the end', async () => {
    const large = eventsOf(2500)
    world.reply = () => gate.promise.then(() => relayOf(large))
    const body = about({ stream: true })
    const [leader, follower] = [world.read(body), world.ask(body)]
    await settled()
    gate.resolve()
    const reply = await follower
    assert.ok(reply.kind === 'relay')
    assert.equal((await leader).text.length, large.join('').length)
    const written: string[] = []
    const sink: Sink = { write: bytes => written.push(Buffer.from(bytes).toString()) > 0, drained: resume => resume() }
    assert.equal((await reply.pipe(sink))?.code, 'stream_read_too_slowly')
    assert.match(written.join(''), /^data: \{"error":[^\n]*\n\n$/)
  })

  test('the mistake of a request is the answer for all who made it', async () => {
    world.reply = () => gate.promise.then(() => Promise.reject(fault.invalidValue('seed', 'No.')))
    const replies = await together(many(100, about()))
    assert.ok(replies.every(reply => reply.status === 'rejected' && reply.reason.status === 400))
    assert.equal(world.runs.length, 1)
  })

  test('when the upstream fails, those who followed try once more together, and a thousand do not fall upon it', async () => {
    world.reply = run =>
      run === 1
        ? gate.promise.then(() => Promise.reject(fault.upstreamFailed('words', undefined)))
        : { kind: 'bytes', bytes: Buffer.from(`{"run":${run}}`) }
    const replies = await together(many(1000, about()))
    const states = replies.map(({ status }) => status)
    assert.deepEqual([count(states, 'rejected'), count(states, 'fulfilled'), world.runs.length], [1, 999, 2])
    topic++
    world.runs.length = 0
    world.reply = () => Promise.reject(fault.upstreamFailed('words', undefined))
    const refused = await together(many(1000, about()))
    assert.ok(refused.every(reply => reply.status === 'rejected' && reply.reason.code === 'upstream_failed'))
    assert.equal(world.runs.length, 2)
  })
})
