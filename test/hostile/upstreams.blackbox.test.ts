/** The started product between the official client and an upstream that misbehaves in every way that upstreams are known for. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import OpenAI from 'openai'
import { request } from 'undici'
import { residentBytes } from '../../src/lib/memory.ts'
import { type Product, startProduct } from '../support/product.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'
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
  lastChunk,
  silence,
  stream,
  streamHead,
  streamThenSilence,
  usageEvent,
} from './scripts.ts'
import { openAiError } from './setting.ts'
import { type HostileUpstream, hostileUpstream, type Script } from './upstream.ts'

const messages = [{ role: 'user' as const, content: 'A prompt that nobody may print' }]
const key = 'sk-upstream-canary-4fQz81LmX0'
/** Of the upstream that is asked by those who wait for nothing: whatever hangs. */
const hastyMs = 400
const html = '<!doctype html><title>Sign in</title><script>alert(1)</script>'
const json = { 'content-type': 'application/json' }
const head = (headers: string, status = '200 OK') => `HTTP/1.1 ${status}\r\n${headers}\r\n`
const begun = goodEvents.slice(0, 3)
const start = streamHead + chunk(begun.join('')).toString()
const said = 'Hello '

const settings = (bad: HostileUpstream, good: Upstream) => `
log_requests: true
upstreams:
  bad: { base_url: ${bad.origin}/v1, api_key: "\${BAD_KEY}" }
  hasty: { base_url: ${bad.origin}/v1, api_key: "\${BAD_KEY}", first_byte_timeout_ms: ${hastyMs}, idle_timeout_ms: ${hastyMs} }
  good: { base_url: ${good.baseUrl}, api_key: "\${GOOD_KEY}" }
  gone: { base_url: "http://127.0.0.1:1/v1" }
  nowhere: { base_url: "http://name.invalid/v1", connect_timeout_ms: 900 }
models:
  hasty-chat: { upstream: hasty, name: big-1, price: { input: 1, output: 2 } }
  bad-chat: { upstream: bad, name: big-1, price: { input: 1, output: 2 } }
  billed-chat: { upstream: bad, name: big-1, price: { input: 1, output: 2 } }
  good-chat: { upstream: good, name: ${upstreamModels.chat}, price: { input: 1, output: 2 } }
  gone-chat: { upstream: gone, price: { input: 1, output: 2 } }
  nowhere-chat: { upstream: nowhere, price: { input: 1, output: 2 } }
${['either', 'begun']
  .map(
    name => `  ${name}-chat:
    targets: [{ upstream: hasty, name: big-1 }, { upstream: gone, name: x }, { upstream: good, name: ${upstreamModels.chat} }]
    price: { input: 1, output: 2 }
`,
  )
  .join('')}`

let bad: HostileUpstream
let good: Upstream
let product: Product
let client: OpenAI

before(async () => {
  bad = await hostileUpstream(silence)
  good = await startUpstream()
  product = await startProduct({ yaml: settings(bad, good), env: { BAD_KEY: key, GOOD_KEY: good.key } })
  client = new OpenAI({ apiKey: product.key, baseURL: `${product.url}/v1`, maxRetries: 0 })
})
after(async () => {
  await product?.[Symbol.asyncDispose]()
  await bad?.close()
  await good?.close()
})

/** What the official client has of a stream: its text, and the error at its end. */
async function streamed(model = 'bad-chat'): Promise<{ text: string; finish: string | null; error: unknown }> {
  const seen = { text: '', finish: null as string | null, error: undefined as unknown }
  try {
    for await (const { choices } of await client.chat.completions.create({ model, messages, stream: true })) {
      seen.text += choices[0]?.delta.content ?? ''
      seen.finish = choices[0]?.finish_reason ?? seen.finish
    }
  } catch (error) {
    seen.error = error
  }
  return seen
}

const whole = (model = 'bad-chat') =>
  client.chat.completions.create({ model, messages }).then(
    reply => ({ reply, error: undefined }),
    (error: unknown) => ({ reply: undefined, error }),
  )

