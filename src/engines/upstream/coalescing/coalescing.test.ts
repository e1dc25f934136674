import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { jsonAnswer, silence } from '../../../../test/hostile/scripts.ts'
import { chat, faultOf, openAiError, relayed, setting, textOf, tokenizerBy } from '../../../../test/hostile/setting.ts'
import { testCall } from '../../../../test/hostile/sinks.ts'
import type { Script } from '../../../../test/hostile/upstream.ts'
import { busyMs } from '../../../../test/support/held.ts'
import { silentLog } from '../../../lib/log.ts'
import { seededRandom } from '../../../lib/random.ts'
import { manualTime } from '../../../lib/timers.ts'
import { routedEngine } from '../../routed/index.ts'
import type { UpstreamOptions } from '../index.ts'

const path = '/embeddings'
const waitMs = 20

type Input = string | number[]

/** A vector that tells its input, `tokens` of usage for each. */
const vectors =
  (tokens = 5, change: (data: object[]) => object[] = data => data): Script =>
  (wire, request) => {
    const body = JSON.parse(request.body) as { input: Input | Input[]; encoding_format?: string }
    const { input, encoding_format: format } = body
    const inputs = (typeof input === 'string' || typeof input[0] === 'number' ? [input] : input) as Input[]
    const data = inputs.map((one, index) => {
      const numbers = new Float32Array([one.length, typeof one === 'string' ? one.charCodeAt(0) : one[0]!])
      const embedding = format === 'base64' ? Buffer.from(numbers.buffer).toString('base64') : [...numbers]
      return { object: 'embedding', index, embedding }
    })
    const total = inputs.length * tokens
    const usage = { prompt_tokens: total, total_tokens: total }
    return jsonAnswer(200, { object: 'list', model: 'big-1', data: change(data), usage })(wire, request)
  }

async function coalescing(t: TestContext, script: Script, more: Partial<UpstreamOptions> = {}) {
  const time = manualTime()
  const tokenizer = tokenizerBy(text => text.length)
  const { upstream, engine } = await setting(t, script, { coalescing: { waitMs }, timers: time, tokenizer, ...more })
  const ask = (request: object, call = testCall()) => relayed(engine, { model: 'alias', ...request }, call, path)
  /** Until all that was asked so far waits, then until it is sent. */
  const due = async () => {
    for (let turns = 0; turns < 3; turns++) await turn()
    time.advance(waitMs)
  }
  const sent = () => upstream.received.map(({ body }) => JSON.parse(body) as { input: unknown })
  return { upstream, engine, time, ask, due, sent }
}

const embeddingsIn = (text: string) =>
  (JSON.parse(text).data as { index: number; embedding: unknown }[]).map(({ index, embedding }) => [index, embedding])

test('requests that come together travel as one, and each gets its own vectors and what it spent', async t => {
  const { ask, due, sent } = await coalescing(t, vectors())
  const calls = [testCall(), testCall(), testCall()] as const
  const replies = [
    ask({ input: 'a' }, calls[0]),
    ask({ input: ['bb', 'c'] }, calls[1]),
    ask({ model: 'other alias', input: ['dddd'], encoding_format: 'float' }, calls[2]),
  ]
  await due()
  const [one, two, three] = (await Promise.all(replies)).map(textOf)
  assert.deepEqual(
    sent().map(({ input }) => (input as string[]).toSorted()),
    [['a', 'bb', 'c', 'dddd']],
  )
  assert.deepEqual(embeddingsIn(one!), [[0, [1, 97]]])
  assert.deepEqual(embeddingsIn(two!), [
    [0, [2, 98]],
    [1, [1, 99]],
  ])
  assert.deepEqual(embeddingsIn(three!), [[0, [4, 100]]])
  assert.deepEqual(
    calls.map(({ spent }) => spent),
    [{ input: 3 }, { input: 7 }, { input: 10 }],
    '20 tokens, divided as 1 : 3 : 4',
  )
  assert.deepEqual(JSON.parse(two!).usage, { prompt_tokens: 7, total_tokens: 7 })
})

