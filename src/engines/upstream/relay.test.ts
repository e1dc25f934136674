import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  answer,
  bytes,
  chatEvent,
  chunk,
  completion,
  done,
  endless,
  event,
  goodEvents,
  jsonAnswer,
  lastChunk,
  silence,
  stream,
  streamHead,
  streamThenSilence,
  usage,
  usageEvent,
} from '../../../test/hostile/scripts.ts'
import { chat, key, relayed, setting, streamedChat, textOf, tokenizerBy } from '../../../test/hostile/setting.ts'
import { StuckSink, TextSink, testCall } from '../../../test/hostile/sinks.ts'
import { busyMs, watchTurns } from '../../../test/support/held.ts'
import { getEncoding, loadEncoding } from '../../tokens/index.ts'
import { upstreamEngine, upstreamPool } from './index.ts'

before(() => loadEncoding('o200k_base')) // so that no test waits for it

/** Lets undici take a connection back, which it does a turn of the event loop after the answer. */
async function idle(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await turn()
}

test('the upstream gets its own model and key, and nothing of the client but the request', async t => {
  const { upstream, engine } = await setting(t, jsonAnswer(200, completion))
  await relayed(engine, { ...chat, some_new_field: { deep: [1] } })
  const { method, path, headers, body } = await upstream.request(0)
  assert.equal(`${method} ${path}`, 'POST /v1/chat/completions')
  assert.deepEqual(headers, {
    host: `127.0.0.1:${upstream.port}`,
    connection: 'keep-alive',
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    accept: 'application/json',
    'accept-encoding': 'identity',
    'user-agent': 'Parlance/0.0.0',
    'content-length': String(body.length),
  })
  assert.deepEqual(JSON.parse(body), { ...chat, model: 'big-1', some_new_field: { deep: [1] } })
})

test('an upstream without a key is asked without an authorization', async t => {
  const { upstream } = await setting(t, jsonAnswer(200, completion))
  const pool = upstreamPool(upstream.origin)
  t.after(() => pool.close())
  const { log } = testCall()
  const engine = upstreamEngine({ name: 'big', baseUrl: upstream.origin, target: 'm', version: '1', log, pool })
  await relayed(engine, chat)
  const { path, headers } = await upstream.request(0)
  assert.equal(headers.authorization, undefined)
  assert.equal(path, '/chat/completions')
})

test('a document is passed on byte for byte, and metered', async t => {
  const text = `${JSON.stringify(completion, null, 2)}\n`
  const { engine } = await setting(t, bytes(answer(200, { 'content-type': 'application/json; charset=utf-8' }, text)))
  const call = testCall()
  assert.equal(textOf(await relayed(engine, chat, call)), text)
  assert.deepEqual(call.spent, { input: 9, output: 3 })
})

test('a stream is passed on byte for byte, and its usage stays here when nobody asked for it', async t => {
  const { upstream, engine } = await setting(t, stream(goodEvents))
  const call = testCall()
  const seen = await relayed(engine, streamedChat, call)
  assert.equal(textOf(seen), goodEvents.filter(one => one !== usageEvent).join(''))
  assert.deepEqual(call.spent, { input: 9, output: 3 })
  assert.deepEqual(JSON.parse((await upstream.request(0)).body).stream_options, { include_usage: true })
})

test('a client that asks for usage gets it, and its other stream options reach the upstream', async t => {
  const { upstream, engine } = await setting(t, stream(goodEvents))
  const options = { include_usage: true, include_obfuscation: false }
  const seen = await relayed(engine, { ...streamedChat, stream_options: options })
  assert.equal(textOf(seen), goodEvents.join(''))
  assert.deepEqual(JSON.parse((await upstream.request(0)).body).stream_options, options)
})

test('usage in an event that also has a choice is metered and passed on', async t => {
  const last = chatEvent({}, 'stop', { usage: { ...usage, prompt_tokens_details: { cached_tokens: 4 } } })
  const { engine } = await setting(t, stream([chatEvent({ content: 'x' }), last, done]))
  const call = testCall()
  assert.equal(textOf(await relayed(engine, streamedChat, call)), chatEvent({ content: 'x' }) + last + done)
  assert.deepEqual(call.spent, { input: 9, cached: 4, output: 3 })
})