/** The same as bytes. */
async function raw(stream: boolean, model: string): Promise<{ status: number; text: string }> {
  const { statusCode, body } = await request(`${product.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${product.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages, stream }),
  })
  return { status: statusCode, text: await body.text() }
}

/** An error as clients know it, with nothing of what the upstream sent or of where it is. */
function refusedWith(error: unknown, status: number | undefined, code: string): void {
  assert.ok(error instanceof OpenAI.APIError, String(error))
  assert.deepEqual([error.status, error.code], [status, code])
  hidesAll(JSON.stringify([error.message, error.error]))
}

function hidesAll(text: string): void {
  for (const secret of [
    key,
    String(bad.port),
    '127.0.0.1',
    'invalid/',
    '<',
    'ECONN',
    'ENOTFOUND',
    'undici',
    'node:',
    ' at /',
  ])
    assert.ok(!text.includes(secret), `${secret} stands in ${text.slice(0, 500)}`)
}

const modelFor = (code: string) => (code === 'upstream_timeout' ? 'hasty-chat' : 'bad-chat')

const isWell = async () => assert.equal((await whole('good-chat')).reply?.object, 'chat.completion')

interface Before {
  name: string
  script: Script
  status: number
  code: string
  /** Only where a stream, or a document, was asked for; both when absent. */
  asked?: 'stream' | 'document'
}

const invalid = (name: string, script: Script, asked?: Before['asked']): Before => ({
  ...{ name, script, status: 502, code: 'upstream_invalid_response' },
  ...(asked && { asked }),
})

const stacked = Array.from({ length: 5 }).reduce<Buffer>(packed => gzipSync(packed), Buffer.alloc(1_000_000, 'x'))

const beforeReply: Before[] = [
  { name: 'a hang before the headers', script: silence, status: 504, code: 'upstream_timeout' },
  {
    name: 'a hang after the headers',
    script: bytes(head('content-type: application/json\r\ncontent-length: 10\r\n')),
    ...{ status: 504, code: 'upstream_timeout', asked: 'document' },
  },
  {
    name: 'a hang before the first event',
    script: streamThenSilence([]),
    ...{ status: 504, code: 'upstream_timeout', asked: 'stream' },
  },
  {
    name: 'headers that come byte by byte',
    script: async wire => {
      for (const letter of 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx: y'.repeat(50)) {
        if (!(await wire.send(letter))) return
        await wait(20)
      }
    },
    ...{ status: 504, code: 'upstream_timeout' },
  },
  { name: 'a reset', script: wire => wire.reset(), status: 502, code: 'upstream_unreachable' },
  { name: 'a close', script: wire => wire.end(), status: 502, code: 'upstream_unreachable' },
  {
    name: 'a reset within a document',
    script: bytesThenReset(`${head('content-type: application/json\r\ncontent-length: 500\r\n')}{"id"`),
    ...{ status: 502, code: 'upstream_interrupted', asked: 'document' },
  },
  {
    name: 'a half close within a document',
    script: bytesThenEnd(`${head('content-type: application/json\r\ncontent-length: 500\r\n')}{"id"`),
    ...{ status: 502, code: 'upstream_interrupted', asked: 'document' },
  },
  invalid('HTML with 200', bytes(answer(200, { 'content-type': 'text/html' }, html))),
  invalid('HTML that calls itself JSON', bytes(answer(200, json, html))),
  invalid('HTML that calls itself a stream', stream([html])),
  invalid('an event of HTML', stream([`data: ${html}\n\n`]), 'stream'),
  invalid('a wrong content type', bytes(answer(200, { 'content-type': 'text/plain' }, JSON.stringify(completion)))),
  invalid('an event that is no JSON', stream(['data: {"choices":[}\n\n']), 'stream'),
  invalid('a line of 10 MB', stream([`data: {"x":"${'y'.repeat(10_000_000)}"}\n\n`]), 'stream'),
  invalid('a line without end', endless('y'.repeat(100_000), streamHead, 200_000_000), 'stream'),
  invalid('a stream of nothing', stream([done]), 'stream'),
  invalid(
    'invalid UTF-8 split over chunks',
    stream([
      Buffer.from('data: {"choices":[{"delta":{"content":"\xf0\x9f', 'latin1'),
      Buffer.from('\xc3("}}]}\n\n', 'latin1'),
    ]),
    'stream',
  ),
  invalid('invalid UTF-8 in a document', bytes(answer(200, json, Buffer.from('{"id":"\xff"}', 'latin1'))), 'document'),
  invalid(
    'compression within compression',
    bytes(answer(200, { ...json, 'content-encoding': 'gzip, gzip, gzip, gzip, gzip' }, stacked)),
  ),
  invalid(
    'compression of a stream',
    bytes(
      answer(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }, gzipSync(goodEvents.join(''))),
    ),
  ),
  invalid(
    'two lengths',
    bytes(`${head('content-type: application/json\r\ncontent-length: 5\r\ncontent-length: 7\r\n')}{"a":1}`),
  ),
  invalid('a header without end', endless('x'.repeat(1000), 'HTTP/1.1 200 OK\r\nx: ')),
  invalid('another protocol', bytes('SSH-2.0-OpenSSH_9.6\r\n')),
  {
    name: '500 with words of its inside',
    script: jsonAnswer(500, openAiError(`at /opt/x.js <${key}>`)),
    status: 502,
    code: 'upstream_failed',
  },
  {
    name: '401 that names the key',
    script: jsonAnswer(401, openAiError(`Incorrect API key: ${key}`)),
    status: 502,
    code: 'upstream_refused_key',
  },
]

describe('an upstream that misbehaves before it answers', { timeout: 60_000 }, () => {
  for (const { name, script, status, code, asked } of beforeReply)
    test(`${name} becomes ${status} ${code}, and the next request is answered`, async () => {
      bad.script = script
      const model = modelFor(code)
      if (asked !== 'stream') refusedWith((await whole(model)).error, status, code)
      if (asked !== 'document') refusedWith((await streamed(model)).error, status, code)
      const { status: seen, text } = await raw(asked === 'stream', model)
      assert.equal(seen, status)
      assert.deepEqual(Object.keys(JSON.parse(text)), ['error'])
      hidesAll(text)
      bad.script = jsonAnswer(200, completion)
      assert.equal((await whole(model)).reply?.choices[0]?.message.content, 'Hello')
    })

  test('429 and 503 come with the time to wait', async () => {
    bad.script = jsonAnswer(429, openAiError('Slow down.', { code: 'rate_limit_exceeded' }), { 'retry-after': '7' })
    const limited = (await whole()).error
    assert.ok(limited instanceof OpenAI.RateLimitError)
    assert.deepEqual([limited.headers.get('retry-after'), limited.code], ['7', 'rate_limit_exceeded'])
    bad.script = jsonAnswer(503, {}, { 'retry-after': '3' })
    const { error } = await whole()
    refusedWith(error, 503, 'upstream_unavailable')
    assert.equal(error instanceof OpenAI.APIError && error.headers?.get('retry-after'), '3')
  })

  test('nobody listening and a name that nobody knows are 502 within a second', async () => {
    for (const model of ['gone-chat', 'nowhere-chat'])
      for (const ask of [whole, streamed]) {
        const startedMs = performance.now()
        const { error } = await ask(model)
        assert.ok(performance.now() - startedMs < 1000, `${model}: ${performance.now() - startedMs} ms`)
        assert.ok(error instanceof OpenAI.APIError)
        // Without a resolver the question for the name itself takes too long.
        assert.match(`${error.status} ${error.code}`, /502 upstream_unreachable|504 upstream_timeout/)
        hidesAll(JSON.stringify(error.error))
      }
  })

  test('the next upstream is asked, as long as nothing was sent; never after that', async () => {
    for (const script of [silence, jsonAnswer(500, {}), (wire => wire.reset()) satisfies Script, stream([html])]) {
      bad.script = script
      assert.equal((await streamed('either-chat')).error, undefined)
      assert.equal((await whole('either-chat')).reply?.model, upstreamModels.chat)
    }
    const { length: asked } = good.requests
    bad.script = bytesThenReset(start)
    for (let round = 0; round < 3; round++) {
      const { text, error } = await streamed('begun-chat')
      assert.equal(text, said)
      refusedWith(error, undefined, 'upstream_interrupted')
    }
    assert.equal(good.requests.length, asked)
  })

  for (const status of [301, 302, 303, 307, 308])
    test(`a redirect (${status}) is never followed, with or without credentials`, async () => {
      const canary = await hostileUpstream(jsonAnswer(200, completion))
      for (const location of [`${canary.origin}/v1/chat/completions`, `http://me:you@127.0.0.1:${canary.port}/`]) {
        bad.script = bytes(head(`location: ${location}\r\ncontent-length: 0\r\n`, `${status} Elsewhere`))
        refusedWith((await whole()).error, 502, 'upstream_invalid_response')
        refusedWith((await streamed()).error, 502, 'upstream_invalid_response')
      }
      assert.equal(canary.received.length, 0)
      await canary.close()
    })
})