test('vectors are told apart by their index, and each comes in the format that its caller asked for', async t => {
  const { ask, due, upstream } = await coalescing(
    t,
    vectors(5, data => data.toReversed()),
  )
  const base64 = ask({ input: 'a', encoding_format: 'base64' })
  const more = ask({ input: 'bb', encoding_format: 'base64' })
  const floats = ask({ input: 'c' })
  await due()
  assert.deepEqual(embeddingsIn(textOf(await base64)), [[0, 'AACAPwAAwkI=']])
  assert.deepEqual(embeddingsIn(textOf(await more)), [[0, 'AAAAQAAAxEI=']])
  assert.deepEqual(embeddingsIn(textOf(await floats)), [[0, [1, 99]]])
  assert.equal(upstream.received.length, 2, 'one for each format')
})

const apart: [what: string, one: object, other: object][] = [
  ['dimensions', { input: 'a' }, { input: 'a', dimensions: 2 }],
  ['users', { input: 'a', user: 'x' }, { input: 'a', user: 'y' }],
  ['fields that only the upstream knows', { input: 'a', input_type: 'query' }, { input: 'a', input_type: 'passage' }],
  ['kinds of input', { input: 'a' }, { input: [1, 2] }],
]
for (const [what, one, other] of apart)
  test(`requests with different ${what} travel apart`, async t => {
    const { ask, due, upstream } = await coalescing(t, vectors())
    const replies = [ask(one), ask(other)]
    await due()
    for (const reply of await Promise.all(replies)) textOf(reply)
    assert.equal(upstream.received.length, 2)
  })

test('tokens travel together too', async t => {
  const { ask, due, sent } = await coalescing(t, vectors())
  const replies = [ask({ input: [7, 8] }), ask({ input: [[9], [1, 2, 3]] })]
  await due()
  const [one, two] = await Promise.all(replies)
  assert.deepEqual(embeddingsIn(textOf(one!)), [[0, [2, 7]]])
  assert.deepEqual(embeddingsIn(textOf(two!)), [
    [0, [1, 9]],
    [1, [3, 1]],
  ])
  assert.deepEqual(sent(), [{ model: 'big-1', input: [[7, 8], [9], [1, 2, 3]] }])
})

test('who is alone is sent as it came, and gets the very bytes of the upstream', async t => {
  const text = '{"object":"list",  "data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":1}}'
  const { ask, due, sent } = await coalescing(t, async wire => {
    await wire.send(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
    )
  })
  const reply = ask({ input: 'a', user: 'x' })
  await due()
  assert.equal(textOf(await reply), text)
  assert.deepEqual(sent(), [{ model: 'big-1', input: 'a', user: 'x' }])
})

test('nobody waits for what does not fit any more: inputs and tokens of a joint request are bounded', async t => {
  const full = await coalescing(t, vectors(), { coalescing: { waitMs, inputsMax: 3 } })
  const joined = [full.ask({ input: ['a', 'b'] }), full.ask({ input: 'c' })]
  for (const reply of await Promise.all(joined)) textOf(reply)
  assert.equal(full.time.pending(), 0, 'it was full before the time had passed')
  textOf(await full.ask({ input: ['a', 'b', 'c', 'd'] }))
  assert.equal(full.upstream.received.length, 2)

  const long = await coalescing(t, vectors(), { coalescing: { waitMs, tokensMax: 10 } })
  const first = long.ask({ input: 'x'.repeat(8) })
  const second = long.ask({ input: 'y'.repeat(3) })
  textOf(await first)
  textOf(await long.ask({ input: 'z'.repeat(11) }))
  await long.due()
  textOf(await second)
  assert.equal(long.upstream.received.length, 3)
})

test('a large request waits for nobody', async t => {
  const { ask } = await coalescing(t, vectors())
  textOf(await ask({ input: 'x'.repeat(100_000) }))
})

test('of a joint request that is refused each part is sent alone, and only the guilty one is refused', async t => {
  const good = vectors()
  const { ask, due, sent } = await coalescing(t, (wire, request) =>
    request.body.includes('bad') ? jsonAnswer(400, openAiError('too long'))(wire, request) : good(wire, request),
  )
  const calls = [testCall(), testCall(), testCall()] as const
  const replies = [ask({ input: 'a' }, calls[0]), ask({ input: 'bad' }, calls[1]), ask({ input: 'c' }, calls[2])]
  await due()
  const [one, two, three] = await Promise.all(replies)
  assert.deepEqual(embeddingsIn(textOf(one!)), [[0, [1, 97]]])
  assert.equal(faultOf(two!).message, 'too long')
  assert.equal(faultOf(two!).status, 400)
  assert.deepEqual(embeddingsIn(textOf(three!)), [[0, [1, 99]]])
  assert.deepEqual(calls[0].spent, { input: 5, output: 0 })
  assert.deepEqual(calls[1].spent, {})
  assert.equal(sent().length, 4)
})