test('events that arrive together leave in one write', async t => {
  const { engine } = await setting(t, bytes(streamHead + chunk(goodEvents.join('')).toString() + lastChunk))
  const call = testCall()
  const seen = await relayed(engine, streamedChat, call)
  assert.ok('writes' in seen)
  assert.equal(seen.writes.length, 1)
  assert.deepEqual(call.spent, { input: 9, output: 3 }, 'the usage has the last word')
})

test('events come whole however the upstream cuts them, also inside a character', async t => {
  const whole = Buffer.from(goodEvents.join(''))
  const pieces = Array.from({ length: whole.length }, (_, place) => whole.subarray(place, place + 1))
  const { engine } = await setting(t, stream(pieces))
  const seen = await relayed(engine, streamedChat)
  assert.equal(textOf(seen), goodEvents.filter(one => one !== usageEvent).join(''))
  assert.ok('writes' in seen)
  for (const write of seen.writes) assert.match(write, /\n\n$/)
})

test('events in unusual forms are put into the one that every client reads', async t => {
  const data = JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { content: 'a' }, finish_reason: null }] })
  const finish = chatEvent({}, 'stop')
  const { engine } = await setting(
    t,
    stream([
      `\u{feff}data: ${data}\r\n\r\n`,
      `event: chunk\nid: 1\ndata:${data}\n\n`,
      ': a comment of the provider\n\n',
      'retry: 100\n\n',
      'data: {"id":"y",\ndata: "choices":[]}\n\n',
      `${finish}\n`,
      'data:[DONE]\r\n\r\n',
    ]),
  )
  assert.equal(
    textOf(await relayed(engine, streamedChat)),
    `data: ${data}\n\ndata: ${data}\n\n: ping\n\ndata: {"id":"y", "choices":[]}\n\n${finish}${done}`,
  )
})

test('without usage, prompt and reply are counted by the encoding of the target, and the log says so', async t => {
  const events = goodEvents.filter(one => one !== usageEvent)
  const { engine } = await setting(t, stream(events))
  const call = testCall()
  assert.equal(textOf(await relayed(engine, streamedChat, call)), events.join(''))
  assert.deepEqual(call.spent, { input: 9, output: 4 })
  assert.match(call.logged.join(), /upstream\.usage_missing.*"countedWith":"o200k_base","estimate":true/)
  const known = testCall()
  const { engine: turbo } = await setting(t, stream(events), { target: 'gpt-3.5-turbo' })
  await relayed(turbo, streamedChat, known)
  assert.deepEqual(known.spent, { input: 9, output: 4 })
  assert.match(known.logged.join(), /"countedWith":"cl100k_base","estimate":false/)
})

test('a client that asks for usage gets it also when the upstream sends none: before [DONE], which comes either way', async t => {
  const events = goodEvents.filter(one => one !== usageEvent)
  const { upstream, engine } = await setting(t, stream(events))
  const asked = { ...streamedChat, stream_options: { include_usage: true } }
  for (const sent of [events, events.filter(one => one !== done)]) {
    upstream.script = stream(sent)
    const text = textOf(await relayed(engine, asked))
    const { id, object, created, model } = JSON.parse(goodEvents[0]?.slice(6) ?? '')
    const usage = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 }
    const [last, end] = text.split('\n\n').slice(-3)
    assert.ok(text.startsWith(events.filter(one => one !== done).join('')))
    assert.deepEqual(JSON.parse(last?.slice(6) ?? ''), { id, object, created, model, choices: [], usage })
    assert.equal(end, 'data: [DONE]')
  }
})

