import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { request } from 'undici'
import { errorOf } from '../support/errors.ts'
import { smallModelSettings } from '../support/models.ts'
import { type Product, startProduct } from '../support/product.ts'
import { ask, encode, openWire, type RawRequest } from '../support/socket.ts'
import { bad, fine, raw, text } from './table.ts'

describe('bad input', { timeout: 120_000 }, () => {
  let product: Product
  before(async () => {
    product = await startProduct({ yaml: await smallModelSettings() })
  })
  after(() => product?.stop())
  const authorized = ({ headers, ...request }: RawRequest): RawRequest => ({
    ...request,
    headers: { authorization: `Bearer ${product.key}`, ...headers },
  })

  for (const { name, request, status = 400, code, param, says } of bad)
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
    for (const { name, request, status = 400 } of bad) {
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
      assert.match(reply.header('x-request-id')!, /^req_[0-9a-f]{32}$/)
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
