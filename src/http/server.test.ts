import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { Agent, request } from 'undici'
import type { Call, Engine } from '../engines/engine.ts'
import { fault } from '../lib/faults.ts'
import { operations } from '../operations/index.ts'
import type { Target } from '../platform/models.ts'
import { priceOf } from '../platform/prices.ts'
import type { ChatChunk } from '../wire/chat.ts'
import { type Listening, startListening } from './listening.fixture.ts'

/** Says one word a chunk; the request's temperature decides when it fails: 1 before the first chunk, 2 after the second. */
function wordEngine(seen: { aborted: number }): Engine {
  return {
    name: 'words',
    accepts: 'known',
    abilities: new Set(['chat']),
    status: () => ({ state: 'ready' }),
    close: async () => {},
    async *chat(request, call: Call) {
      if (request.temperature === 1) throw fault.overloaded('words', 3)
      const chunk = (choices: ChatChunk['choices'], rest: object = {}): ChatChunk =>
        ({
          id: call.id,
          object: 'chat.completion.chunk',
          created: call.created,
          model: 'words',
          choices,
          ...rest,
        }) as ChatChunk
      const words = (request.max_tokens ?? 3) > 1000 ? Number.POSITIVE_INFINITY : (request.max_tokens ?? 3)
      call.meter.input(7)
      yield chunk([{ index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }])
      for (let word = 1; word <= words; word++) {
        if (call.signal.aborted) {
          seen.aborted = word
          return
        }
        if (request.temperature === 2 && word === 2) throw new Error('a secret detail of the engine')
        call.meter.output(word)
        yield chunk([{ index: 0, delta: { content: `w${word} ` }, logprobs: null, finish_reason: null }])
        if (words === Number.POSITIVE_INFINITY) await new Promise(resolve => setImmediate(resolve))
      }
      yield chunk([{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }])
      yield chunk([], { usage: { prompt_tokens: 7, completion_tokens: words, total_tokens: 7 + words } })
    },
  }
}

const secret = 'sk-of-the-server-test-0001'
const seen = { aborted: 0 }
let listening: Listening | undefined
let base = ''
const agent = new Agent()

before(async () => {
  const words: Target = {
    name: 'words',
    ownedBy: 'test',
    created: 1_700_000_000,
    price: priceOf({ input: 1, output: 2 }),
    abilities: new Set(['chat']),
    open: () => wordEngine(seen),
  }
  const aliases = { 'gpt-4': 'words' }
  listening = await startListening({ secret, targets: [words], aliases, maxBodyBytes: 100_000 })
  base = listening.base
})
after(async () => {
  await agent.close()
  await listening?.close()
})

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  json: {
    error?: { message: string; type: string; param: string | null; code: string | null }
    [field: string]: unknown
  }
}

