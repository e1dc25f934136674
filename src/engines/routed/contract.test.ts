/** The contract of all engines, for a model whose first target is down, and its reply as bytes from hostile upstreams. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import {
  answer,
  bytes,
  bytesThenEnd,
  bytesThenReset,
  chatEvent,
  chunk,
  completion,
  done,
  endless,
  goodEvents,
  jsonAnswer,
  silence,
  stream,
  streamHead,
  streamThenSilence,
} from '../../../test/hostile/scripts.ts'
import { chat, faultOf, openAiError, relayed, streamedChat, textOf } from '../../../test/hostile/setting.ts'
import { TextSink, testCall } from '../../../test/hostile/sinks.ts'
import { type HostileUpstream, hostileUpstream, type Script } from '../../../test/hostile/upstream.ts'
import { busyMs } from '../../../test/support/held.ts'
import { systemClock } from '../../lib/clock.ts'
import { fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import { seededRandom } from '../../lib/random.ts'
import { systemTimers } from '../../lib/timers.ts'
import { engineContract } from '../engine.contract.ts'
import type { Engine } from '../engine.ts'
import { scriptedEngine } from '../scripted.ts'
import { upstreamEngine, upstreamPool } from '../upstream/index.ts'
import { routedEngine } from './index.ts'

const surroundings = { clock: systemClock, timers: systemTimers, random: seededRandom(2), log: silentLog }
const reply = 'Grüße, 世界 🙂 und guten Tag'
const endlessReply = Array.from({ length: 5000 }, (_, place) => `word${place}`).join(' ')

engineContract('routed', async () => {
  const down = scriptedEngine({ fails: { after: 0, fault: fault.upstreamUnreachable('routed', new Error('down')) } })
  const scripted = scriptedEngine({
    reply: prompt => (prompt.includes('on and on') ? endlessReply : reply),
    context: 100,
    wait: signal => pause(1, undefined, { signal }).catch(() => undefined),
  })
  const engine = routedEngine({
    name: 'routed',
    targets: [
      { engine: down, upstream: 'east', model: 'scripted', contextTokens: 100 },
      { engine: scripted, upstream: 'west', model: 'scripted', contextTokens: 100 },
    ],
    ...surroundings,
  })
  const messages = (content: string) => [{ role: 'user' as const, content }]
  return {
    engine,
    chat: {
      request: { model: 'alias', messages: messages('Say hello, please'), temperature: 0 },
      reply,
      usage: { prompt_tokens: 3, completion_tokens: 6 },
      stop: { sequence: '🙂 und gu', before: 'Grüße, 世界 ' },
      endless: { model: 'alias', messages: messages('on and on') },
      refused: {
        request: { model: 'alias', messages: messages('too much '.repeat(200)) },
        status: 400,
        code: 'context_length_exceeded',
      },
    },
    complete: {
      request: { model: 'alias', prompt: 'Say hello', temperature: 0 },
      reply,
      usage: { prompt_tokens: 2, completion_tokens: 6 },
      stop: { sequence: 'und guten', before: 'Grüße, 世界 🙂 ' },
      endless: { model: 'alias', prompt: 'on and on', max_tokens: 90 },
      refused: {
        request: { model: 'alias', prompt: 'much', max_tokens: 100 },
        status: 400,
        code: 'context_length_exceeded',
      },
    },
  }
})

const good: Script = (wire, request) =>
  (JSON.parse(request.body).stream === true ? stream(goodEvents) : jsonAnswer(200, completion))(wire, request)

/** The first upstream as hostile as the test wants, the second one good; all are closed when the test ends. */
async function between(t: { after(run: () => Promise<void>): void }, script: Script, eastMs = 10_000) {
  const made = await Promise.all(
    [script, good].map(async (one, place) => {
      const upstream = await hostileUpstream(one)
      const pool = upstreamPool(upstream.origin)
      const firstByteMs = place === 0 ? eastMs : 10_000
      const timeouts = { firstByteMs, idleMs: firstByteMs }
      const engine: Engine = upstreamEngine({
        ...{ name: 'big', baseUrl: `${upstream.origin}/v1`, target: `big-${place}`, version: '0.0.0' },
        ...{ timeouts, pool, log: silentLog },
        ...(place === 1 && { headers: { 'x-team': 'blue-canary' }, body: { service_tier: 'flex', top_p: 0.5 } }),
      })
      t.after(async () => {
        await pool.close()
        await upstream.close()
      })
      return { upstream, engine }
    }),
  )
  const [first, second] = made as [{ upstream: HostileUpstream; engine: Engine }, (typeof made)[number]]
  const engine = routedEngine({
    name: 'big',
    targets: [
      { engine: first.engine, upstream: 'east', model: 'big-0' },
      { engine: second.engine, upstream: 'west', model: 'big-1' },
    ],
    ...surroundings,
  })
  return { engine, east: first.upstream, west: second.upstream }
}

