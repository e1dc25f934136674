/** What goes wrong before a reply has begun: an ordinary error with a status, whether a document or a stream was asked for. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import {
  answer,
  bytes,
  bytesThenEnd,
  bytesThenReset,
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
} from '../../../test/hostile/scripts.ts'
import {
  assertNothingLeaks,
  chat,
  faultOf,
  key,
  openAiError,
  relayed,
  setting,
  streamedChat,
  textOf,
} from '../../../test/hostile/setting.ts'
import { testCall } from '../../../test/hostile/sinks.ts'
import type { Script } from '../../../test/hostile/upstream.ts'
import { upstreamEngine, upstreamPool } from './index.ts'

interface Case {
  name: string
  script: Script
  /** One of the two requests; both when absent. */
  request?: object
  status: number
  code: string | null
  message?: RegExp
  headers?: Record<string, string>
}

const head = (headers: string, status = '200 OK') => `HTTP/1.1 ${status}\r\n${headers}\r\n`
const json = 'content-type: application/json\r\n'
const html = { 'content-type': 'text/html' }
const date = 'Wed, 21 Oct 2026 07:28:00 GMT'

/** An error of the upstream that is passed on. */
const passed = (name: string, status: number, body: object, code: string | null, message?: RegExp): Case => ({
  name,
  script: jsonAnswer(status, body),
  status,
  code,
  ...(message === undefined ? {} : { message }),
})

/** An answer that cannot be understood, cut off, or too late. */
const bad =
  (status: number, code: string) =>
  (name: string, script: Script, request?: object): Case => ({
    name,
    script,
    status,
    code,
    ...(request === undefined ? {} : { request }),
  })
const invalid = bad(502, 'upstream_invalid_response')
const interrupted = bad(502, 'upstream_interrupted')
const unreachable = bad(502, 'upstream_unreachable')
const late = bad(504, 'upstream_timeout')

const unknownFields = [
  { type: 'extra_forbidden', loc: ['body', 'seed'], msg: 'Extra inputs are not permitted' },
  { type: 'extra_forbidden', loc: ['body', 'messages', 0, 'x'], msg: 'No' },
]
const namedFields = /^Extra inputs are not permitted \(seed\) No \(messages\[0\]\.x\)$/

const errors: Case[] = [
  passed('400 in OpenAI’s form', 400, openAiError('No such thing.'), 'some_code', /^No such thing\.$/),
  passed('404 of a model', 404, openAiError('The model `m` does not exist'), 'some_code'),
  passed('400 with a long message', 400, openAiError('x'.repeat(50_000)), 'some_code', /^x{4096}$/),
  passed('400 with a number as code', 400, openAiError('m', { code: 40_013 }), '40013'),
  passed('400 in vLLM’s older form', 400, { object: 'error', message: 'too long', code: 400 }, '400', /^too long$/),
  passed('404 in Ollama’s form', 404, { error: 'model not found' }, null, /^model not found$/),
  passed('422 in FastAPI’s form', 422, { detail: 'Not this.' }, null, /^Not this\.$/),
  passed('422 in FastAPI’s form, with places', 422, { detail: unknownFields }, 'extra_forbidden', namedFields),
  passed('422 in Mistral’s form', 422, { object: 'error', message: { detail: unknownFields } }, 'extra_forbidden'),
  passed('400 in Gemini’s form', 400, [openAiError('Odd.', { code: 400, status: 'NO' })], '400', /^Odd\.$/),
  {
    name: '400 that names our key and address',
    script: async (wire, request) =>
      jsonAnswer(400, openAiError(`${key} at http://${request.headers.host}/v1/x refused`))(wire, request),
    status: 400,
    code: 'some_code',
    message: /^\[upstream\] at \[upstream\]\/x refused$/,
  },
  {
    ...passed(
      '401',
      401,
      openAiError(`Incorrect API key: ${key}`),
      'upstream_refused_key',
      /refused the key configured/,
    ),
    status: 502,
  },
  bad(502, 'upstream_refused_key')('403 with HTML', bytes(answer(403, html, '<h1>no</h1>'))),
  {
    name: '429 in OpenAI’s form',
    script: jsonAnswer(429, openAiError('Slow down.'), {
      'retry-after': '7',
      'retry-after-ms': '7100',
      'x-ratelimit-limit-requests': '1',
      'set-cookie': 'a=b',
    }),
    status: 429,
    code: 'some_code',
    message: /^Slow down\.$/,
    headers: { 'retry-after': '7', 'retry-after-ms': '7100' },
  },
  {
    name: '429 with HTML',
    script: bytes(answer(429, { ...html, 'retry-after': date }, '<h1>')),
    status: 429,
    code: 'rate_limit_exceeded',
    headers: { 'retry-after': date },
  },
  {
    name: '429 with a strange retry-after',
    script: jsonAnswer(429, openAiError('x'), { 'retry-after': 'soon; x=y' }),
    status: 429,
    code: 'some_code',
    headers: {},
  },
  {
    ...passed('500', 500, openAiError('CUDA error at /opt/server.py'), 'upstream_failed', /failed to answer\.$/),
    status: 502,
  },
  {
    name: '503',
    script: jsonAnswer(503, openAiError('busy'), { 'retry-after': '3' }),
    status: 503,
    code: 'upstream_unavailable',
    headers: { 'retry-after': '3' },
  },
  bad(503, 'upstream_unavailable')('503 without a body', bytes(answer(503, {}, ''))),
  bad(504, 'upstream_timeout')('504', jsonAnswer(504, openAiError('slow'))),
  bad(502, 'upstream_failed')(
    'an error without end',
    endless('x'.repeat(10_000), head('transfer-encoding: chunked\r\n', '500 X')),
  ),
  bad(429, '429')('200 with an error that has a status', jsonAnswer(200, openAiError('Slow down', { code: 429 }))),
]

