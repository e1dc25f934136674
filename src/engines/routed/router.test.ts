import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCall } from '../../../test/hostile/sinks.ts'
import { Fault, fault } from '../../lib/faults.ts'
import type { Sink, Tried } from '../engine.ts'
import { inARowMax, openMs, window } from './circuit.ts'
import { passing, settled, testRoute, testTarget } from './routed.fixture.ts'

const down = fault.upstreamUnreachable('m', new Error('refused'))
const said = (status: number, code: string | null = null, headers: Record<string, string> = {}) =>
  fault.upstreamError(status, { message: 'No.', code }, headers)
const tooLong = said(400, 'context_length_exceeded')

const refusedWith = (status: number, code: string | null) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.code], [status, code])
  return true
}

for (const fails of [
  down,
  fault.upstreamTimeout('m'),
  said(408),
  said(429),
  said(502),
  fault.upstreamFailed('m', down),
])
  test(`the next target answers after ${fails.status} ${fails.code}, and only its tokens are billed`, async () => {
    const [east, west] = [testTarget('east'), testTarget('west')]
    const { ask } = testRoute([east, west])
    east.answers = [
      async call => {
        call.meter.output(1000)
        throw fails
      },
    ]
    const call = testCall()
    assert.equal(await ask({ a: 1 }, call), 'west')
    assert.deepEqual(call.spent, { input: 5, cached: 1, output: 7 })
    assert.deepEqual([east.asked.length, west.asked.length], [1, 1])
    assert.deepEqual(west.asked[0]?.request, { a: 1 })
  })

for (const refused of [
  said(400, 'invalid_value'),
  said(404, 'model_not_found'),
  said(422),
  fault.upstreamRefusedKey('m', down),
])
  test(`nobody else is asked after ${refused.status} ${refused.code}, and nothing is billed`, async () => {
    const [east, west] = [testTarget('east'), testTarget('west')]
    east.answers = [refused]
    const call = testCall()
    await assert.rejects(testRoute([east, west]).ask({}, call), refusedWith(refused.status, refused.code))
    assert.equal(west.asked.length, 0)
    assert.deepEqual(call.spent, {})
  })

test('a request that is too long goes to targets that take more, and to no others', async () => {
  const targets = [
    testTarget('small', { contextTokens: 8000 }),
    testTarget('same', { contextTokens: 8000 }),
    testTarget('unknown'),
    testTarget('large', { contextTokens: 32_000 }),
    testTarget('larger', { contextTokens: 128_000 }),
  ]
  const [small, same, unknown, large, larger] = targets
  small!.answers = large!.answers = [tooLong]
  const { ask } = testRoute(targets)
  assert.equal(await ask(), 'larger')
  larger!.answers = [tooLong]
  await assert.rejects(ask(), refusedWith(400, 'context_length_exceeded'))
  assert.deepEqual(
    targets.map(({ asked }) => asked.length),
    [2, 0, 0, 2, 2],
  )
  assert.ok(same && unknown)
})

test('one whose context nobody knows gives way to those that say theirs', async () => {
  const [east, west] = [testTarget('east'), testTarget('west', { contextTokens: 9 })]
  east.answers = [tooLong]
  assert.equal(await testRoute([east, west]).ask(), 'west')
})

test('when all have failed they are asked again, after a pause', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  east.answers = [down, 'ok']
  west.answers = [down]
  const { ask, time } = testRoute([east, west])
  const asking = ask()
  await settled()
  assert.deepEqual([east.asked.length, west.asked.length, time.pending()], [1, 1, 1])
  time.advance(124)
  await settled()
  assert.equal(east.asked.length, 1)
  time.advance(126)
  assert.equal(await asking, 'east')
})

test('the last fault is the answer when two more rounds have failed as well', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  east.answers = [down]
  west.answers = [said(502, 'last')]
  const { ask, time } = testRoute([east, west])
  await assert.rejects(passing(time, ask()), refusedWith(502, 'last'))
  assert.deepEqual([east.asked.length, west.asked.length], [3, 3])
})

test('the pause is as long as the upstream says, and a long one is left to the client', async () => {
  const east = testTarget('east')
  const { ask, time } = testRoute([east])
  east.answers = [said(429, null, { 'retry-after': '3' }), 'ok']
  const asking = ask()
  await settled()
  time.advance(2999)
  await settled()
  assert.equal(east.asked.length, 1)
  time.advance(1)
  assert.equal(await asking, 'east')
  east.answers = [said(429, 'slow', { 'retry-after': '6' }), 'ok']
  await assert.rejects(ask(), (error: unknown) => {
    assert.ok(error instanceof Fault)
    assert.deepEqual([error.code, error.headers], ['slow', { 'retry-after': '6' }])
    return true
  })
})

