import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { request } from 'undici'
import { errorOf } from '../support/errors.ts'
import { smallModelSettings } from '../support/models.ts'
import { type Product, startProduct } from '../support/product.ts'
import { ask, encode, openWire, type RawRequest } from '../support/socket.ts'

const good = { model: 'gpt-3.5-turbo', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2 }
const text = JSON.stringify(good)
/** The good request with other or more parameters. */
const withBody = (more: object, path = '/v1/chat/completions'): RawRequest => ({
  path,
  body: JSON.stringify({ ...good, ...more }),
})
const raw = (body: string | Buffer, headers: Record<string, string> = {}): RawRequest => ({
  path: '/v1/chat/completions',
  body,
  headers,
})
const nested = (levels: number) => text.replace('"Hi"', `${'['.repeat(levels)}${']'.repeat(levels)}`)

interface Bad {
  name: string
  request: RawRequest
  status?: number
  code?: string | null
  param?: string | null
  says?: RegExp
}

const jsonError = { code: null, param: null, says: /^We could not parse the JSON body of your request/ }
const tokens = { model: 'text-embedding-ada-002' }

const table: readonly Bad[] = [
  // no JSON
  { name: 'broken JSON', request: raw(`${text.slice(0, -1)},}`), ...jsonError },
  { name: 'JSON that ends early', request: raw(text.slice(0, 30)), ...jsonError },
  { name: 'two JSON values', request: raw(text + text), ...jsonError },
  { name: 'single quotes', request: raw("{'model': 'gpt-3.5-turbo'}"), ...jsonError },
  { name: 'a comment', request: raw(`/* hello */ ${text}`), ...jsonError },
  { name: 'NaN', request: raw(text.replace('2}', 'NaN}')), ...jsonError },
  { name: 'Infinity', request: raw(text.replace('2}', '-Infinity}')), ...jsonError },
  { name: 'a number that is no double', request: raw(text.replace('2}', '1e999}')), ...jsonError },
  { name: 'a number of a thousand digits', request: raw(text.replace('2}', `${'9'.repeat(1000)}}`)), ...jsonError },
  { name: 'bytes that are not UTF-8', request: raw(Buffer.from(text.replace('Hi', 'Hé'), 'latin1')), ...jsonError },
  { name: 'UTF-16', request: raw(Buffer.from(`\ufeff${text}`, 'utf16le')), ...jsonError },
  { name: 'half of a surrogate pair', request: raw(text.replace('Hi', '\\ud83d')), ...jsonError },
  { name: 'a control character in a string', request: raw(text.replace('Hi', 'H\ni')), ...jsonError },
  { name: 'a form', request: raw('model=gpt-3.5-turbo&messages=Hi'), ...jsonError },
  { name: '__proto__', request: raw(`{"__proto__": {"model": "gpt-3.5-turbo"}, ${text.slice(1)}`), ...jsonError },
  { name: '__proto__ in disguise', request: raw(`{"__pro\\u0074o__": null, ${text.slice(1)}`), ...jsonError },
  {
    name: 'constructor.prototype',
    request: raw(`{"metadata": {"constructor": {"prototype": {}}}, ${text.slice(1)}`),
    ...jsonError,
  },
  // JSON, but no object
  ...['[]', '"text"', '12', 'true', 'null', `[${text}]`].map(
    (body): Bad => ({
      name: `the body ${body.slice(0, 10)}`,
      request: raw(body),
      code: null,
      param: null,
      says: /must be a JSON object/,
    }),
  ),
  { name: 'nesting of 66 levels', request: raw(nested(63)), code: 'json_too_deep', param: null },
  { name: 'nesting of a million levels', request: raw('['.repeat(1_000_000)), code: 'json_too_deep', param: null },
  {
    name: 'nesting of 64 levels, which is allowed and only of the wrong type',
    request: raw(nested(61)),
    code: 'invalid_type',
    param: 'messages[0].content[0]',
  },
  // missing
  { name: 'an empty body', request: raw(''), code: 'missing_required_parameter', param: 'model' },
  { name: 'an empty object', request: raw('{}'), code: 'missing_required_parameter', param: 'model' },
  {
    name: 'no messages',
    request: raw('{"model": "gpt-3.5-turbo"}'),
    code: 'missing_required_parameter',
    param: 'messages',
  },
  {
    name: 'a message without a role',
    request: withBody({ messages: [{ content: 'Hi' }] }),
    code: 'missing_required_parameter',
    param: 'messages[0].role',
  },
  {
    name: 'a message without content',
    request: withBody({ messages: [{ role: 'user' }] }),
    code: 'missing_required_parameter',
    param: 'messages[0].content',
  },
  {
    name: 'no input',
    request: { path: '/v1/embeddings', body: JSON.stringify(tokens) },
    code: 'missing_required_parameter',
    param: 'input',
  },
  // of the wrong type
  { name: 'a model that is a number', request: withBody({ model: 4 }), code: 'invalid_type', param: 'model' },
  { name: 'a model that is null', request: withBody({ model: null }), code: 'invalid_type', param: 'model' },
  { name: 'messages that are a text', request: withBody({ messages: 'Hi' }), code: 'invalid_type', param: 'messages' },
  {
    name: 'a message that is a text',
    request: withBody({ messages: ['Hi'] }),
    code: 'invalid_type',
    param: 'messages[0]',
  },
  {
    name: 'content that is a number',
    request: withBody({ messages: [{ role: 'user', content: 5 }] }),
    code: 'invalid_type',
    param: 'messages[0].content',
  },
  {
    name: 'a temperature that is a text',
    request: withBody({ temperature: '0.5' }),
    code: 'invalid_type',
    param: 'temperature',
  },
  {
    name: 'max_tokens that is no integer',
    request: withBody({ max_tokens: 1.5 }),
    code: 'invalid_type',
    param: 'max_tokens',
  },
  { name: 'stream that is a text', request: withBody({ stream: 'true' }), code: 'invalid_type', param: 'stream' },
  { name: 'a stop of numbers', request: withBody({ stop: [1] }), code: 'invalid_type', param: 'stop[0]' },
  {
    name: 'an input of booleans',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: [true] }) },
    code: 'invalid_type',
    param: 'input[0]',
  },
  {
    name: 'an input of texts and tokens',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: ['a', 1] }) },
    code: 'invalid_type',
    param: 'input[1]',
  },
  // out of range
  {
    name: 'an unknown role',
    request: withBody({ messages: [{ role: 'wizard', content: 'Hi' }] }),
    code: 'invalid_value',
    param: 'messages[0].role',
  },
  { name: 'no messages at all', request: withBody({ messages: [] }), code: 'empty_array', param: 'messages' },
  {
    name: 'a temperature below 0',
    request: withBody({ temperature: -0.1 }),
    code: 'decimal_below_min_value',
    param: 'temperature',
  },
  {
    name: 'a temperature above 2',
    request: withBody({ temperature: 2.1 }),
    code: 'decimal_above_max_value',
    param: 'temperature',
  },
  { name: 'top_p above 1', request: withBody({ top_p: 1.01 }), code: 'decimal_above_max_value', param: 'top_p' },
  { name: 'n of 0', request: withBody({ n: 0 }), code: 'integer_below_min_value', param: 'n' },
  { name: 'n of a million', request: withBody({ n: 1_000_000 }), code: 'integer_above_max_value', param: 'n' },
  {
    name: 'max_tokens of 0',
    request: withBody({ max_tokens: 0 }),
    code: 'integer_below_min_value',
    param: 'max_tokens',
  },
  {
    name: 'five stop sequences',
    request: withBody({ stop: ['a', 'b', 'c', 'd', 'e'] }),
    code: 'array_above_max_length',
    param: 'stop',
  },
  {
    name: 'an empty input',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: '' }) },
    code: 'empty_string',
    param: 'input',
  },
  {
    name: 'an empty list of inputs',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: [] }) },
    code: 'empty_array',
    param: 'input',
  },
  {
    name: '2049 inputs',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: Array(2049).fill('a') }) },
    code: 'array_above_max_length',
    param: 'input',
  },
  {
    name: 'a token below 0',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: [-1] }) },
    code: 'integer_below_min_value',
    param: 'input[0]',
  },
  {
    name: 'a token that is none',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: [9_999_999] }) },
    code: 'invalid_value',
    param: 'input',
  },
  {
    name: 'dimensions of 0',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: 'a', dimensions: 0 }) },
    code: 'integer_below_min_value',
    param: 'dimensions',
  },
  {
    name: 'more dimensions than the model has',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: 'a', dimensions: 60_000 }) },
    code: 'invalid_value',
    param: 'dimensions',
  },
  {
    name: 'an unknown encoding',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: 'a', encoding_format: 'hex' }) },
    code: 'invalid_value',
    param: 'encoding_format',
  },
  // not this model, not this parameter
  {
    name: 'an unknown model',
    request: withBody({ model: 'gpt-unheard-of' }),
    status: 404,
    code: 'model_not_found',
    param: null,
  },
  {
    name: 'a model with the name of a property',
    request: withBody({ model: 'toString' }),
    status: 404,
    code: 'model_not_found',
    param: null,
  },
  {
    name: 'a model that is a path',
    request: withBody({ model: '../../etc/passwd' }),
    status: 404,
    code: 'model_not_found',
    param: null,
  },
  {
    name: 'an embedding model for a chat',
    request: withBody({ model: 'text-embedding-ada-002' }),
    code: 'model_not_supported',
    param: 'model',
  },
  {
    name: 'a chat model for an embedding',
    request: { path: '/v1/embeddings', body: '{"model": "gpt-3.5-turbo", "input": "a"}' },
    code: 'model_not_supported',
    param: 'model',
  },
  {
    name: 'an unknown parameter',
    request: withBody({ temprature: 1 }),
    code: 'unknown_parameter',
    param: 'temprature',
  },
  {
    name: 'an unknown parameter in a message',
    request: withBody({ messages: [{ role: 'user', content: 'Hi', mood: 'good' }] }),
    code: 'unknown_parameter',
    param: 'messages[0].mood',
  },
  {
    name: 'tools, which this model has not learned',
    request: withBody({ tools: [{ type: 'function', function: { name: 'f' } }] }),
    code: 'unsupported_parameter',
    param: 'tools',
  },
  {
    name: 'a picture, which this model cannot see',
    request: withBody({
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://a.example/b.png' } }] }],
    }),
    code: 'unsupported_value',
    param: 'messages[0].content[0].type',
  },
  {
    name: 'stream_options without a stream',
    request: withBody({ stream_options: { include_usage: true } }),
    code: 'invalid_value',
    param: 'stream_options',
  },
  {
    name: 'two limits at once',
    request: withBody({ max_completion_tokens: 2 }),
    code: 'invalid_parameter_combination',
    param: 'max_tokens',
  },
  // no way in
  {
    name: 'no key',
    request: { ...withBody({}), headers: { authorization: '' } },
    status: 401,
    code: null,
    param: null,
    says: /You didn't provide an API key/,
  },
  {
    name: 'a wrong key',
    request: { ...withBody({}), headers: { authorization: 'Bearer sk-nobody' } },
    status: 401,
    code: 'invalid_api_key',
    param: null,
  },
  {
    name: 'a key of another scheme',
    request: { ...withBody({}), headers: { authorization: 'Basic dXNlcjpwYXNz' } },
    status: 401,
    code: null,
    param: null,
  },
  {
    name: 'a key with SQL in it',
    request: { ...withBody({}), headers: { authorization: "Bearer ' OR '1'='1" } },
    status: 401,
    param: null,
  },
  {
    name: 'a key of a thousand characters',
    request: { ...withBody({}), headers: { authorization: `Bearer ${'k'.repeat(1000)}` } },
    status: 401,
    param: null,
  },
  {
    name: 'a form’s content type',
    request: raw(text, { 'content-type': 'application/x-www-form-urlencoded' }),
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
  {
    name: 'plain text',
    request: raw(text, { 'content-type': 'text/plain' }),
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
  {
    name: 'an unreadable content type',
    request: raw(text, { 'content-type': ';;;' }),
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
  {
    name: 'a compressed body',
    request: raw(gzipSync(text), { 'content-encoding': 'gzip' }),
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
]

const fine: readonly { name: string; request: RawRequest }[] = [
  { name: 'a byte order mark', request: raw(`\ufeff${text}`) },
  { name: 'white space around', request: raw(` \r\n\t${text}\n`) },
  { name: 'equal keys, of which the last counts', request: raw(`{"model": "gpt-unheard-of", ${text.slice(1)}`) },
  { name: 'escaped characters', request: raw(text.replace('Hi', '\\u0048\\u0069 \\ud83d\\ude00')) },
  { name: 'no content type', request: raw(text) },
  { name: 'a content type with a charset', request: raw(text, { 'content-type': 'application/json; charset=utf-8' }) },
  { name: 'a content type in capitals', request: raw(text, { 'content-type': 'Application/JSON' }) },
  { name: 'the encoding identity', request: raw(text, { 'content-encoding': 'identity' }) },
  {
    name: 'nulls where nothing is meant',
    request: withBody({ temperature: null, stop: null, n: null, stream: null, tools: null, user: null }),
  },
  {
    name: 'neutral values of what this model has not learned',
    request: withBody({
      presence_penalty: 0,
      frequency_penalty: 0,
      logit_bias: {},
      logprobs: false,
      tools: [],
      store: false,
      response_format: { type: 'text' },
    }),
  },
  { name: 'a query', request: { ...raw(text), path: '/v1/chat/completions?api-version=2024-02-01' } },
]

describe('bad input', () => {
  let product: Product
  before(async () => {
    product = await startProduct({ yaml: await smallModelSettings() })
  })
  after(() => product?.stop())
  const authorized = ({ headers, ...request }: RawRequest): RawRequest => ({
    ...request,
    headers: { authorization: `Bearer ${product.key}`, ...headers },
  })

  for (const { name, request, status = 400, code, param, says } of table)
    test(`${name} is a ${status} that says so`, async () => {
      const reply = await ask(product.port, authorized(request))
      const error = errorOf(reply)
      assert.equal(reply.status, status, JSON.stringify(error))
      assert.equal(error.type, 'invalid_request_error')
      if (code !== undefined) assert.equal(error.code, code, error.message)
      if (param !== undefined) assert.equal(error.param, param, error.message)
      if (says !== undefined) assert.match(error.message, says)
    })

  for (const { name, request } of fine)
    test(`accepted: ${name}`, async () => {
      const reply = await ask(product.port, authorized(request))
      assert.equal(reply.status, 200, reply.body.toString())
    })

  test('no bad input spoils the connection for the next request', async () => {
    using wire = await openWire(product.port)
    for (const { name, request, status = 400 } of table) {
      wire.write(encode(authorized(request)))
      assert.equal((await wire.reply()).status, status, name)
    }
    wire.write(encode(authorized(raw(text))))
    assert.equal((await wire.reply()).status, 200)
  })

  test('pipelined requests are answered in their order', async () => {
    using wire = await openWire(product.port)
    const models = encode(authorized({ method: 'GET', path: '/v1/models/gpt-3.5-turbo' }))
    wire.write(
      Buffer.concat([
        encode(authorized(raw(text))),
        encode(authorized(raw('{'))),
        models,
        encode(authorized({ method: 'GET', path: '/nowhere' })),
        models,
      ]),
    )
    const statuses: number[] = []
    for (let count = 0; count < 5; count++) statuses.push((await wire.reply()).status)
    assert.deepEqual(statuses, [200, 400, 200, 404, 200])
  })

  test('a body that comes byte by byte is a body', async () => {
    using wire = await openWire(product.port)
    for (const byte of encode(authorized(raw(text)))) {
      wire.write(Buffer.of(byte))
      await turn()
    }
    assert.equal((await wire.reply()).status, 200)
  })

  test('a chunked body is a body', async () => {
    using wire = await openWire(product.port)
    wire.write(encode(authorized({ path: '/v1/chat/completions', headers: { 'transfer-encoding': 'chunked' } })))
    for (const piece of text.match(/.{1,7}/gs)!) wire.write(`${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`)
    wire.write('0\r\n\r\n')
    assert.equal((await wire.reply()).status, 200)
  })

  const limit = 16 * 1024 * 1024
  test('a body announced as too large is refused before it is sent', async () => {
    using wire = await openWire(product.port)
    wire.write(encode(authorized({ path: '/v1/chat/completions', headers: { 'content-length': String(limit + 1) } })))
    await expectTooLarge(wire)
  })

  test('a chunked body is refused as soon as it is too large', async () => {
    using wire = await openWire(product.port)
    wire.write(encode(authorized({ path: '/v1/chat/completions', headers: { 'transfer-encoding': 'chunked' } })))
    const piece = Buffer.alloc(1024 * 1024, ' ')
    for (let sent = 0; sent <= limit; sent += piece.length) {
      wire.write(`${piece.length.toString(16)}\r\n`)
      wire.write(piece)
      wire.write('\r\n')
    }
    await expectTooLarge(wire)
  })

  test('a body of exactly the limit is read', async () => {
    const reply = await ask(product.port, authorized(raw(text.padEnd(limit, ' '))))
    assert.equal(reply.status, 200)
  })

  async function expectTooLarge(wire: Awaited<ReturnType<typeof openWire>>): Promise<void> {
    const reply = await wire.reply()
    assert.equal(reply.status, 413)
    const { code, message } = errorOf(reply)
    assert.equal(code, 'request_too_large')
    assert.match(message, /16777216/)
    await wire.closed()
  }

  test('a client that is still sending its body reads why it was refused', async () => {
    const long = Buffer.alloc(40 * 1024 * 1024, ' ')
    for (const [key, body, status] of [
      ['sk-nobody', long.subarray(0, limit / 2), 401],
      [product.key, long, 413],
    ] as const)
      for (let round = 0; round < 4; round++) {
        const url = `${product.url}/v1/chat/completions`
        const { statusCode, body: reply } = await request(url, {
          method: 'POST',
          body,
          headers: { authorization: `Bearer ${key}` },
        })
        assert.equal(statusCode, status)
        assert.ok('error' in ((await reply.json()) as object))
      }
  })

  test('a body shorter than it was announced is not answered as if it were whole', async () => {
    using wire = await openWire(product.port)
    wire.write(encode(authorized(raw(text, { 'content-length': String(text.length + 10) }))))
    wire.finish()
    await wire.closed()
    const reply = await wire.reply().catch(() => undefined)
    assert.ok(reply === undefined || reply.status === 400, `it was answered with ${reply?.status}`)
  })

  const malformed: [name: string, bytes: string, statuses: number[]][] = [
    ['no HTTP at all', 'hello server\r\n\r\n', [400]],
    ['an unknown method', 'BREW /v1/models HTTP/1.1\r\nhost: a\r\n\r\n', [400]],
    [
      'two lengths',
      'POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}',
      [400],
    ],
    [
      'a length and chunks',
      'POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      [400],
    ],
    ['a negative length', 'POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n', [400]],
    ['a header folded over two lines', 'GET /v1/models HTTP/1.1\r\nhost: a\r\nx-a: b\r\n c\r\n\r\n', [400]],
    ['a NUL in a header', 'GET /v1/models HTTP/1.1\r\nhost: a\r\nx-a: b\u0000c\r\n\r\n', [400]],
    ['headers of a megabyte', `GET /v1/models HTTP/1.1\r\nhost: a\r\nx-a: ${'b'.repeat(1 << 20)}\r\n\r\n`, [431]],
    ['no host', 'GET /v1/models HTTP/1.1\r\n\r\n', [400]],
    [
      'an expectation nobody can meet',
      'POST /v1/embeddings HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\ncontent-length: 2\r\n\r\n{}',
      [401, 417],
    ],
    ['a URL that is no URL', 'GET /v1/models/%E0%A4%A HTTP/1.1\r\nhost: a\r\n\r\n', [400, 401, 404]],
    ['a URL with a NUL', 'GET /v1/models/%00 HTTP/1.1\r\nhost: a\r\n\r\n', [401, 404]],
    [
      'an absolute URL of another host',
      'GET http://evil.example/v1/models HTTP/1.1\r\nhost: evil.example\r\n\r\n',
      [400, 401, 404],
    ],
    [
      'an upgrade to another host',
      'GET http://evil.example/ HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
      [400, 404],
    ],
    ['the request of a proxy', 'CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n', [400, 404, 405]],
  ]
  for (const [name, bytes, statuses] of malformed)
    test(`${name} gets a plain refusal, and the server goes on`, async () => {
      using wire = await openWire(product.port)
      wire.write(bytes)
      const reply = await wire.reply()
      assert.ok(statuses.includes(reply.status), `${reply.status}: ${reply.body}`)
      errorOf(reply)
      assert.equal((await ask(product.port, { method: 'GET', path: '/health' })).status, 200)
    })

  for (const host of [
    'evil.example',
    'a/b',
    '?',
    '#',
    'user@host',
    '..',
    '\u00ff\u00fe',
    '[::1',
    'a'.repeat(4000),
    '127.0.0.1:0',
  ])
    test(`the host ${JSON.stringify(host.slice(0, 12))} opens no door`, async () => {
      const reply = await ask(product.port, {
        method: 'GET',
        path: '/v1/models',
        headers: { host, 'x-forwarded-host': host, 'x-original-url': '/health' },
      })
      assert.ok([400, 401].includes(reply.status), String(reply.status))
      errorOf(reply)
    })
})