const garbled: Case[] = [
  invalid('404 with HTML', bytes(answer(404, html, '<h1>no</h1>'))),
  invalid('422 in a form of its own', jsonAnswer(422, { reason: 'x' })),
  invalid('an error that is cut off', bytesThenReset(`${head(`${json}content-length: 500\r\n`, '400 X')}{"err`)),
  bad(502, 'some_code')('200 with an error that has none', jsonAnswer(200, openAiError('Odd'))),
  bad(502, '503')('an error as the first event', stream([event(openAiError('No', { code: 503 }))]), streamedChat),
  invalid('a redirect', bytes(head('location: http://127.0.0.1:1/\r\ncontent-length: 0\r\n', '307 X'))),
  invalid('204', bytes(head('', '204 No Content'))),
  invalid('HTML with 200', bytes(answer(200, html, '<html>login</html>'))),
  invalid('a reply of another type', bytes(answer(200, { 'content-type': 'text/plain' }, JSON.stringify(completion)))),
  invalid('a reply without a type', bytes(answer(200, {}, JSON.stringify(completion)))),
  invalid('two types', bytes(`${head(`${json}content-type: text/html\r\ncontent-length: 2\r\n`)}{}`)),
  invalid('JSON that is none', bytes(answer(200, { 'content-type': 'application/json' }, '{"id":'))),
  invalid('JSON that is no object', jsonAnswer(200, [1])),
  invalid(
    'JSON that is not UTF-8',
    bytes(answer(200, { 'content-type': 'application/json' }, Buffer.from('{"\xff":1}', 'latin1'))),
  ),
  invalid('a reply without choices', jsonAnswer(200, { ...completion, choices: undefined })),
  invalid('a reply with empty choices', jsonAnswer(200, { ...completion, choices: [] })),
  invalid('a choice without a message', jsonAnswer(200, { ...completion, choices: [{ index: 0 }] })),
  invalid('another object', jsonAnswer(200, { ...completion, object: 'list' })),
  invalid('a compressed reply', jsonAnswer(200, completion, { 'content-encoding': 'gzip' })),
  invalid(
    'a reply that is compressed and garbled',
    bytes(answer(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }, gzipSync('{}').subarray(5))),
  ),
  invalid(
    'a stream that claims to be compressed',
    bytes(answer(200, { 'content-type': 'text/event-stream', 'content-encoding': 'br' }, goodEvents.join(''))),
    streamedChat,
  ),
  invalid('a document where a stream was asked for', jsonAnswer(200, completion), streamedChat),
  invalid('a stream where a document was asked for', stream(goodEvents), chat),
  invalid(
    'a document without end',
    endless(Buffer.alloc(1 << 20, ' '), head(`${json}transfer-encoding: chunked\r\n`)),
    chat,
  ),
  invalid('a stream without events', stream([]), streamedChat),
  invalid('a stream that only ends', stream([done]), streamedChat),
  invalid('a first event that is no JSON', stream(['data: {"a":}\n\n']), streamedChat),
  invalid('a first event without choices', stream(['data: {"a":1}\n\n']), streamedChat),
  invalid('a line without end', endless('x'.repeat(100_000)), streamedChat),
]

const broken: Case[] = [
  invalid('no HTTP at all', bytes('SSH-2.0-OpenSSH_9.6\r\n')),
  invalid('a header without end', endless('x'.repeat(1000), 'HTTP/1.1 200 OK\r\nx: ')),
  invalid('headers that are too large', bytes(head(`x: ${'y'.repeat(20_000)}\r\n`))),
  invalid('two lengths', bytes(`${head(`${json}content-length: 5\r\ncontent-length: 7\r\n`)}{"a":1}`)),
  invalid(
    'a length and chunks',
    bytes(`${head(`${json}content-length: 5\r\ntransfer-encoding: chunked\r\n`)}0\r\n\r\n`),
  ),
  invalid('a length too short', bytes(`${head(`${json}content-length: 20\r\n`)}${JSON.stringify(completion)}`)),
  interrupted(
    'a length too long',
    bytesThenEnd(`${head(`${json}content-length: 999\r\n`)}${JSON.stringify(completion)}`),
  ),
  interrupted('an upgrade', bytes(head('connection: upgrade\r\nupgrade: websocket\r\n', '101 X'))),
  interrupted('a head that is cut off', bytesThenEnd('HTTP/1.1 200 OK\r\ncontent-')),
  interrupted('a document that is reset', bytesThenReset(`${head(`${json}content-length: 500\r\n`)}{`), chat),
  interrupted('a stream that is reset before its first event', bytesThenReset(`${streamHead}5\r\ndata:`), streamedChat),
  unreachable('a connection that is closed unanswered', wire => wire.end()),
  unreachable('a connection that is reset unanswered', wire => wire.reset()),
]