const inMidStream: { name: string; script: Script; code: string }[] = [
  { name: 'a reset', script: bytesThenReset(start), code: 'upstream_interrupted' },
  { name: 'a half close', script: bytesThenEnd(start), code: 'upstream_interrupted' },
  { name: 'a clean end without finish_reason and [DONE]', script: stream(begun), code: 'upstream_interrupted' },
  { name: 'a hang', script: streamThenSilence(begun), code: 'upstream_timeout' },
  {
    name: 'a slow loris',
    script: async wire => {
      await wire.send(start)
      for (const letter of `data: {"x":"${'y'.repeat(1000)}`) {
        if (!(await wire.send(chunk(letter)))) return
        await wait(50)
      }
    },
    code: 'upstream_timeout',
  },
  { name: 'an event of HTML', script: stream([...begun, `data: ${html}\n\n`]), code: 'upstream_invalid_response' },
  {
    name: 'a line of 10 MB',
    script: stream([...begun, `data: {"x":"${'y'.repeat(10_000_000)}"}\n\n`, done]),
    code: 'upstream_invalid_response',
  },
  {
    name: 'invalid UTF-8 split over chunks',
    script: stream([
      ...begun,
      Buffer.from('data: {"x":"\xe4\xbd', 'latin1'),
      Buffer.from('\x41"}\n\n', 'latin1'),
      done,
    ]),
    code: 'upstream_invalid_response',
  },
  { name: 'a NUL', script: stream([...begun, 'data: {"x":"\0"}\n\n', done]), code: 'upstream_invalid_response' },
  { name: 'broken chunks', script: bytes(`${start}zz\r\nnonsense\r\n`), code: 'upstream_invalid_response' },
  {
    name: 'an error event',
    script: stream([...begun, event(openAiError(`It broke at ${key}.`)), done]),
    code: 'some_code',
  },
]