test('a reply in one piece without usage gets the counted one', async t => {
  const { usage: _, ...reply } = completion
  const { upstream, engine } = await setting(t, jsonAnswer(200, reply))
  const call = testCall()
  const seen = JSON.parse(textOf(await relayed(engine, chat, call)))
  const [said] = reply.choices
  assert.deepEqual(call.spent, { input: 9, output: getEncoding('o200k_base').count(said?.message.content ?? '') })
  assert.deepEqual(seen.usage, {
    prompt_tokens: 9,
    completion_tokens: call.spent.output,
    total_tokens: 9 + (call.spent.output ?? 0),
  })
  upstream.script = jsonAnswer(200, { object: 'list', model: 'e', data: [{ embedding: [1] }] })
  const inputs = ['hello world', 'again']
  const embedded = JSON.parse(textOf(await relayed(engine, { input: inputs }, testCall(), '/embeddings')))
  assert.deepEqual(embedded.usage, { prompt_tokens: 3, total_tokens: 3 })
  const ids = JSON.parse(textOf(await relayed(engine, { input: [[1, 2], [3]] }, testCall(), '/embeddings')))
  assert.deepEqual(ids.usage, { prompt_tokens: 3, total_tokens: 3 })
})

test('counting a large prompt after the client has left does not hold the event loop', async t => {
  const { upstream, engine } = await setting(t, silence)
  const messages = [{ role: 'user', content: 'The quick brown fox jumps over the lazy dog. '.repeat(50_000) }]
  let held = Number.POSITIVE_INFINITY
  // A collection of garbage may fall into one attempt.
  for (let attempt = 0; attempt < 3 && held > 20; attempt++) {
    const call = testCall()
    const ended = relayed(engine, { model: 'alias', messages }, call).catch(error => error)
    await upstream.request(attempt)
    await turn()
    const turns = watchTurns()
    call.abort()
    assert.equal(await ended, call.signal.reason)
    assert.deepEqual(call.spent, { input: 500_000 + 8, output: 0 })
    held = turns.heldMillisMax()
  }
  assert.ok(held <= 20, `${held} ms`)
})

test('words of the protocol inside a text change nothing', async t => {
  const text = '"usage": {"prompt_tokens": 5} "error" data: [DONE]\n\n"finish_reason":"stop"'
  const said = chatEvent({ content: text })
  const { engine } = await setting(t, stream([said, chatEvent({ content: 'error' }), chatEvent({}, 'stop'), done]))
  const call = testCall()
  const seen = textOf(await relayed(engine, streamedChat, call))
  assert.equal(seen, said + chatEvent({ content: 'error' }) + chatEvent({}, 'stop') + done)
  assert.deepEqual(call.spent, { input: 9, output: getEncoding('o200k_base').count(`${text}error`) })
})

test('[DONE] is added when every choice has finished and it does not come', async t => {
  const events = [chatEvent({ content: 'x' }), chatEvent({}, 'length')]
  const { upstream, engine } = await setting(t, stream(events))
  assert.equal(textOf(await relayed(engine, streamedChat)), events.join('') + done)
  upstream.script = stream(events, 'garbage instead of a chunk\r\n')
  assert.equal(textOf(await relayed(engine, streamedChat)), events.join('') + done)
  assert.match(textOf(await relayed(engine, { ...streamedChat, n: 2 })), /upstream_(?:invalid|interrupted)/)
})

test('the upstream waits for a slow client, and memory stays bounded', async t => {
  const { upstream, engine } = await setting(t, endless(chatEvent({ content: 'x'.repeat(4000) })))
  const call = testCall()
  const reply = await engine.relay?.('/chat/completions', streamedChat, call)
  assert.ok(reply?.kind === 'stream')
  const sink = new StuckSink()
  const ended = reply.pipe(sink)
  await sink.refused()
  const request = await upstream.request(0)
  for (let round = 0; round < 5; round++) {
    const before = sink.sizeBytes
    sink.release()
    await sink.refused()
    assert.ok(sink.sizeBytes - before <= 200_000, `one write held ${sink.sizeBytes - before} bytes`)
  }
  // All that is on its way now lies in the buffers of the two sockets; it does not grow.
  const heap = process.memoryUsage()
  for (let idle = 0; idle < 200; idle++) await turn()
  const grown = process.memoryUsage().arrayBuffers - heap.arrayBuffers
  assert.ok(grown < 4_000_000, `${grown} bytes grew while the client stood still`)
  call.abort()
  await ended
  await request.closed
})