const silent: Case[] = [
  late('silence', silence),
  late('early hints and silence', bytes(head('', '103 Early Hints'))),
  late('silence after the head', bytes(head(`${json}content-length: 10\r\n`)), chat),
  late(
    'comments and no event',
    async wire => {
      await wire.send(streamHead)
      while (await wire.send(chunk(': wait\n\n'))) await turn()
    },
    streamedChat,
  ),
]

for (const { name, script, request, status, code, message, headers } of [...errors, ...garbled, ...broken, ...silent])
  test(`before the reply: ${name} becomes ${status} ${code}`, async t => {
    const timeouts = code === 'upstream_timeout' ? { firstByteMs: 60, idleMs: 60 } : {}
    const { upstream, engine } = await setting(t, script, { timeouts })
    for (const asked of request === undefined ? [chat, streamedChat] : [request]) {
      const fault = faultOf(await relayed(engine, asked))
      assert.deepEqual({ status: fault.status, code: fault.code }, { status, code })
      if (message !== undefined) assert.match(fault.message, message)
      if (headers !== undefined) assert.deepEqual(fault.headers, headers)
      assertNothingLeaks(JSON.stringify([fault.body(), fault.headers]), upstream.port)
    }
  })

test('one bad answer leaves the next request alone', async t => {
  const { upstream, engine } = await setting(t, silence)
  for (const { script, request } of [...errors, ...garbled, ...broken]) {
    upstream.script = script
    await relayed(engine, request ?? chat)
    upstream.script = jsonAnswer(200, completion)
    assert.match(textOf(await relayed(engine, chat)), /"Hello"/)
  }
})

test('what follows a whole answer on its connection reaches nobody', async t => {
  const twice = [completion, { ...completion, id: 'smuggled' }].map(one =>
    answer(200, { 'content-type': 'application/json' }, JSON.stringify(one)),
  )
  const { upstream, engine } = await setting(t, bytes(Buffer.concat(twice)))
  await relayed(engine, chat)
  upstream.script = jsonAnswer(200, completion)
  for (let round = 0; round < 3; round++) assert.doesNotMatch(textOf(await relayed(engine, chat)), /smuggled/)
})

test('nobody listening is 502, and an engine says that its upstream is down until it answers again', async t => {
  const { upstream, engine } = await setting(t, jsonAnswer(200, completion))
  assert.deepEqual(engine.status(), { state: 'ready' })
  const baseUrl = `http://127.0.0.1:${await freePort()}`
  const pool = upstreamPool(baseUrl)
  t.after(() => pool.close())
  const { log } = testCall()
  const alone = upstreamEngine({ name: 'big', baseUrl, target: 'm', version: '1', log, pool })
  const fault = faultOf(await relayed(alone, chat))
  assert.deepEqual([fault.status, fault.code], [502, 'upstream_unreachable'])
  assertNothingLeaks(JSON.stringify(fault.body()), Number(new URL(baseUrl).port))
  assert.deepEqual(alone.status(), { state: 'failed', detail: 'upstream_unreachable' })
  upstream.script = wire => wire.reset()
  faultOf(await relayed(engine, chat))
  assert.equal(engine.status().state, 'failed')
  upstream.script = jsonAnswer(400, openAiError('x'))
  faultOf(await relayed(engine, chat))
  assert.deepEqual(engine.status(), { state: 'ready' })
})

test('a name that does not resolve and a server without TLS are 502', async t => {
  const { upstream } = await setting(t, bytes('HTTP/1.1 400 Bad Request\r\n\r\n'))
  for (const baseUrl of ['http://name.invalid/v1', `https://127.0.0.1:${upstream.port}/v1`]) {
    const pool = upstreamPool(baseUrl)
    t.after(() => pool.close())
    const { log } = testCall()
    const engine = upstreamEngine({ name: 'big', baseUrl, target: 'm', version: '1', log, pool })
    const sent = relayed(engine, chat)
    if (baseUrl.startsWith('https')) await upstream.endConnections()
    const fault = faultOf(await sent)
    assert.deepEqual([fault.status, fault.code], [502, 'upstream_unreachable'], baseUrl)
    assertNothingLeaks(JSON.stringify(fault.body()), upstream.port)
  }
})

/** A port on which nobody listens (any more). */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
