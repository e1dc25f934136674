import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
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
  event,
  goodEvents,
  jsonAnswer,
  silence,
  stream,
  streamHead,
  streamThenSilence,
} from '../../../test/hostile/scripts.ts'
import { testCall } from '../../../test/hostile/sinks.ts'
import type { Script } from '../../../test/hostile/upstream.ts'
import { chat, faultOf, key, relayed, setting, streamedChat, textOf } from './harness.ts'
import { upstreamEngine, upstreamPool } from './index.ts'

const head = (headers: string, status = '200 OK') => `HTTP/1.1 ${status}\r\n${headers}\r\n`
const json = 'content-type: application/json\r\n'
const openAi = (message: string, more: object = {}) => ({
  error: { message, type: 'some_type', param: 'p', code: 'some_code', ...more },
})
/** Short enough to wait for. In the middle of a stream only silence is short: its beginning may take its time on a busy machine. */
const soon = { firstByteMs: 60, idleMs: 60 }
const soonSilent = { idleMs: 60 }

/** What goes wrong before a reply has begun: an ordinary error with a status. `request` is both when absent. */
const refusals: {
  name: string
  script: Script
  request?: object
  status: number
  code: string | null
  message?: RegExp
  headers?: Record<string, string>
}[] = [
  // errors of the upstream
  {
    name: '400 in OpenAI’s form',
    script: jsonAnswer(400, openAi('No such thing.'), { 'retry-after': '4', 'set-cookie': 'a=b', server: 'x' }),
    status: 400,
    code: 'some_code',
    message: /^No such thing\.$/,
    headers: { 'retry-after': '4' },
  },
  {
    name: '404 of a model',
    script: jsonAnswer(404, openAi('The model `m` does not exist')),
    status: 404,
    code: 'some_code',
  },
  {
    name: '400 with a long message',
    script: jsonAnswer(400, openAi('x'.repeat(50_000))),
    status: 400,
    code: 'some_code',
    message: /^x{4096}$/,
  },
  {
    name: '400 with a number as code',
    script: jsonAnswer(400, openAi('m', { code: 40_013 })),
    status: 400,
    code: '40013',
  },
  {
    name: '400 in vLLM’s older form',
    script: jsonAnswer(400, { object: 'error', message: 'too long', type: 'BadRequestError', code: 400 }),
    status: 400,
    code: '400',
    message: /^too long$/,
  },
  {
    name: '404 in Ollama’s form',
    script: jsonAnswer(404, { error: 'model not found' }),
    status: 404,
    code: null,
    message: /^model not found$/,
  },
  {
    name: '400 that names our key and address',
    script: async (wire, request) =>
      jsonAnswer(400, openAi(`${key} at http://${request.headers.host}/v1/x refused`))(wire, request),
    status: 400,
    code: 'some_code',
    message: /^\[upstream\] at \[upstream\]\/x refused$/,
  },
  {
    name: '401',
    script: jsonAnswer(401, openAi(`Incorrect API key provided: ${key}`)),
    status: 502,
    code: 'upstream_refused_key',
    message: /refused the key configured for it/,
  },
  {
    name: '403 with HTML',
    script: bytes(answer(403, { 'content-type': 'text/html' }, '<h1>no</h1>')),
    status: 502,
    code: 'upstream_refused_key',
  },
  {
    name: '404 with HTML',
    script: bytes(answer(404, { 'content-type': 'text/html' }, '<h1>no</h1>')),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: '422 in FastAPI’s form',
    script: jsonAnswer(422, { detail: 'x' }),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: '429 in OpenAI’s form',
    script: jsonAnswer(429, openAi('Slow down.'), {
      'retry-after': '7',
      'retry-after-ms': '7100',
      'x-ratelimit-limit-requests': '1',
    }),
    status: 429,
    code: 'some_code',
    message: /^Slow down\.$/,
    headers: { 'retry-after': '7', 'retry-after-ms': '7100' },
  },
  {
    name: '429 with HTML',
    script: bytes(answer(429, { 'content-type': 'text/html', 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }, '<h1>')),
    status: 429,
    code: 'rate_limit_exceeded',
    headers: { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' },
  },
  {
    name: '429 with a strange retry-after',
    script: jsonAnswer(429, openAi('x'), { 'retry-after': 'soon; x=y' }),
    status: 429,
    code: 'some_code',
    headers: {},
  },
  {
    name: '500',
    script: jsonAnswer(500, openAi('CUDA error at /opt/server.py')),
    status: 502,
    code: 'upstream_failed',
    message: /failed to answer\.$/,
  },
  {
    name: '503',
    script: jsonAnswer(503, openAi('busy'), { 'retry-after': '3' }),
    status: 503,
    code: 'upstream_unavailable',
    headers: { 'retry-after': '3' },
  },
  { name: '503 without a body', script: bytes(answer(503, {}, '')), status: 503, code: 'upstream_unavailable' },
  { name: '504', script: jsonAnswer(504, openAi('slow')), status: 504, code: 'upstream_timeout' },
  {
    name: 'an error without end',
    script: endless('x'.repeat(10_000), `${head('transfer-encoding: chunked\r\n', '500 X')}`),
    status: 502,
    code: 'upstream_failed',
  },
  {
    name: 'an error that is cut off',
    script: bytesThenReset(head(`${json}content-length: 500\r\n`, '400 X') + '{"err'),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: '200 with an error in it',
    script: jsonAnswer(200, openAi('Rate limited', { code: 429 })),
    status: 429,
    code: '429',
    message: /^Rate limited$/,
  },
  {
    name: '200 with an error that has no status',
    script: jsonAnswer(200, openAi('Odd')),
    status: 502,
    code: 'some_code',
    message: /^Odd$/,
  },
  {
    name: 'an error as the first event',
    script: stream([event(openAi('No room.', { code: 503 }))]),
    request: streamedChat,
    status: 502,
    code: '503',
    message: /^No room\.$/,
  },
  // no proper answer
  {
    name: 'a redirect',
    script: bytes(head(`location: http://127.0.0.1:1/\r\ncontent-length: 0\r\n`, '307 X')),
    status: 502,
    code: 'upstream_invalid_response',
  },
  { name: '204', script: bytes(head('', '204 No Content')), status: 502, code: 'upstream_invalid_response' },
  {
    name: 'HTML with 200',
    script: bytes(answer(200, { 'content-type': 'text/html' }, '<html>login</html>')),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a reply of another type',
    script: bytes(answer(200, { 'content-type': 'text/plain' }, JSON.stringify(completion))),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a reply without a type',
    script: bytes(answer(200, {}, JSON.stringify(completion))),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'two types',
    script: bytes(head(`${json}content-type: text/html\r\ncontent-length: 2\r\n`) + '{}'),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'JSON that is none',
    script: bytes(answer(200, { 'content-type': 'application/json' }, '{"id":')),
    status: 502,
    code: 'upstream_invalid_response',
  },
  { name: 'JSON that is no object', script: jsonAnswer(200, [1]), status: 502, code: 'upstream_invalid_response' },
  {
    name: 'JSON that is not UTF-8',
    script: bytes(
      answer(200, { 'content-type': 'application/json' }, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
    ),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a reply without choices',
    script: jsonAnswer(200, { ...completion, choices: undefined }),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a reply with empty choices',
    script: jsonAnswer(200, { ...completion, choices: [] }),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a choice without a message',
    script: jsonAnswer(200, { ...completion, choices: [{ index: 0 }] }),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'another object',
    script: jsonAnswer(200, { ...completion, object: 'list' }),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a compressed reply',
    script: bytes(
      answer(
        200,
        { 'content-type': 'application/json', 'content-encoding': 'gzip' },
        gzipSync(JSON.stringify(completion)),
      ),
    ),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a reply that claims to be compressed',
    script: bytes(answer(200, { 'content-type': 'text/event-stream', 'content-encoding': 'br' }, goodEvents.join(''))),
    request: streamedChat,
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a document where a stream was asked for',
    script: jsonAnswer(200, completion),
    request: streamedChat,
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a stream where a document was asked for',
    script: stream(goodEvents),
    request: chat,
    status: 502,
    code: 'upstream_invalid_response',
  },
  { name: 'no HTTP at all', script: bytes('SSH-2.0-OpenSSH_9.6\r\n'), status: 502, code: 'upstream_invalid_response' },
  {
    name: 'a header without end',
    script: endless('x'.repeat(1000), 'HTTP/1.1 200 OK\r\nx: '),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'two lengths',
    script: bytes(head(`${json}content-length: 5\r\ncontent-length: 7\r\n`) + '{"a":1}'),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a length and chunks',
    script: bytes(head(`${json}content-length: 5\r\ntransfer-encoding: chunked\r\n`) + '0\r\n\r\n'),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a length too long',
    script: bytesThenEnd(head(`${json}content-length: 5000\r\n`) + JSON.stringify(completion)),
    status: 502,
    code: 'upstream_interrupted',
  },
  {
    name: 'a length too short',
    script: bytes(head(`${json}content-length: 20\r\n`) + JSON.stringify(completion)),
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'chunk sizes that lie',
    script: bytes(`${streamHead}ffff\r\n${goodEvents.join('')}\r\nzz\r\n`),
    request: streamedChat,
    status: 200,
    code: null,
  },
  {
    name: 'a document without end',
    script: endless(Buffer.alloc(1 << 20, ' '), `${head(`${json}transfer-encoding: chunked\r\n`)}`),
    request: chat,
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'an upgrade',
    script: bytes(head('connection: upgrade\r\nupgrade: websocket\r\n', '101 X')),
    status: 502,
    code: 'upstream_interrupted',
  },
  {
    name: 'a connection that is closed unanswered',
    script: wire => wire.end(),
    status: 502,
    code: 'upstream_unreachable',
  },
  {
    name: 'a connection that is reset unanswered',
    script: wire => wire.reset(),
    status: 502,
    code: 'upstream_unreachable',
  },
  {
    name: 'a head that is cut off',
    script: bytesThenEnd('HTTP/1.1 200 OK\r\ncontent-'),
    status: 502,
    code: 'upstream_interrupted',
  },
  {
    name: 'a document that is reset',
    script: bytesThenReset(head(`${json}content-length: 500\r\n`) + '{'),
    request: chat,
    status: 502,
    code: 'upstream_interrupted',
  },
  // streams that never begin
  {
    name: 'a stream without events',
    script: stream([]),
    request: streamedChat,
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a stream that only ends',
    script: stream([done]),
    request: streamedChat,
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a first event that is no JSON',
    script: stream(['data: {"a":}\n\n']),
    request: streamedChat,
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a first event without choices',
    script: stream(['data: {"a":1}\n\n']),
    request: streamedChat,
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a line without end',
    script: endless('x'.repeat(100_000)),
    request: streamedChat,
    status: 502,
    code: 'upstream_invalid_response',
  },
  {
    name: 'a stream that is reset before its first event',
    script: bytesThenReset(`${streamHead}5\r\ndata:`),
    request: streamedChat,
    status: 502,
    code: 'upstream_interrupted',
  },
  { name: 'silence', script: silence, status: 504, code: 'upstream_timeout' },
  {
    name: 'early hints and silence',
    script: bytes(head('', '103 Early Hints')),
    status: 504,
    code: 'upstream_timeout',
  },
  {
    name: 'silence after the head',
    script: bytes(head(`${json}content-length: 10\r\n`)),
    request: chat,
    status: 504,
    code: 'upstream_timeout',
  },
  {
    name: 'comments and no event',
    script: async wire => {
      await wire.send(streamHead)
      while (await wire.send(chunk(': wait\n\n'))) await new Promise(setImmediate)
    },
    request: streamedChat,
    status: 504,
    code: 'upstream_timeout',
  },
]

for (const { name, script, request, status, code, message, headers } of refusals)
  test(`before the reply: ${name} becomes ${status} ${code}`, async t => {
    const { upstream, engine } = await setting(t, script, code === 'upstream_timeout' ? { timeouts: soon } : {})
    for (const asked of request === undefined ? [chat, streamedChat] : [request]) {
      const seen = await relayed(engine, asked)
      if (status === 200) {
        assert.match(textOf(seen), /\[DONE\]/)
        continue
      }
      const fault = faultOf(seen)
      assert.deepEqual({ status: fault.status, code: fault.code }, { status, code })
      if (message !== undefined) assert.match(fault.message, message)
      if (headers !== undefined) assert.deepEqual(fault.headers, headers)
      assertNothingLeaks(JSON.stringify([fault.body(), fault.headers]), upstream.port)
    }
  })

/** What goes wrong when the reply runs: an error event, and no `[DONE]`. */
const breaks: { name: string; script: Script; code: string; message?: RegExp }[] = [
  {
    name: 'a reset',
    script: bytesThenReset(streamHead + chunk(goodEvents.slice(0, 3).join(''))),
    code: 'upstream_interrupted',
  },
  {
    name: 'a cut inside an event',
    script: bytesThenEnd(streamHead + chunk(`${goodEvents.slice(0, 3).join('')}data: {"id"`)),
    code: 'upstream_interrupted',
  },
  { name: 'a clean end without a finish_reason', script: stream(goodEvents.slice(0, 3)), code: 'upstream_interrupted' },
  {
    name: 'an error event',
    script: stream([...goodEvents.slice(0, 3), event(openAi(`Broke at 127.0.0.1 with ${key}`)), done]),
    code: 'some_code',
    message: /^Broke at \[upstream\] with \[upstream\]$/,
  },
  {
    name: 'an error event without a form',
    script: stream([...goodEvents.slice(0, 3), event({ error: {} })]),
    code: 'null',
  },
  {
    name: 'garbage',
    script: stream([...goodEvents.slice(0, 3), 'data: <html>\n\n']),
    code: 'upstream_invalid_response',
  },
  {
    name: 'bytes that are not UTF-8',
    script: stream([...goodEvents.slice(0, 3), Buffer.from('data: {"x":"\xff"}\n\n', 'latin1')]),
    code: 'upstream_invalid_response',
  },
  {
    name: 'a NUL',
    script: stream([...goodEvents.slice(0, 3), 'data: {"x":"\0"}\n\n']),
    code: 'upstream_invalid_response',
  },
  {
    name: 'a line of 100 MB',
    script: async (wire, request) => {
      await wire.send(streamHead + chunk(goodEvents.slice(0, 3).join('')))
      await endless('y'.repeat(100_000), '', 100_000_000)(wire, request)
    },
    code: 'upstream_invalid_response',
  },
  {
    name: 'broken chunks',
    script: bytes(`${streamHead}${chunk(goodEvents.slice(0, 3).join(''))}nonsense\r\n`),
    code: 'upstream_invalid_response',
  },
  { name: 'silence', script: streamThenSilence(goodEvents.slice(0, 3)), code: 'upstream_timeout' },
  {
    name: 'single bytes, slowly',
    script: async wire => {
      await wire.send(streamHead + chunk(goodEvents.slice(0, 3).join('')))
      while (await wire.send(chunk('y'))) await new Promise(setImmediate)
    },
    code: 'upstream_timeout',
  },
]

for (const { name, script, code, message } of breaks)
  test(`in the middle of a stream: ${name} becomes an error event and no [DONE]`, async t => {
    const { upstream, engine } = await setting(t, script, code === 'upstream_timeout' ? { timeouts: soonSilent } : {})
    const call = testCall()
    const text = textOf(await relayed(engine, streamedChat, call))
    const begun = goodEvents.slice(0, 3).join('')
    assert.ok(text.startsWith(begun), text.slice(0, 1000))
    const rest = /^data: (\{"error":.*\})\n\n$/.exec(text.slice(begun.length))
    assert.ok(rest?.[1] !== undefined, text.slice(begun.length, begun.length + 1000))
    const { error } = JSON.parse(rest[1])
    assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'])
    assert.equal(String(error.code), code)
    if (message !== undefined) assert.match(error.message, message)
    assertNothingLeaks(text, upstream.port)
    assert.deepEqual(call.spent, { output: 2 }, 'what was seen is billed')
    assert.match(call.logged.join(), /upstream\.stream_failed/)
    assert.doesNotMatch(call.logged.join(), new RegExp(`${key}|Hel|Broke`))
    if (name !== 'a clean end without a finish_reason') await (await upstream.request(0)).closed
  })

test('a stream that would never end is ended by the limit on the whole', async t => {
  const script = endless(chatEvent({ content: 'again ' }))
  const { upstream, engine } = await setting(t, script, { timeouts: { totalMs: 150 } })
  const text = textOf(await relayed(engine, streamedChat))
  assert.match(text.slice(-500), /\n\ndata: \{"error":\{[^\n]*"upstream_timeout"\}\}\n\n$/)
  await (await upstream.request(0)).closed
})

test('nobody listening is 502, and the engine says so until it answers again', async t => {
  const { upstream, engine } = await setting(t, jsonAnswer(200, completion))
  assert.deepEqual(engine.status(), { state: 'ready' })
  const closed = net.createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const address = closed.address()
  assert.ok(address !== null && typeof address === 'object')
  closed.close()
  await once(closed, 'close')
  const baseUrl = `http://127.0.0.1:${address.port}`
  const pool = upstreamPool(baseUrl)
  t.after(() => pool.close())
  const { log } = testCall()
  const alone = upstreamEngine({ name: 'big', baseUrl, target: 'm', version: '1', log, pool })
  const fault = faultOf(await relayed(alone, chat))
  assert.deepEqual([fault.status, fault.code], [502, 'upstream_unreachable'])
  assertNothingLeaks(JSON.stringify(fault.body()), address.port)
  assert.deepEqual(alone.status(), { state: 'failed', detail: 'upstream_unreachable' })
  upstream.script = wire => wire.reset()
  faultOf(await relayed(engine, chat))
  assert.equal(engine.status().state, 'failed')
  upstream.script = jsonAnswer(400, openAi('x'))
  faultOf(await relayed(engine, chat))
  assert.deepEqual(engine.status(), { state: 'ready' })
})

test('a name that does not resolve and TLS against a plain server are 502', async t => {
  const { upstream } = await setting(t, silence)
  for (const baseUrl of ['http://name.invalid/v1', `https://127.0.0.1:${upstream.port}/v1`]) {
    const pool = upstreamPool(baseUrl)
    t.after(() => pool.close())
    const { log } = testCall()
    const engine = upstreamEngine({ name: 'big', baseUrl, target: 'm', version: '1', log, pool, timeouts: soon })
    const fault = faultOf(await relayed(engine, chat))
    assert.match(fault.code ?? '', /upstream_(?:unreachable|timeout)/, baseUrl)
    assertNothingLeaks(JSON.stringify(fault.body()), upstream.port)
  }
})

test('one bad answer leaves the next request alone', async t => {
  const { upstream, engine } = await setting(t, silence)
  for (const { script, request } of refusals.filter(({ code }) => code !== 'upstream_timeout')) {
    upstream.script = script
    await relayed(engine, request ?? chat)
    upstream.script = jsonAnswer(200, completion)
    assert.match(textOf(await relayed(engine, chat)), /"Hello"/)
  }
})

test('what follows a whole answer on its connection reaches nobody', async t => {
  const smuggled = answer(
    200,
    { 'content-type': 'application/json' },
    JSON.stringify({ ...completion, id: 'smuggled' }),
  )
  const { upstream, engine } = await setting(
    t,
    bytes(Buffer.concat([answer(200, { 'content-type': 'application/json' }, JSON.stringify(completion)), smuggled])),
  )
  await relayed(engine, chat)
  upstream.script = jsonAnswer(200, completion)
  for (let round = 0; round < 3; round++) assert.doesNotMatch(textOf(await relayed(engine, chat)), /smuggled/)
})

function assertNothingLeaks(text: string, port: number): void {
  for (const secret of [key, String(port), '127.0.0.1', 'localhost', 'ECONN', 'undici', 'node:', '/opt/'])
    assert.ok(!text.includes(secret), `${secret} in ${text.slice(0, 1000)}`)
}
