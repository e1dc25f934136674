import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  bytesThenReset,
  chatEvent,
  chunk,
  done,
  endless,
  event,
  goodEvents,
  jsonAnswer,
  silence,
  stream,
  streamHead,
  streamThenSilence,
  usage,
} from '../../../test/hostile/scripts.ts'
import { chat, setting } from '../../../test/hostile/setting.ts'
import { testCall } from '../../../test/hostile/sinks.ts'
import { Fault } from '../../lib/faults.ts'
import { loadEncoding } from '../../tokens/index.ts'
import { collectChat, collectCompletion } from '../collect.ts'
import type { Engine } from '../engine.ts'

before(() => loadEncoding('o200k_base')) // so that no test waits for it

const request = { ...chat, stream: false }

function read(engine: Engine, call = testCall()) {
  const chunks = engine.chat?.(request, call)
  assert.ok(chunks !== undefined)
  return chunks
}

async function gathered<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

test('a good stream comes as it was sent, with the usage as the last chunk', async t => {
  const { upstream, engine } = await setting(t, stream(goodEvents))
  const call = testCall()
  const chunks = await gathered(read(engine, call))
  assert.deepEqual(
    chunks.map(({ choices }) => choices[0]?.delta),
    [{ role: 'assistant', content: '' }, { content: 'Hel' }, { content: 'lo ' }, { content: 'wörld' }, {}, undefined],
  )
  assert.deepEqual(chunks.at(-1), {
    id: 'chatcmpl-upstream',
    object: 'chat.completion.chunk',
    created: 1_700_000_001,
    model: 'big-1',
    choices: [],
    usage,
  })
  assert.deepEqual(call.spent, { input: 9, output: 3 })
  const sent = JSON.parse((await upstream.request(0)).body)
  assert.deepEqual([sent.stream, sent.stream_options, sent.model], [true, { include_usage: true }, 'big-1'])
})

test('the chunks collect into the whole reply', async t => {
  const { engine } = await setting(t, stream(goodEvents))
  const reply = await collectChat(read(engine))
  assert.equal(reply.choices[0]?.message.content, 'Hello wörld')
  assert.equal(reply.choices[0]?.finish_reason, 'stop')
  assert.deepEqual(reply.usage, usage)
})

test('what a sloppy upstream leaves out or mixes up is put in order', async t => {
  const sloppy = (delta: object, more: object = {}) =>
    event({ id: null, model: '', choices: [{ delta, ...more }], service_tier: 'on_demand', provider: 'x' })
  const { engine } = await setting(
    t,
    stream([
      event({ id: '', model: '', choices: [], prompt_filter_results: [] }),
      sloppy({ content: 'a', role: 'assistant', tool_calls: null }),
      sloppy({ content: 'b', role: 'assistant', reasoning_content: 'hm' }),
      sloppy({ content: 'c' }, { finish_reason: 'eos', index: null }),
      sloppy({ content: 'too late' }),
      done,
    ]),
  )
  const call = testCall()
  const chunks = await gathered(read(engine, call))
  for (const { id, created, model, object } of chunks)
    assert.deepEqual(
      { id, created, model, object },
      { id: call.id, created: call.created, model: 'big', object: 'chat.completion.chunk' },
    )
  assert.deepEqual(
    chunks.map(({ choices, usage: spent }) =>
      choices[0] === undefined ? spent : [choices[0].index, choices[0].delta, choices[0].finish_reason],
    ),
    [
      [0, { role: 'assistant', content: '' }, null],
      [0, { content: 'a' }, null],
      [0, { content: 'b', reasoning_content: 'hm' }, null],
      [0, { content: 'c' }, null],
      [0, {}, 'stop'],
      { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 }, // 'abhmctoo late', in the order it came
    ],
  )
  assert.ok(
    chunks.slice(0, -1).every(one => 'provider' in one),
    'fields of the upstream stay',
  )
})

test('calls of tools keep their order, and get the index that some servers leave out', async t => {
  const { engine } = await setting(
    t,
    stream([
      chatEvent({
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'f', arguments: '' } },
          { id: 'call_2', type: 'function', function: { name: 'g', arguments: '{}' } },
        ],
      }),
      chatEvent({
        tool_calls: [{ index: 0, id: null, type: 'function', function: { name: null, arguments: '{"a":1}' } }],
      }),
      chatEvent({}, 'tool_calls'),
      done,
    ]),
  )
  const reply = await collectChat(read(engine))
  assert.deepEqual(reply.choices[0]?.message.tool_calls, [
    { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
    { id: 'call_2', type: 'function', function: { name: 'g', arguments: '{}' } },
  ])
  assert.equal(reply.choices[0]?.finish_reason, 'tool_calls')
})