test('retries stop where the budget ends, whatever fails', async () => {
  const east = testTarget('east')
  east.answers = [fault.overloaded('m', 0)] // says nothing of the target, so that no circuit opens
  const { ask, time } = testRoute([east])
  const asking = Array.from({ length: 60 }, () => ask().catch(() => 'failed'))
  await passing(time, Promise.all(asking))
  assert.equal(east.asked.length, 60 + 10 + 6)
})

test('no attempt begins after the deadline', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  const { ask, time } = testRoute([east, west], { deadlineMs: 1000 })
  east.answers = [
    async () => {
      time.advance(1000)
      throw fault.upstreamTimeout('m')
    },
  ]
  await assert.rejects(ask(), refusedWith(504, 'upstream_timeout'))
  assert.equal(west.asked.length, 0)
})

test('nobody is asked for a caller who has left: not next, and not after the pause', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  const { ask, time } = testRoute([east, west])
  const gone = testCall()
  east.answers = [
    async () => {
      gone.abort()
      throw down
    },
  ]
  await assert.rejects(ask({}, gone), down)
  assert.equal(west.asked.length, 0)
  assert.deepEqual(gone.spent, { input: 5, cached: 1 }, 'what was read was read for them')

  east.answers = west.answers = [down]
  const waiting = testCall()
  const asking = ask({}, waiting)
  await settled()
  assert.equal(time.pending(), 1)
  waiting.abort()
  await assert.rejects(asking, { name: 'AbortError' })
  assert.deepEqual([west.asked.length, time.pending()], [1, 0])
  await assert.rejects(ask({}, waiting), { name: 'AbortError' })
  assert.equal(west.asked.length, 1)
})

test('a target that fails again and again is left alone, then tried by one request, and back when that is answered', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  const { ask, engine, time } = testRoute([east, west])
  east.answers = [down]
  for (let request = 0; request < inARowMax + 5; request++) assert.equal(await ask(), 'west')
  assert.equal(east.asked.length, inARowMax)
  assert.deepEqual(engine.status(), { state: 'ready', detail: 'left alone because of failures: east/m' })
  time.advance(openMs.first)
  const trial = Promise.withResolvers<never>()
  east.answers = [() => trial.promise]
  const trying = ask()
  assert.equal(await ask(), 'west', 'one request tries, others do not wait for it')
  trial.reject(down)
  assert.equal(await trying, 'west')
  time.advance(openMs.first)
  assert.equal(await ask(), 'west', 'twice as long')
  east.answers = ['ok']
  time.advance(openMs.first)
  assert.equal(await ask(), 'east')
  assert.deepEqual(engine.status(), { state: 'ready' })
})

test('while all are left alone, requests get a 503 that says for how long', async () => {
  const east = testTarget('east')
  east.answers = [said(502)]
  const { ask, engine, time } = testRoute([east])
  for (let request = 0; request < inARowMax; request++)
    await passing(
      time,
      ask().catch(() => ''),
    )
  time.advance(openMs.first * 2)
  await passing(
    time,
    ask().catch(() => ''),
  ) // the trial fails: twice as long
  assert.equal(engine.status().state, 'failed')
  const { length } = east.asked
  await assert.rejects(ask(), (error: unknown) => {
    assert.ok(refusedWith(503, 'upstream_unavailable')(error))
    assert.match((error as Fault).headers['retry-after'] ?? '', /^(?:[6-9]|\d\d)$/)
    return true
  })
  assert.equal(east.asked.length, length)
})

test('a 429 with a time leaves its target alone for that time only', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  const { ask, time } = testRoute([east, west])
  east.answers = [said(429, null, { 'retry-after': '2' }), 'ok']
  assert.equal(await ask(), 'west')
  time.advance(1999)
  assert.equal(await ask(), 'west')
  time.advance(1)
  assert.equal(await ask(), 'east')
})

test('a target is asked within its limits, others beyond; when none is left there is a 429 that says when', async () => {
  const east = testTarget('east', { limits: { requestsPerMinute: 2 } })
  const west = testTarget('west', { limits: { tokensPerMinute: 13 } })
  const { ask, time } = testRoute([east, west])
  const answers = []
  for (let request = 0; request < 4; request++) answers.push(await ask())
  assert.deepEqual(answers, ['east', 'east', 'west', 'west'], 'the second one at west ran over')
  time.advance(1000)
  await assert.rejects(ask(), (error: unknown) => {
    assert.ok(refusedWith(429, 'rate_limit_exceeded')(error))
    assert.equal((error as Fault).headers['retry-after'], '59')
    return true
  })
  time.advance(59_000)
  assert.equal(await ask(), 'east')
})