const html = { 'content-type': 'text/html' }
const json = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
const hostile: [name: string, script: Script][] = [
  ['hangs', silence],
  ['resets', bytesThenReset('')],
  ['ends the connection', bytesThenEnd('')],
  ['resets within the head', bytesThenReset('HTTP/1.1 200 O')],
  ['resets within a document', bytesThenReset(`${json}content-length: 500\r\n\r\n{"id":`)],
  ['resets before the first event', bytesThenReset(streamHead)],
  ['hangs before the first event', bytes(streamHead)],
  ['speaks no HTTP', bytesThenEnd('SSH-2.0-OpenSSH_9.2\r\n')],
  ['answers with a page and 200', bytes(answer(200, html, '<html>Welcome</html>'))],
  ['redirects', bytes(answer(307, { location: 'http://127.0.0.1:1/' }, ''))],
  ['answers with 500', jsonAnswer(500, openAiError('No.'))],
  ['answers with 503', jsonAnswer(503, openAiError('No.'), { 'retry-after': '1' })],
  ['answers with 408', jsonAnswer(408, openAiError('No.'))],
  ['answers with 429', jsonAnswer(429, openAiError('No.'))],
  ['sends an error with 200', jsonAnswer(200, openAiError('No.', { code: 500 }))],
  ['sends no JSON', jsonAnswer(200, 'text')],
  ['sends a line without an end', endless('x'.repeat(65_536), streamHead, 64 << 20)],
]
/** Until those that never end are given up; the others are to fail by themselves. */
const patienceMs = (name: string) => (name.startsWith('hangs') ? 150 : name.endsWith('without an end') ? 2000 : 10_000)

for (const [name, script] of hostile)
  for (const request of [chat, streamedChat])
    test(`an upstream that ${name} is passed over${request === streamedChat ? ', streaming' : ''}`, async t => {
      const { engine, east, west } = await between(t, script, patienceMs(name))
      const call = testCall()
      const text = textOf(await relayed(engine, request, call))
      assert.match(text, request === chat ? /"Hello"/ : /wörld[\s\S]*\[DONE\]/)
      assert.deepEqual(call.spent, { input: 9, output: 3 })
      assert.equal(east.received.length, 1)
      assert.equal(west.received.length, 1)
    })

test('a target’s headers and fields are its own, and unknown fields pass', async t => {
  const { engine, east, west } = await between(t, jsonAnswer(500, {}))
  await relayed(engine, { ...chat, top_p: 1, service_tier: 'auto', odd: { deep: [1] } })
  const [first, second] = [east.received[0]!, west.received[0]!]
  assert.deepEqual(JSON.parse(first.body), {
    ...chat,
    model: 'big-0',
    top_p: 1,
    service_tier: 'auto',
    odd: { deep: [1] },
  })
  const theirs = { model: 'big-1', top_p: 0.5, service_tier: 'flex', odd: { deep: [1] } }
  assert.deepEqual(JSON.parse(second.body), { ...chat, ...theirs })
  assert.deepEqual([first.headers['x-team'], second.headers['x-team']], [undefined, 'blue-canary'])
  west.script = jsonAnswer(400, openAiError('The header blue-canary is not known.'))
  assert.equal(faultOf(await relayed(engine, chat)).message, 'The header [upstream] is not known.')
})

test('after the first event nobody else is asked, and the client hears of the break', async t => {
  const broken: Script = async wire => {
    await wire.send(streamHead)
    await wire.send(chunk(chatEvent({ role: 'assistant', content: 'Hel' })))
    wire.reset()
  }
  const { engine, west } = await between(t, broken)
  const text = textOf(await relayed(engine, streamedChat))
  assert.match(text, /Hel[\s\S]*upstream_interrupted/)
  assert.equal(text.includes(done), false)
  assert.equal(west.received.length, 0)
})

test('a refusal of the request is the answer, and nobody else is asked', async t => {
  const { engine, west } = await between(t, jsonAnswer(400, openAiError('Bad.')))
  assert.deepEqual([faultOf(await relayed(engine, chat)).status, west.received.length], [400, 0])
})

for (const [when, script, streamed] of [
  ['that is silent', silence, false],
  ['in the middle of a stream', streamThenSilence([chatEvent({ role: 'assistant', content: 'a' })]), true],
] as const)
  test(`a caller who leaves is gone from an upstream ${when} within 100 ms, and no other is asked`, async t => {
    const { engine, east, west } = await between(t, script)
    const call = testCall()
    const asking = engine.relay!('/chat/completions', streamed ? streamedChat : chat, call)
    const sink = new TextSink()
    const reading = asking.then(
      reply => (reply.kind === 'stream' ? reply.pipe(sink) : undefined),
      (error: unknown) => assert.equal(error, call.signal.reason),
    )
    const received = await east.request(0)
    if (streamed) await sink.holds('"a"')
    const leftMs = performance.now()
    call.abort()
    const closedMs = await received.closed
    await reading
    assert.ok(closedMs - leftMs < busyMs, `${closedMs - leftMs} ms`)
    assert.equal(west.received.length, 0)
  })