test('completions come as chunks too', async t => {
  const text = (index: number, piece: string, finish: string | null = null) =>
    event({
      id: 'cmpl-1',
      object: 'text_completion',
      created: 5,
      model: 'm',
      choices: [{ index, text: piece, finish_reason: finish }],
    })
  const { upstream, engine } = await setting(
    t,
    stream([text(0, 'a'), text(1, 'b'), text(0, 'c', 'stop'), text(1, '', 'length'), done]),
  )
  const call = testCall()
  const chunks = engine.complete?.({ model: 'alias', prompt: ['x', 'y'] }, call)
  assert.ok(chunks !== undefined)
  const reply = await collectCompletion(chunks)
  assert.deepEqual(
    reply.choices.map(choice => [choice.index, choice.text, choice.finish_reason]),
    [
      [0, 'ac', 'stop'],
      [1, 'b', 'length'],
    ],
  )
  assert.equal((await upstream.request(0)).path, '/v1/completions')
  assert.deepEqual(call.spent, { input: 2, output: 2 }) // 'ac' and 'b'
})

test('a fault before the first chunk is thrown by the first next, one in the middle after what came', async t => {
  const { upstream, engine } = await setting(t, jsonAnswer(429, { error: { message: 'Slow down.' } }))
  await assert.rejects(() => gathered(read(engine)), { name: 'Fault', status: 429, message: 'Slow down.' })
  upstream.script = bytesThenReset(streamHead + chunk(goodEvents.slice(0, 3).join('')))
  const texts: unknown[] = []
  await assert.rejects(
    async () => {
      for await (const { choices } of read(engine)) texts.push(choices[0]?.delta.content)
    },
    (error: unknown) => error instanceof Fault && error.code === 'upstream_interrupted',
  )
  assert.deepEqual(texts, ['', 'Hel', 'lo '])
})

test('an event that cannot be made a chunk is refused', async t => {
  const { engine } = await setting(t, stream([chatEvent({ content: { not: 'text' } }), done]))
  await assert.rejects(() => gathered(read(engine)), { code: 'upstream_invalid_response' })
})

test('an abort ends the chunks quietly and the upstream at once', async t => {
  const { upstream, engine } = await setting(t, silence)
  const early = testCall()
  const waiting = gathered(read(engine, early))
  const first = await upstream.request(0)
  early.abort()
  assert.deepEqual(await waiting, [])
  await first.closed

  upstream.script = streamThenSilence(goodEvents.slice(0, 3))
  const call = testCall()
  const texts: unknown[] = []
  let leftAt = 0
  for await (const { choices } of read(engine, call)) {
    texts.push(choices[0]?.delta.content)
    if (texts.length === 3) {
      leftAt = performance.now()
      call.abort()
    }
  }
  assert.ok(performance.now() - leftAt < 100)
  assert.ok((await (await upstream.request(1)).closed) - leftAt < 100)
  assert.deepEqual(texts, ['', 'Hel', 'lo '])
  assert.deepEqual(call.spent, { input: 9, output: 2 })
})

test('a reader that stops early ends the upstream', async t => {
  const { upstream, engine } = await setting(t, endless(chatEvent({ content: 'x'.repeat(2000) })))
  let count = 0
  for await (const { object } of read(engine)) {
    assert.equal(object, 'chat.completion.chunk')
    count++
    if (count === 200) break
  }
  await (await upstream.request(0)).closed
})

test('a reader that stands still makes the upstream wait', async t => {
  const sent = 200_000_000
  let sentBytes = 0
  const { engine } = await setting(t, async (wire, request) => {
    await endless(chatEvent({ content: 'x'.repeat(10_000) }), streamHead, sent)(wire, request)
    sentBytes = wire.sentBytes
  })
  const iterator = read(engine)[Symbol.asyncIterator]()
  await iterator.next()
  const before = process.memoryUsage().arrayBuffers
  for (let turns = 0; turns < 500; turns++) await turn()
  assert.ok(process.memoryUsage().arrayBuffers - before < 8_000_000)
  assert.equal(sentBytes, 0, 'the upstream is not done with its bytes')
  await iterator.return?.()
})