async function send(
  method: 'GET' | 'POST' | 'PUT' | 'OPTIONS',
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const reply = await request(base + path, {
    method,
    dispatcher: agent,
    headers: {
      authorization: `Bearer ${secret}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body ?? null,
  })
  const text = await reply.body.text()
  return { status: reply.statusCode, headers: reply.headers, text, json: text.startsWith('{') ? JSON.parse(text) : {} }
}

const chat = (fields: object = {}, headers: Record<string, string> = {}) =>
  send(
    'POST',
    '/v1/chat/completions',
    JSON.stringify({ model: 'gpt-4', messages: [{ role: 'user', content: 'hi' }], ...fields }),
    headers,
  )

/** The newest row of usage. */
async function charged() {
  const { store } = listening!
  await store.flush()
  return store.read
    .selectFrom('usage')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('duration_ms')
    .limit(1)
    .executeTakeFirstOrThrow()
}

test('a reply says what really answered and carries the headers that clients read', async () => {
  const { status, headers, json } = await chat()
  assert.equal(status, 200)
  assert.equal(json.model, 'words')
  assert.equal(json.object, 'chat.completion')
  assert.equal(headers['content-type'], 'application/json')
  assert.match(String(headers['x-request-id']), /^req_[0-9a-f]{32}$/)
  assert.match(String(headers['openai-processing-ms']), /^\d+$/)
  assert.equal(headers['openai-version'], '2020-10-01')
  assert.equal(headers['openai-organization'], 'default')
})

test('a request is charged for what it used, under the names that were asked for and that answered', async () => {
  await chat({ user: 'end-user-1' })
  const { model, requested_model, input_tokens, output_tokens, cost_nano, status, end_user, operation } =
    await charged()
  assert.deepEqual(
    { model, requested_model, input_tokens, output_tokens, cost_nano, status, end_user, operation },
    {
      model: 'words',
      requested_model: 'gpt-4',
      input_tokens: 7,
      output_tokens: 3,
      cost_nano: 7 * 1000 + 3 * 2000,
      status: 'ok',
      end_user: 'end-user-1',
      operation: 'chat.completions.create',
    },
  )
})

test('a stream is frames of one line, ends with [DONE], and holds usage only when asked', async () => {
  const { headers, text } = await chat({ stream: true })
  assert.equal(headers['content-type'], 'text/event-stream')
  assert.match(text, /^(data: \{.*\}\n\n)+data: \[DONE\]\n\n$/)
  assert.doesNotMatch(text, /"usage"/)
  const asked = await chat({ stream: true, stream_options: { include_usage: true } })
  const frames = asked.text
    .split('\n\n')
    .slice(0, -2)
    .map(frame => JSON.parse(frame.slice(6)))
  assert.deepEqual(frames.at(-1).choices, [])
  assert.deepEqual(frames.at(-1).usage, { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 })
  assert.ok(frames.slice(0, -1).every(frame => frame.usage === null))
})

test('an error before the first chunk is a plain error, also for a stream', async () => {
  const { status, headers, json } = await chat({ stream: true, temperature: 1 })
  assert.equal(status, 503)
  assert.equal(headers['retry-after'], '3')
  assert.equal(json.error?.code, 'engine_overloaded')
})

test('an error in mid-stream is a frame of its own without internals, and no [DONE] follows', async () => {
  const { status, text } = await chat({ stream: true, temperature: 2 })
  assert.equal(status, 200)
  assert.match(text, /data: \{"error":\{"message":"The server had an error[^\n]+\}\n\n$/)
  assert.doesNotMatch(text, /secret detail|\[DONE\]/)
  assert.equal((await charged()).status, 'failed')
})

test('a client that leaves stops the engine and is charged for what was generated', async () => {
  const url = new URL(base)
  const socket = connect(Number(url.port), url.hostname)
  const body = JSON.stringify({
    model: 'words',
    stream: true,
    max_tokens: 1001,
    messages: [{ role: 'user', content: 'hi' }],
  })
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secret}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  await once(socket, 'data')
  socket.destroy()
  while (seen.aborted === 0) await new Promise(resolve => setImmediate(resolve))
  let row = await charged()
  while (row.requested_model !== 'words') row = await charged()
  assert.equal(row.status, 'cancelled')
  assert.ok(row.output_tokens > 0 && row.output_tokens <= seen.aborted)
})

const deep = (levels: number) => `{"model":"gpt-4","messages":${'['.repeat(levels)}${']'.repeat(levels)}}`
const refusals: [
  name: string,
  ask: () => Promise<Answer>,
  status: number,
  error: { code?: string | null; param?: string | null; says?: RegExp },
][] = [
  ['no key', () => chat({}, { authorization: '' }), 401, { code: null, says: /didn't provide an API key/ }],
  [
    'a wrong key',
    () => chat({}, { authorization: 'Bearer sk-wrong-0123456789' }),
    401,
    { code: 'invalid_api_key', says: /sk-wr\*\*\*6789/ },
  ],
  [
    'a foreign organisation',
    () => chat({}, { 'openai-organization': 'org-else' }),
    401,
    { code: 'mismatched_organization' },
  ],
  [
    'broken JSON',
    () => send('POST', '/v1/chat/completions', '{"model":'),
    400,
    { says: /could not parse the JSON body/ },
  ],
  ['no object', () => send('POST', '/v1/chat/completions', '[]'), 400, { says: /must be a JSON object/ }],
  [
    'an empty body',
    () => send('POST', '/v1/chat/completions'),
    400,
    { code: 'missing_required_parameter', param: 'model' },
  ],
  [
    'NaN',
    () => send('POST', '/v1/chat/completions', '{"model":"gpt-4","temperature":NaN}'),
    400,
    { says: /could not parse/ },
  ],
  ['1e999', () => send('POST', '/v1/chat/completions', '{"model":"gpt-4","temperature":1e999}'), 400, { code: null }],
  ['too much depth', () => send('POST', '/v1/chat/completions', deep(70)), 400, { code: 'json_too_deep' }],
  [
    'invalid UTF-8',
    () => send('POST', '/v1/chat/completions', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])),
    400,
    { says: /not UTF-8/ },
  ],
  ['a wrong type', () => chat({ temperature: 'hot' }), 400, { code: 'invalid_type', param: 'temperature' }],
  [
    'a wrong type inside',
    () => chat({ messages: [{ role: 'user', content: 7 }] }),
    400,
    { param: 'messages[0].content' },
  ],
  [
    'a missing field',
    () => chat({ messages: undefined }),
    400,
    { code: 'missing_required_parameter', param: 'messages' },
  ],
  ['an unknown parameter', () => chat({ temprature: 1 }), 400, { code: 'unknown_parameter', param: 'temprature' }],
  [
    'a parameter that is not implemented',
    () => chat({ modalities: ['audio'] }),
    400,
    { code: 'unsupported_parameter', param: 'modalities' },
  ],
  ['an unknown model', () => chat({ model: 'gpt-nope' }), 404, { code: 'model_not_found' }],
  [
    'a model without the ability',
    () => send('POST', '/v1/embeddings', '{"model":"words","input":"x"}'),
    400,
    { param: 'model' },
  ],
  ['an unknown URL', () => send('GET', '/v1/nothing'), 404, { code: null, says: /Invalid URL \(GET \/v1\/nothing\)/ }],
  ['/v1 twice', () => send('POST', '/v1/v1/chat/completions', '{}'), 404, { says: /holds \/v1 twice/ }],
  ['no /v1', () => send('POST', '/chat/completions', '{}'), 404, { says: /perhaps you meant \/v1\/chat\/completions/ }],
  ['a slash at the end', () => send('GET', '/v1/models/'), 404, { says: /Remove the slash/ }],
  ['a bare slash in a model name', () => send('GET', '/v1/models/Qwen/Qwen3'), 404, { says: /as %2F/ }],
  ['a wrong method', () => send('PUT', '/v1/chat/completions', '{}'), 405, { code: 'method_not_supported' }],
  [
    'a body that is too large',
    () => send('POST', '/v1/chat/completions', `"${'x'.repeat(100_001)}"`),
    413,
    { code: 'request_too_large' },
  ],
  [
    'another content type',
    () => send('POST', '/v1/chat/completions', 'a=b', { 'content-type': 'text/plain' }),
    415,
    { code: 'unsupported_media_type' },
  ],
  [
    'a compressed body',
    () => send('POST', '/v1/chat/completions', '{}', { 'content-encoding': 'gzip' }),
    415,
    { code: 'unsupported_media_type' },
  ],
]
for (const [name, ask, status, { code, param, says }] of refusals)
  test(`${name} is answered with ${status} in OpenAI's form`, async () => {
    const answer = await ask()
    assert.equal(answer.status, status, answer.text)
    assert.equal(answer.headers['content-type'], 'application/json')
    const error = answer.json.error!
    assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'])
    if (code !== undefined) assert.equal(error.code, code)
    if (param !== undefined) assert.equal(error.param, param)
    if (says !== undefined) assert.match(error.message, says)
  })

test('a request whose headers are no HTTP gets a 400 in the same form, and the connection is closed', async () => {
  const url = new URL(base)
  const socket = connect(Number(url.port), url.hostname)
  socket.write('GET / HTTP/1.1\r\nno colon here\r\n\r\n')
  let text = ''
  for await (const bytes of socket) text += bytes
  assert.match(text, /^HTTP\/1\.1 400 [\s\S]+\{"error":\{"message":"The request is not valid HTTP\."/)
})

test('a browser may ask before it sends', async () => {
  const { status, headers } = await send('OPTIONS', '/v1/chat/completions', undefined, {
    'access-control-request-headers': 'authorization,x-stainless-os',
  })
  assert.equal(status, 204)
  assert.equal(headers['access-control-allow-origin'], '*')
  assert.equal(headers['access-control-allow-headers'], 'authorization,x-stainless-os')
})

test('models are listed with their aliases, and one is found by either name', async () => {
  const { json } = await send('GET', '/v1/models')
  assert.deepEqual(json, {
    object: 'list',
    data: [
      { id: 'words', object: 'model', created: 1_700_000_000, owned_by: 'test' },
      { id: 'gpt-4', object: 'model', created: 1_700_000_000, owned_by: 'test' },
    ],
  })
  assert.equal((await send('GET', '/v1/models/gpt-4')).json.id, 'gpt-4')
  assert.equal((await send('GET', '/v1/models/none')).status, 404)
})

test('the OpenAPI document describes every operation', async () => {
  const { json } = await send('GET', '/openapi.json', undefined, { authorization: '' })
  const described = Object.entries(json.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
  )
  assert.deepEqual(described.sort(), operations.map(({ method, path }) => `${method} ${path}`).sort())
})
