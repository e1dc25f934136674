import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'
import { fault } from '../../lib/faults.ts'
import { testCaller } from '../caller.fixture.ts'
import type { Reply } from '../operation.ts'
import { type Asked, type Body, cacheWorld, equal, eventsOf, relayOf } from './cache.fixture.ts'

const world = await cacheWorld()
describe('replies that are kept', () => {
  after(() => world.close())

  /** Each test asks for something else, so that none sees what another one has left. */
  let topic = 0
  const about = (more: object = {}): Body => ({ ...equal, topic, ...more })

  beforeEach(() => {
    topic++
    world.runs.length = 0
    world.reply = run => ({ kind: 'bytes', bytes: Buffer.from(`{"run":${run}}`) })
  })

  const caches = async (...asked: [Body, Asked?][]) => {
    const seen = []
    for (const [body, how] of asked) seen.push((await world.read(body, how)).cache)
    return seen
  }

  test('an equal request gets the same bytes without a run, until its time is over', async () => {
    const first = await world.read(about())
    assert.deepEqual([first.cache, first.headers.age, first.text], ['miss', undefined, '{"run":1}'])
    world.clock.advance(59_900)
    const second = await world.read(about())
    assert.deepEqual([second.cache, second.headers.age, second.text], ['hit', '59', '{"run":1}'])
    world.clock.advance(100)
    const third = await world.read(about())
    assert.deepEqual([third.cache, third.text], ['miss', '{"run":2}'])
  })

  test('requests that differ in what shapes the reply run, others do not', async () => {
    assert.deepEqual(
      await caches(
        [about()],
        [about({ user: 'somebody' })],
        [about({ model: 'alias' })],
        [about({ stream: false })],
        [about({ temperature: 0.5 })],
        [about({ temperature: 0.5 })],
        [about({ model: 'other' })],
      ),
      ['miss', 'hit', 'hit', 'hit', 'miss', 'hit', 'miss'],
    )
  })

  test('projects and organisations never see one another’s replies, and keys of one project do', async () => {
    const callers = [
      testCaller(),
      testCaller({ projectId: 'proj_2' }),
      testCaller({ organizationId: 'org-2' }),
      testCaller({ keyId: 'key_2', userId: 'user-2' }),
    ]
    const seen = []
    for (const caller of callers) {
      const { cache, text } = await world.read(about(), { caller })
      seen.push(`${cache} ${text}`)
    }
    assert.deepEqual(seen, ['miss {"run":1}', 'miss {"run":2}', 'miss {"run":3}', 'hit {"run":1}'])
  })

  test('what a key may not do it may not do with a reply that is kept either', async () => {
    await world.read(about())
    const refused: [number, Asked][] = [
      [404, { caller: testCaller({ models: new Set(['other']) }) }],
      [403, { caller: testCaller({ allowed: new Set() }) }],
    ]
    for (const [status, asked] of refused) assert.equal(await world.statusOf(about(), asked), status)
    assert.equal(await world.statusOf(about(), { caller: testCaller({ models: new Set(['words']) }) }), 200)
    assert.equal(world.runs.length, 1)
  })

  test('the cache-control of a request is respected', async () => {
    const rows: [header: string, whenEmpty: string | number, then: string | number, next: string][] = [
      ['no-cache', 'bypass', 'bypass', 'hit'],
      ['no-store', 'bypass', 'bypass', 'miss'],
      ['only-if-cached', 504, 504, 'miss'],
      ['no-cache, only-if-cached', 504, 504, 'miss'],
      ['no-store, only-if-cached', 504, 504, 'miss'],
      ['max-age=10', 'miss', 'hit', 'hit'],
      ['max-age=4', 'miss', 'miss', 'hit'],
      ['min-fresh=55', 'miss', 'hit', 'hit'],
      ['min-fresh=56', 'miss', 'miss', 'hit'],
      ['max-stale', 'miss', 'hit', 'hit'],
    ]
    for (const [cacheControl, ...expected] of rows) {
      topic++
      const once = (asked: Asked) =>
        world.read(about(), asked).then(
          ({ cache }) => cache,
          (error: { status: number }) => error.status,
        )
      const seen = [await once({ cacheControl })]
      world.clock.advance(5000)
      seen.push(await once({ cacheControl }), await once({}))
      assert.deepEqual(seen, expected, cacheControl)
    }
  })

  test('`only-if-cached` gives what is there, and runs nothing', async () => {
    await world.read(about())
    const { cache } = await world.read(about(), { cacheControl: 'only-if-cached' })
    assert.deepEqual([cache, world.runs.length], ['hit', 1])
  })

  test('a reply that `no-cache` has asked for takes the place of the older one', async () => {
    await world.read(about())
    await world.read(about(), { cacheControl: 'no-cache' })
    assert.equal((await world.read(about())).text, '{"run":2}')
  })

  test('completions that are to be stored always run', async () => {
    assert.deepEqual(await caches([about({ store: true })], [about({ store: true })]), ['bypass', 'bypass'])
    assert.equal((await world.read(about())).cache, 'miss')
    assert.equal((await world.read(about({ store: true }))).cache, 'bypass')
  })

  test('a stream is kept and given again byte for byte, and is no reply to who wants it in one piece', async () => {
    world.reply = (_, body) => (body.stream === true ? relayOf(eventsOf(50)) : { kind: 'json', value: { a: 1 } })
    const streamed = about({ stream: true })
    const [first, second] = [await world.read(streamed), await world.read(streamed)]
    assert.deepEqual([first.cache, second.cache], ['miss', 'hit'])
    assert.equal(first.text, eventsOf(50).join(''))
    assert.equal(second.text, first.text)
    const [third, fourth] = [await world.read(about()), await world.read(about())]
    assert.deepEqual([third.cache, fourth.cache, fourth.text], ['miss', 'hit', '{"a":1}'])
  })

  test('a stream of values becomes the same bytes, and comes as values to who wants them', async () => {
    const values = [{ choices: [{ n: 1 }] }, { choices: [{ n: 2 }] }]
    world.reply = (): Reply => ({
      kind: 'events',
      events: (async function* () {
        yield* values
      })(),
    })
    const texts = values.map(value => JSON.stringify(value))
    const bytes = texts.map(text => `data: ${text}\n\n`).join('') + eventsOf(0)[0]
    for (const wants of ['values', 'bytes', 'values'] as const) {
      const { text } = await world.read(about({ stream: true }), { wants })
      assert.equal(text, wants === 'bytes' ? bytes : texts.join('\n'))
    }
    assert.equal(world.runs.length, 1)
    world.reply = () => ({ kind: 'json', value: { a: 1 } })
    for (const wants of ['values', 'bytes'] as const)
      assert.equal((await world.read(about(), { wants })).text, '{"a":1}')
  })

  test('what failed, broke, was cut or left is never kept', async () => {
    const broken = eventsOf(3).slice(0, 2)
    const errorEvent = 'data: {"error":{"message":"m","type":"t","param":null,"code":"c"}}\n\n'
    const replies: [string, () => Reply | Promise<Reply>][] = [
      ['refused', () => Promise.reject(fault.invalidValue('seed', 'No.'))],
      ['failed', () => Promise.reject(fault.upstreamFailed('words', undefined))],
      ['threw', () => Promise.reject(new Error('ours'))],
      [
        'broke with a fault',
        () => {
          const { pipe } = relayOf([...broken, errorEvent]) as Extract<Reply, { kind: 'relay' }>
          return { kind: 'relay', pipe: sink => pipe(sink).then(() => fault.upstreamInterrupted('words')) }
        },
      ],
      [
        'broke with an exception',
        () => ({
          kind: 'relay',
          pipe: sink => Promise.reject(sink.write(Buffer.from(broken[0]!)) && new Error('ours')),
        }),
      ],
      ['ended without its end', () => relayOf(broken)],
      [
        'broke after its end',
        () => {
          const { pipe } = relayOf(eventsOf(2)) as Extract<Reply, { kind: 'relay' }>
          return { kind: 'relay', pipe: sink => pipe(sink).then(() => fault.upstreamInterrupted('words')) }
        },
      ],
      [
        'events that broke',
        () => ({
          kind: 'events',
          events: (async function* () {
            yield { choices: [] }
            throw fault.engineCrashed('words')
          })(),
        }),
      ],
    ]
    for (const [name, reply] of replies) {
      topic++
      world.reply = reply
      const body = about({ stream: true })
      const seen = await world.read(body).catch(() => undefined)
      if (seen !== undefined) assert.equal(seen.text.includes('[DONE]'), name === 'broke after its end', name)
      if (seen?.failed !== undefined && name !== 'broke after its end')
        assert.match(seen.text, /\{"error":\{[^\n]*\}\n\n$/, name)
      world.reply = () => relayOf(eventsOf(1))
      const next = await world.read(body)
      assert.deepEqual([next.cache, next.text], ['miss', eventsOf(1).join('')], name)
    }
  })

  test('a reply that is larger than an entry may be is passed on whole, and not kept', async () => {
    const large = eventsOf(2500)
    assert.ok(large.join('').length > 100_000)
    world.reply = (_, body) =>
      body.stream === true ? relayOf(large) : { kind: 'bytes', bytes: Buffer.alloc(100_001, 'x') }
    for (const stream of [true, false])
      for (let time = 0; time < 2; time++) {
        const { cache, text } = await world.read(about({ stream }))
        assert.deepEqual([cache, text.length], ['miss', stream ? large.join('').length : 100_001])
      }
  })

  test('what is kept stays within its bound, however much is asked', async () => {
    world.reply = () => ({ kind: 'bytes', bytes: Buffer.alloc(50_000, 'x') })
    for (let count = 0; count < 200; count++) {
      await world.read(about({ count }))
      assert.ok(world.cache.state.bytes <= 1_000_000)
    }
    assert.equal(world.cache.state.entries, 19)
    assert.equal((await world.read(about({ count: 199 }))).cache, 'hit')
    assert.equal((await world.read(about({ count: 100 }))).cache, 'miss')
  })

  test('a model that has become another one does not answer with what the older one said', async () => {
    const own = await cacheWorld()
    const { models } = own
    let target = { ...models.resolve('words') }
    models.resolve = () => target
    assert.deepEqual([(await own.read()).cache, (await own.read()).cache], ['miss', 'hit'])
    target = { ...target }
    assert.equal((await own.read()).cache, 'miss')
    await own.close()
  })

  test('where nothing is kept, requests go as if there were no cache', async () => {
    const own = await cacheWorld({ ttlMsOf: model => (model === 'other' ? 60_000 : undefined) })
    for (let time = 0; time < 2; time++) {
      const { cache } = await own.read(equal, { cacheControl: 'only-if-cached' })
      assert.equal(cache, undefined)
    }
    assert.equal(own.runs.length, 2)
    assert.deepEqual([(await own.read({ model: 'other' })).cache, own.cache.state.entries], ['miss', 1])
    await own.close()
  })
})
