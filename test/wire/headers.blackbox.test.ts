import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { errorOf } from '../support/errors.ts'
import { smallModelSettings } from '../support/models.ts'
import { type Product, startProduct } from '../support/product.ts'
import { ask, encode, openWire, type RawReply, type RawRequest } from '../support/socket.ts'

/** What clients never show: the exact bytes around a reply. */
describe('on the wire', { timeout: 120_000 }, () => {
  let product: Product
  before(async () => {
    product = await startProduct({ yaml: await smallModelSettings() })
  })
  after(() => product?.stop())

  const send = ({ headers, ...request }: RawRequest): Promise<RawReply> =>
    ask(product.port, { ...request, headers: { authorization: `Bearer ${product.key}`, ...headers } })
  const post = (path: string, body: object, headers = {}) =>
    send({ path, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } })
  const chat = { model: 'gpt-3.5-turbo', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4, temperature: 0 }

  test('every JSON reply carries the headers of the API, once each', async () => {
    const replies = [
      await send({ method: 'GET', path: '/v1/models' }),
      await send({ method: 'GET', path: '/v1/models/gpt-3.5-turbo' }),
      await post('/v1/chat/completions', chat),
      await post('/v1/completions', { model: 'gpt-3.5-turbo', prompt: 'Hi', max_tokens: 2 }),
      await post('/v1/embeddings', { model: 'text-embedding-ada-002', input: 'Hi' }),
      await post('/v1/chat/completions', { ...chat, temperature: 9 }),
    ]
    assert.deepEqual(
      replies.map(reply => reply.status),
      [200, 200, 200, 200, 200, 400],
    )
    for (const reply of replies) {
      checkHeaders(reply, 'application/json')
      assert.equal(reply.header('content-length'), String(reply.body.length))
      assert.equal(reply.header('openai-organization'), 'default')
      JSON.parse(reply.body.toString())
    }
    assert.equal(
      new Set(replies.map(reply => reply.header('x-request-id'))).size,
      replies.length,
      'every request has its own id',
    )
  })

  test('errors without a caller carry them as well', async () => {
    for (const reply of [
      await ask(product.port, { method: 'GET', path: '/v1/models' }),
      await ask(product.port, { method: 'GET', path: '/nowhere' }),
      await ask(product.port, { method: 'DELETE', path: '/v1/chat/completions' }),
    ]) {
      checkHeaders(reply, 'application/json')
      errorOf(reply)
    }
  })

  test('a stream is server-sent events to the byte: data, a space, one line of JSON, an empty line, [DONE]', async () => {
    for (const [path, body] of [
      ['/v1/chat/completions', { ...chat, n: 2, stream: true, stream_options: { include_usage: true } }],
      ['/v1/completions', { model: 'gpt-3.5-turbo', prompt: ['Hi', 'Ho'], max_tokens: 3, stream: true }],
    ] as const) {
      const reply = await post(path, body)
      checkHeaders(reply, 'text/event-stream')
      assert.equal(reply.header('cache-control'), 'no-cache')
      assert.equal(reply.header('content-length'), undefined)
      assert.equal(reply.header('openai-organization'), 'default')
      const text = reply.body.toString()
      assert.ok(Buffer.from(text).equals(reply.body), 'it is UTF-8')
      assert.ok(text.endsWith('\n\n'))
      const frames = text.slice(0, -2).split('\n\n')
      assert.equal(frames.pop(), 'data: [DONE]')
      assert.ok(frames.length >= 2, 'one for each choice at least')
      for (const frame of frames) {
        assert.match(frame, /^data: \{.*\}$/, 'one line, no event name, no comment')
        assert.equal(JSON.stringify(JSON.parse(frame.slice(6))), frame.slice(6), 'compact JSON')
      }
    }
  })

  test('an error before the first byte of a stream is plain JSON with its status', async () => {
    const reply = await post('/v1/chat/completions', { ...chat, stream: true, model: 'gpt-unheard-of' })
    assert.equal(reply.status, 404)
    assert.equal(errorOf(reply).code, 'model_not_found')
  })

  test('an unknown URL is a JSON 404, and common slips are told what to do', async () => {
    const slips: [method: string, path: string, says: RegExp][] = [
      ['GET', '/', /Invalid URL \(GET \/\)/],
      ['POST', '/v1/nothing', /Invalid URL \(POST \/v1\/nothing\)/],
      ['GET', '/v1/models/a/b', /Invalid URL/],
      ['POST', '/v1/v1/chat/completions', /\/v1 twice/],
      ['GET', '/v1/v1/models?limit=3', /\/v1 twice/],
      ['POST', '/v1/chat/completions/', /slash at the end/],
      ['GET', '/v1/models/', /slash at the end/],
      ['POST', '/chat/completions', /perhaps you meant \/v1\/chat\/completions/],
      ['POST', '/v1//chat/completions', /two slashes/],
      ['POST', '//v1/chat/completions', /two slashes/],
    ]
    for (const [method, path, says] of slips) {
      const reply = await send({ method, path })
      assert.equal(reply.status, 404, `${method} ${path}: ${reply.body}`)
      const { message, type, param, code } = errorOf(reply)
      assert.match(message, says)
      assert.deepEqual({ type, param, code }, { type: 'invalid_request_error', param: null, code: null })
      assert.ok(!message.includes('?limit'), 'the query is not repeated')
    }
  })

  test('a wrong method is a 405 that says which are allowed', async () => {
    for (const [method, path, allow] of [
      ['DELETE', '/v1/chat/completions', 'POST'],
      ['PUT', '/v1/chat/completions/chatcmpl-1', 'DELETE'],
      ['PUT', '/v1/embeddings', 'POST'],
      ['PATCH', '/v1/completions', 'POST'],
      ['POST', '/v1/models', 'GET'],
      ['DELETE', '/v1/models', 'GET'],
      ['TRACE', '/v1/models', 'GET'],
      ['PROPFIND', '/v1/models', 'GET'],
    ] as const) {
      const reply = await send({ method, path })
      assert.equal(reply.status, 405, `${method} ${path}`)
      assert.equal(errorOf(reply).code, 'method_not_supported')
      assert.ok(reply.header('allow')!.split(', ').includes(allow))
    }
  })

  test('HEAD is GET without the body', async () => {
    for (const path of ['/v1/models', '/v1/models/gpt-3.5-turbo', '/health', '/openapi.json']) {
      using wire = await openWire(product.port)
      const headers = { authorization: `Bearer ${product.key}` }
      wire.write(encode({ method: 'HEAD', path, headers }))
      const head = await wire.reply({ to: 'HEAD' })
      wire.write(encode({ method: 'GET', path, headers }))
      const get = await wire.reply() // on the same connection: a stray body would stand in its way
      assert.equal(head.status, 200)
      assert.equal(head.header('content-length'), get.header('content-length'))
      assert.equal(head.header('content-type'), 'application/json')
    }
    assert.equal((await send({ method: 'HEAD', path: '/nowhere' })).status, 404)
  })

  test('a browser’s preflight is granted with the headers of the SDKs', async () => {
    const asked = 'authorization,content-type,x-stainless-arch,x-stainless-retry-count,openai-beta'
    const reply = await ask(product.port, {
      method: 'OPTIONS',
      path: '/v1/chat/completions',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': asked,
      },
    })
    assert.equal(reply.status, 204)
    assert.equal(reply.header('access-control-allow-origin'), '*')
    assert.equal(reply.header('access-control-allow-headers'), asked)
    assert.match(reply.header('access-control-allow-methods')!, /\bPOST\b/)
    assert.equal(reply.header('access-control-allow-credentials'), undefined)
    assert.equal(reply.body.length, 0)
  })

  test('the key may come in any spelling of the scheme, and the organisation must be the key’s own', async () => {
    for (const authorization of [`bearer ${product.key}`, `BEARER  ${product.key}`])
      assert.equal((await send({ method: 'GET', path: '/v1/models', headers: { authorization } })).status, 200)
    for (const headers of [
      { 'openai-organization': '' },
      { 'openai-organization': 'default' },
      { 'openai-project': '' },
    ])
      assert.equal((await send({ method: 'GET', path: '/v1/models', headers })).status, 200)
    for (const [name, code] of [
      ['openai-organization', 'mismatched_organization'],
      ['openai-project', 'mismatched_project'],
    ] as const) {
      const reply = await send({ method: 'GET', path: '/v1/models', headers: { [name]: 'org-of-others' } })
      assert.equal(reply.status, 401)
      assert.equal(errorOf(reply).code, code)
    }
  })

  test('a model name may arrive encoded', async () => {
    const reply = await send({ method: 'GET', path: '/v1/models/gpt%2D3.5%2Dturbo' })
    assert.equal(reply.status, 200)
    assert.equal(JSON.parse(reply.body.toString()).id, 'gpt-3.5-turbo')
  })

  test('the API describes itself without a key', async () => {
    const reply = await ask(product.port, { method: 'GET', path: '/openapi.json' })
    const { openapi, paths, info } = JSON.parse(reply.body.toString())
    assert.equal(openapi, '3.1.0')
    assert.equal(info.version, product.version)
    const classic = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/models', '/v1/models/{model}']
    for (const path of classic) assert.ok(path in paths, path)
    assert.deepEqual(JSON.parse((await ask(product.port, { method: 'GET', path: '/health' })).body.toString()), {
      status: 'ok',
      version: product.version,
    })
  })
})

function checkHeaders({ header, headers }: RawReply, contentType: string): void {
  assert.equal(header('content-type'), contentType)
  assert.match(header('x-request-id')!, /^req_[0-9a-f]{32}$/)
  assert.equal(header('openai-version'), '2020-10-01')
  assert.match(header('openai-processing-ms')!, /^\d{1,7}$/)
  assert.equal(header('access-control-allow-origin'), '*')
  assert.match(header('access-control-expose-headers')!, /\bX-Request-ID\b/)
  const names = headers.map(([name]) => name.toLowerCase())
  assert.equal(new Set(names).size, names.length, `a header stands twice: ${names}`)
  for (const stranger of ['x-powered-by', 'server', 'etag', 'set-cookie'])
    assert.ok(!names.includes(stranger), stranger)
}