describe('an upstream that misbehaves in the middle of a stream', { timeout: 60_000 }, () => {
  for (const { name, script, code } of inMidStream)
    test(`${name}: the client has what came and an error, never a silent end`, async () => {
      bad.script = script
      const { text, finish, error } = await streamed(modelFor(code))
      assert.deepEqual([text, finish], [said, null])
      refusedWith(error, undefined, code)
      const sent = await raw(true, modelFor(code))
      assert.match(sent.text, /\n\ndata: \{"error":\{[^\n]*\}\}\n\n$/)
      assert.doesNotMatch(sent.text, /\[DONE\]/)
      hidesAll(sent.text)
      await isWell()
    })

  test('a missing [DONE] is made up for when the reply is whole, and missing usage is counted', async () => {
    const finished = [...begun, chatEvent({}, 'stop')]
    for (const script of [stream(finished), bytesThenReset(streamHead + chunk(finished.join('')).toString())]) {
      bad.script = script
      const { text, finish, error } = await streamed()
      assert.deepEqual([text, finish, error], [said, 'stop', undefined])
      assert.match((await raw(true, 'bad-chat')).text, /\[DONE\]\n\n$/)
    }
    bad.script = stream([...finished, done])
    const asked = await client.chat.completions.create({
      ...{ model: 'bad-chat', messages, stream: true as const },
      stream_options: { include_usage: true },
    })
    let completionTokens: number | undefined
    for await (const { usage } of asked) completionTokens = usage?.completion_tokens ?? completionTokens
    assert.equal(completionTokens, 2)
  })

  test('a character that is split over chunks, CRLF, CR, a byte order mark and comments change nothing', async () => {
    const events = [...begun, chatEvent({ content: '🌍 你好' }), chatEvent({}, 'stop'), usageEvent, done].join('')
    const forms = [events, events.replaceAll('\n', '\r\n'), events.replaceAll('\n', '\r'), `\ufeff: hi\n\n${events}`]
    for (const form of forms)
      for (const size of [1, 7]) {
        const sent = Buffer.from(form)
        const pieces = Array.from({ length: Math.ceil(sent.length / size) }, (_, at) =>
          sent.subarray(at * size, (at + 1) * size),
        )
        bad.script = bytes(
          Buffer.concat([Buffer.from(streamHead), ...pieces.map(piece => chunk(piece)), Buffer.from(lastChunk)]),
        )
        const { text, finish, error } = await streamed()
        assert.deepEqual([text, finish, error], [`${said}🌍 你好`, 'stop', undefined])
      }
  })

  test('names of events, ids and times to wait of an upstream are its own affair', async () => {
    bad.script = stream([
      ...begun,
      'event: execute\nid: 7\nretry: 1\ndata: {"choices":[],"code":"alert(1)"}\n\n',
      ...goodEvents.slice(4),
    ])
    assert.doesNotMatch((await raw(true, 'bad-chat')).text, /^(?:event|id|retry):/m)
  })
})