test('no more requests run at once than a target may have, until one ends', async () => {
  const [east, west] = [testTarget('east', { limits: { concurrent: 1 } }), testTarget('west')]
  const { ask } = testRoute([east, west])
  const end = Promise.withResolvers<undefined>()
  const pipe = (sink: Sink) => {
    sink.write(Buffer.from('east'))
    return end.promise
  }
  east.answers = [async () => ({ kind: 'stream', pipe }), 'ok']
  const streaming = ask()
  await settled()
  assert.equal(await ask(), 'west')
  end.resolve(undefined)
  assert.equal(await streaming, 'east')
  assert.equal(await ask(), 'east')
})

test('a target whose replies break off is left alone in the end, although each of them began', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  const { ask } = testRoute([east, west])
  east.answers = [async () => ({ kind: 'stream', pipe: async () => fault.upstreamInterrupted('m') })]
  for (let request = 0; request < window.askedMin; request++) await ask()
  assert.equal(await ask(), 'west')
  assert.ok(east.asked.length <= window.askedMin / 2 + 1, String(east.asked.length))
})

test('a place is free again when the caller leaves before the stream was read', async () => {
  const east = testTarget('east', { limits: { concurrent: 1 } })
  const { engine, ask } = testRoute([east])
  east.answers = [async () => ({ kind: 'stream', pipe: async () => undefined }), 'ok']
  const call = testCall()
  await engine.relay!('/chat/completions', {}, call)
  call.abort()
  assert.equal(await ask(), 'east')
})

test('latency: the target that begins sooner is asked', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  const { ask, time } = testRoute([east, west], { policy: 'latency' })
  const after = (ms: number, name: string) => async () => {
    time.advance(ms)
    return { kind: 'json' as const, bytes: Buffer.from(name) }
  }
  east.answers = [after(80, 'east')]
  west.answers = [after(20, 'west')]
  for (let request = 0; request < 100; request++) await ask()
  assert.ok(west.asked.length > 85 && east.asked.length > 0, `${east.asked.length} ${west.asked.length}`)
  east.answers = [after(1, 'east')]
  for (let request = 0; request < 300; request++) await ask()
  assert.ok(east.asked.length > 150, `what has become fast is found: ${east.asked.length}`)
})

test('sticky: a conversation stays, moves when its target fails, and comes back', async () => {
  const targets = [testTarget('a'), testTarget('b'), testTarget('c')]
  const { ask, time } = testRoute(targets, { policy: 'weighted', sticky: true })
  const request = { prompt_cache_key: 'conversation' }
  const home = await ask(request)
  for (let time = 0; time < 10; time++) assert.equal(await ask(request), home)
  const lost = targets.find(({ target }) => target.upstream === home)!
  lost.answers = [down]
  const others = new Set<string>()
  for (let time = 0; time < 10; time++) others.add(await ask(request))
  assert.deepEqual([others.size, others.has(home)], [1, false])
  lost.answers = ['ok']
  time.advance(openMs.first)
  assert.equal(await ask(request), home)
})

test('whoever asks is told who answered, and after how many attempts', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  east.answers = [down]
  const call = { ...testCall(), route: { tried: [] as Tried[] } }
  await testRoute([east, west]).ask({}, call)
  const { tried } = call.route
  assert.deepEqual(
    tried.map(({ ms, ...rest }) => ({ ...rest, timed: Number.isInteger(ms) })),
    [
      { upstream: 'east', status: 502, outcome: 'upstream_unreachable', timed: true },
      { upstream: 'west', outcome: 'ok', timed: true },
    ],
  )
})

test('each failed attempt and what came after it is a line, and no words of the upstream are in it', async () => {
  const [east, west] = [testTarget('east'), testTarget('west')]
  east.answers = [fault.upstreamError(429, { message: 'secret words', code: 'slow' }), 'ok']
  const { ask } = testRoute([east, west])
  const call = testCall()
  await ask({}, { ...call, requestId: 'req_1' })
  await ask({}, call)
  assert.deepEqual(
    call.logged.map(line => JSON.parse(line)),
    [
      {
        event: 'upstream.attempt',
        requestId: 'req_1',
        model: 'm',
        target: 'east/m',
        attempt: 1,
        ms: 0,
        outcome: 'slow',
        status: 429,
      },
      { event: 'upstream.attempt', requestId: 'req_1', model: 'm', target: 'west/m', attempt: 2, ms: 0, outcome: 'ok' },
    ],
  )
  const all = testCall()
  await testRoute([west], { logsAttempts: true }).ask({}, all)
  assert.equal(all.logged.length, 1)
})

test('a routed model has one target at least, and at most sixteen', () => {
  assert.throws(() => testRoute([]), RangeError)
  assert.throws(() => testRoute(Array.from({ length: 17 }, () => testTarget('x'))), RangeError)
})