test('a client that leaves closes the connection to the upstream at once, at every stage', async t => {
  const stages = {
    'before the headers of a document': { script: silence, request: chat, after: '' },
    'before the headers of a stream': { script: silence, request: streamedChat, after: '' },
    'before the first event': { script: streamThenSilence([]), request: streamedChat, after: '' },
    'in the middle of a document': {
      script: bytes('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"id"'),
      request: chat,
      after: '',
    },
    'in the middle of a stream': {
      script: streamThenSilence(goodEvents.slice(0, 2)),
      request: streamedChat,
      after: 'Hel',
    },
  }
  const { upstream, engine } = await setting(t, silence)
  let number = 0
  for (const [stage, { script, request, after }] of Object.entries(stages)) {
    upstream.script = script
    const call = testCall()
    const sink = new TextSink()
    const ended = engine
      .relay?.('/chat/completions', request, call)
      .then(reply => (reply.kind === 'stream' ? reply.pipe(sink) : undefined))
      .then(
        () => 'ended',
        error => error,
      )
    const received = await upstream.request(number++)
    if (after !== '') await sink.holds(after)
    const leftAt = performance.now()
    call.abort()
    const closedAt = await received.closed
    assert.ok(closedAt - leftAt < busyMs, `${stage}: ${closedAt - leftAt} ms`)
    assert.equal(await ended, after === '' ? call.signal.reason : 'ended', stage)
    assert.deepEqual(call.spent, { input: 9, output: after === '' ? 0 : 1 }, stage)
    assert.doesNotMatch(sink.text, /error|DONE/, stage)
  }
})

test('the prompt of an abandoned request is on the meter', async t => {
  const { upstream, engine } = await setting(t, silence, { tokenizer: tokenizerBy(text => text.length) })
  for (const [place, request] of [chat, streamedChat].entries()) {
    const call = testCall()
    const ended = relayed(engine, request, call).catch(error => error)
    await upstream.request(place)
    call.abort()
    assert.equal(await ended, call.signal.reason)
    assert.deepEqual(call.spent, { input: 'Say hello'.length, output: 0 })
  }
})

test('a call that was aborted before it began never reaches the upstream', async t => {
  const { upstream, engine } = await setting(t, jsonAnswer(200, completion))
  const call = testCall()
  call.abort()
  await assert.rejects(() => relayed(engine, chat, call), { name: 'AbortError' })
  assert.equal(upstream.received.length, 0)
})

test('connections are used again, also after streams', async t => {
  const { upstream, engine } = await setting(t, bytes(streamHead + chunk(goodEvents.join('')).toString() + lastChunk))
  for (let round = 0; round < 10; round++) {
    if (round === 5) upstream.script = jsonAnswer(200, completion)
    await relayed(engine, round < 5 ? streamedChat : chat)
    await idle()
  }
  assert.deepEqual(new Set(upstream.received.map(({ connection }) => connection)), new Set([0]))
})

test('an upstream that does not end its answer after [DONE] loses the connection, not the client', async t => {
  const { upstream, engine } = await setting(t, async wire => {
    await wire.send(streamHead)
    await wire.send(chunk(goodEvents.join('')))
    while (await wire.send(chunk(': more\n\n'.repeat(1000))));
  })
  assert.match(textOf(await relayed(engine, streamedChat)), /\[DONE\]\n\n$/)
  await (await upstream.request(0)).closed
})

for (const how of ['ends', 'resets'] as const)
  test(`a request that finds its idle connection closed is sent once more, and only once: the upstream ${how}`, async t => {
    let drops = 0
    const { upstream, engine } = await setting(t, async (wire, request) => {
      if (drops-- <= 0) await jsonAnswer(200, completion)(wire, request)
      else if (how === 'ends') wire.end()
      else wire.reset()
    })
    const send = async (dropped: number) => {
      drops = dropped
      const before = upstream.received.length
      const seen = await relayed(engine, chat)
      await idle()
      return { code: 'fault' in seen ? seen.fault.code : 'reply', sent: upstream.received.length - before }
    }
    assert.deepEqual(await send(1), { code: 'upstream_unreachable', sent: 1 }, 'a fresh connection')
    assert.deepEqual(await send(0), { code: 'reply', sent: 1 })
    assert.deepEqual(await send(2), { code: 'upstream_unreachable', sent: 2 }, 'twice in a row')
    assert.deepEqual(await send(0), { code: 'reply', sent: 1 })
    assert.deepEqual(await send(1), { code: 'reply', sent: 2 }, 'an idle connection')
  })