for (const [what, script, status] of [
  ['fails', jsonAnswer(500, openAiError('broken')), 502],
  ['limits the rate', jsonAnswer(429, openAiError('slow down')), 429],
  ['sends too few vectors', vectors(5, data => data.slice(1)), 502],
  ['numbers two alike', vectors(5, data => data.map(one => ({ ...one, index: 0 }))), 502],
] as const)
  test(`an upstream that ${what} is not asked again, and all are told`, async t => {
    const { ask, due, upstream } = await coalescing(t, script)
    const replies = [ask({ input: 'a' }), ask({ input: 'b' })]
    await due()
    for (const reply of await Promise.all(replies)) assert.equal(faultOf(reply).status, status)
    assert.equal(upstream.received.length, 1)
  })

test('one who leaves while it waits is not sent', async t => {
  const { ask, due, sent } = await coalescing(t, vectors())
  const leaving = testCall()
  const left = ask({ input: 'a' }, leaving)
  const stays = ask({ input: 'b' })
  for (let turns = 0; turns < 3; turns++) await turn()
  leaving.abort()
  await assert.rejects(left, { name: 'AbortError' })
  await due()
  textOf(await stays)
  assert.deepEqual(sent(), [{ model: 'big-1', input: 'b' }])
  assert.deepEqual(leaving.spent, {})
})

test('one who leaves on the way pays its own share, and the others get their vectors', async t => {
  let answer = () => {}
  const released = new Promise<void>(resolve => {
    answer = resolve
  })
  const { ask, due, upstream } = await coalescing(t, async (wire, request) => {
    await released
    await vectors()(wire, request)
  })
  const leaving = testCall()
  const staying = testCall()
  const left = ask({ input: 'aaa' }, leaving)
  const stays = ask({ input: 'b' }, staying)
  await due()
  await upstream.request(0)
  leaving.abort()
  await assert.rejects(left, { name: 'AbortError' })
  answer()
  assert.deepEqual(embeddingsIn(textOf(await stays)), [[0, [1, 98]]])
  assert.deepEqual([leaving.spent.input, staying.spent.input], [3, 2], 'by our count; a quarter of ten')
})

test('the last one who leaves ends the request at the upstream within 100 ms', async t => {
  const { ask, due, upstream } = await coalescing(t, silence)
  const calls = [testCall(), testCall()]
  const replies = calls.map((call, place) => ask({ input: `${place}` }, call))
  await due()
  const request = await upstream.request(0)
  const left = replies.map(reply => assert.rejects(reply, { name: 'AbortError' }))
  for (const call of calls) call.abort()
  const leftMs = performance.now()
  assert.ok((await request.closed) - leftMs < busyMs)
  await Promise.all(left)
})

test('those who wait are told when the server ends', async t => {
  const { ask, engine, time } = await coalescing(t, vectors())
  const waiting = ask({ input: 'a' })
  for (let turns = 0; turns < 3; turns++) await turn()
  await engine.close()
  assert.equal(faultOf(await waiting).code, 'shutting_down')
  assert.equal(time.pending(), 0)
})

test('under a routed model a joint request that fails goes on to the next target, joined again, and is charged once', async t => {
  const east = await coalescing(t, jsonAnswer(500, openAiError('broken')))
  const west = await coalescing(t, vectors())
  const routed = routedEngine({
    name: 'both',
    targets: [
      { engine: east.engine, upstream: 'east', model: 'big-1' },
      { engine: west.engine, upstream: 'west', model: 'big-1' },
    ],
    ...{ clock: east.time, timers: east.time, random: seededRandom(1), log: silentLog },
  })
  const calls = [testCall(), testCall()]
  const replies = calls.map(call => relayed(routed, { model: 'both', input: 'a' }, call, path))
  await east.due()
  while (west.time.pending() === 0) await turn()
  await west.due()
  for (const reply of await Promise.all(replies)) assert.deepEqual(embeddingsIn(textOf(reply)), [[0, [1, 97]]])
  assert.deepEqual([east.upstream.received.length, west.upstream.received.length], [1, 1])
  assert.deepEqual(
    calls.map(({ spent }) => spent.input),
    [5, 5],
  )
})

test('chats wait for nobody', async t => {
  const { engine, time } = await coalescing(t, jsonAnswer(500, {}))
  faultOf(await relayed(engine, chat))
  assert.equal(time.pending(), 0)
})