describe('an upstream that misbehaves, and everybody else', { timeout: 60_000 }, () => {
  test('twenty slow ones do not hold up the others', async () => {
    bad.script = async wire => {
      await wire.send(start)
      while (await wire.send(chunk(': y\n\n'))) await wait(5)
    }
    const slow = Array.from({ length: 20 }, async () => {
      const leaving = new AbortController()
      const asked = await client.chat.completions.create(
        { model: 'bad-chat', messages, stream: true },
        { signal: leaving.signal },
      )
      return { asked, leaving }
    })
    await Promise.all(slow)
    const tookMs: number[] = []
    for (let round = 0; round < 40; round++) {
      const startedMs = performance.now()
      await isWell()
      tookMs.push(performance.now() - startedMs)
    }
    const [median] = tookMs.toSorted((a, b) => a - b).slice(20)
    for (const one of slow) (await one).leaving.abort()
    assert.ok(median! < 50, `${median} ms`)
  })

  test('memory stays flat under lines of 10 MB and streams without end', async () => {
    const script = stream([...begun, `data: {"x":"${'y'.repeat(10_000_000)}"}\n\n`])
    bad.script = script
    await Promise.all(Array.from({ length: 4 }, () => streamed()))
    const before = residentBytes(product.pid)
    if (before === undefined) return // not on Linux
    for (let round = 0; round < 5; round++) {
      bad.script = script
      await Promise.all(Array.from({ length: 4 }, () => streamed()))
      bad.script = endless('y'.repeat(100_000), streamHead, 20_000_000)
      await streamed()
    }
    const grown = residentBytes(product.pid)! - before
    assert.ok(grown < 100_000_000, `${grown} bytes after ${5 * 5} hostile streams of 10 MB and more`)
  })

  test('what was served before a break is billed', async () => {
    bad.script = bytesThenReset(start)
    await streamed('billed-chat')
    const admin = new OpenAI({ apiKey: product.key, adminAPIKey: product.key, baseURL: `${product.url}/v1` })
    const billed = async () => {
      const query = { start_time: Math.floor(Date.now() / 1000) - 86_400, group_by: ['model' as const] }
      const { data } = await admin.admin.organization.usage.completions(query)
      const results = data.flatMap(({ results }) => results)
      return results.find(result => 'model' in result && result.model === 'billed-chat')
    }
    const untilMs = performance.now() + 5000
    let found = await billed()
    while (found === undefined && performance.now() < untilMs) found = await billed()
    assert.ok(found !== undefined && 'output_tokens' in found)
    assert.ok(found.input_tokens > 0)
    assert.deepEqual([found.output_tokens, found.num_model_requests], [2, 1])
  })

  test('nothing secret was printed, and the product ends in order', async () => {
    await product.stop()
    const { stdout, stderr } = product.printed()
    assert.match(stderr, /upstream\.stream_failed/)
    for (const secret of [key, good.key, product.key, 'nobody may print', 'wörld', '<!doctype'])
      assert.ok(!(stdout + stderr).includes(secret), secret)
    assert.doesNotMatch(stderr, /unhandled|uncaught/i)
  })
})