test('embeddings come in the format that was asked for', async t => {
  const list = (embedding: unknown) => ({
    object: 'list',
    model: 'e',
    data: [{ object: 'embedding', index: 0, embedding }],
    usage: { prompt_tokens: 2, total_tokens: 2 },
  })
  const { upstream, engine } = await setting(t, jsonAnswer(200, list([0.5, -2])))
  const path = '/embeddings'
  const call = testCall()
  const base64 = textOf(await relayed(engine, { input: 'x', encoding_format: 'base64' }, call, path))
  assert.equal(JSON.parse(base64).data[0].embedding, 'AAAAPwAAAMA=')
  assert.deepEqual(call.spent, { input: 2, output: 0 })
  upstream.script = jsonAnswer(200, list('AAAAPwAAAMA='))
  const floats = textOf(await relayed(engine, { input: 'x' }, testCall(), path))
  assert.deepEqual(JSON.parse(floats).data[0].embedding, [0.5, -2])
  const vectors = await engine.embed?.({ model: 'alias', input: 'x' }, testCall())
  assert.deepEqual(vectors?.data[0]?.embedding, [0.5, -2])
})

test('a full pool refuses at once', async t => {
  const { upstream } = await setting(t, silence)
  const pool = upstreamPool(upstream.origin, { connections: 1, queued: 1 })
  t.after(() => pool.close())
  const { log } = testCall()
  const engine = upstreamEngine({ name: 'big', baseUrl: upstream.origin, target: 'm', version: '1', log, pool })
  const calls = [testCall(), testCall()]
  const waiting = calls.map(call => relayed(engine, chat, call).catch(error => error))
  const seen = await relayed(engine, chat)
  assert.ok('fault' in seen && seen.fault.status === 503 && seen.fault.code === 'engine_overloaded')
  for (const call of calls) call.abort()
  for (const [place, ended] of (await Promise.all(waiting)).entries()) assert.equal(ended, calls[place]?.signal.reason)
})

test('a closed engine ends what runs and takes nothing more', async t => {
  const { upstream, engine } = await setting(t, streamThenSilence(goodEvents.slice(0, 2)))
  const reply = await engine.relay?.('/chat/completions', streamedChat, testCall())
  assert.ok(reply?.kind === 'stream')
  const sink = new TextSink()
  const ended = reply.pipe(sink)
  await engine.close()
  await ended
  assert.match(sink.text, /shutting_down/)
  await (await upstream.request(0)).closed
  assert.equal(engine.status().state, 'closed')
  const seen = await relayed(engine, chat)
  assert.ok('fault' in seen && seen.fault.code === 'shutting_down')
})

test('what cannot be an upstream is refused when it is set up', async t => {
  const { upstream } = await setting(t, silence)
  for (const url of ['ftp://x', 'not a url', 'http://user:pass@host/v1', 'http://host/v1?key=1', 'http://host/#a'])
    assert.throws(() => upstreamPool(url), TypeError, url)
  const pool = upstreamPool(upstream.origin)
  t.after(() => pool.close())
  const { log } = testCall()
  const options = { name: 'big', target: 'm', version: '1', log, pool }
  assert.throws(() => upstreamEngine({ ...options, baseUrl: 'http://other.example' }), TypeError)
  assert.throws(() => upstreamEngine({ ...options, baseUrl: upstream.origin, apiKey: 'a\r\nb: c' }), TypeError)
})

test('an event at the size of the bound passes, and the text of an event is never looked into', async t => {
  const large = chatEvent({ content: 'y'.repeat(900_000) })
  const { engine } = await setting(t, stream([large, chatEvent({}, 'stop'), event({ choices: [], usage }), done]))
  const call = testCall()
  assert.equal(textOf(await relayed(engine, streamedChat, call)), large + chatEvent({}, 'stop') + done)
  assert.deepEqual(call.spent, { input: 9, output: 3 })
})
