import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ask as askRaw } from '../../test/support/socket.ts'
import { type Door, openDoor, type Reply } from './door.fixture.ts'

/** What a browser adds by itself for a page of another address, and what it does not. */
const root = '/v1/parlance'
const owner = { email: 'ann@a.example', name: 'Ann', password: 'correct horse battery' }
const publicUrl = 'https://ai.example.com'

let door: Door
let as = ''
before(async () => {
  door = await openDoor({ reachedAt: { host: 'parlance.lan', publicUrl }, trustedProxies: [] })
  as = await door.setUp(owner)
})
after(() => door.close())

const errorOf = ({ status, body }: Reply) => [status, body?.error?.code ?? null]
const login = { email: owner.email, password: owner.password }

describe('a page of another origin', () => {
  const pages: [string, Record<string, string>][] = [
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['another site in an old browser', { origin: 'https://evil.example' }],
    ['another port of this machine', { origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-site' }],
    ['no origin of its own', { origin: 'null' }],
    ['a browser that says no more than this', { 'sec-fetch-site': 'cross-site' }],
    ['a sister of the public address', { host: 'ai.example.com', origin: 'https://evil.ai.example.com' }],
    ['the public address without TLS', { host: 'ai.example.com', origin: 'http://ai.example.com' }],
    ['a name that begins alike', { host: 'ai.example.com', origin: 'https://ai.example.com.evil.example' }],
  ]
  for (const [name, headers] of pages)
    test(`${name}: cannot use the cookie, sign in, or sign somebody else in`, async () => {
      for (const [method, path, body] of [
        ['GET', '/v1/models'],
        ['GET', `${root}/sessions/current`],
        ['POST', '/v1/organization/projects', { name: 'x' }],
        ['POST', '/v1/chat/completions', { model: 'words', messages: [] }],
        ['DELETE', `${root}/sessions/current`],
        ['POST', `${root}/sessions`, login],
        ['POST', `${root}/setup`, { token: 'x', ...owner }],
        ['POST', `${root}/invites/accept`, { token: 'x' }],
      ] as const) {
        const asked = { headers, ...(body !== undefined && { body }) }
        const reply = await door.ask(method, path, { as, ...asked })
        assert.deepEqual(errorOf(reply), [403, 'origin_not_allowed'], `${method} ${path}`)
        assert.deepEqual(reply.cookies, [])
        if (path.startsWith(root) && method === 'POST')
          assert.deepEqual(errorOf(await door.ask(method, path, asked)), [403, 'origin_not_allowed'])
      }
    })

  test('with a key may do what the key may, as ever', async () => {
    const { secret } = await door.keys.create({ name: 'app' })
    for (const [, headers] of pages) {
      const reply = await door.ask('GET', '/v1/models', { headers: { ...headers, authorization: `Bearer ${secret}` } })
      assert.equal(reply.status, 200)
      assert.equal(reply.headers['access-control-allow-origin'], '*')
    }
  })

  test('is never allowed to send or read cookies', async () => {
    const replies = [
      await door.ask('GET', '/v1/models', { as }),
      await door.ask('GET', '/v1/models', { as, headers: { origin: 'https://evil.example' } }),
    ]
    const preflight = await askRaw(door.port, {
      method: 'OPTIONS',
      path: `${root}/sessions`,
      headers: {
        origin: 'https://evil.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'x-parlance-csrf',
      },
    })
    assert.equal(preflight.header('access-control-allow-credentials'), undefined)
    for (const { headers } of replies) {
      assert.equal(headers['access-control-allow-credentials'], undefined)
      assert.equal(headers['access-control-allow-origin'], '*', 'which browsers refuse for requests with cookies')
    }
  })

  test('without cookie and key is told that it has no key', async () => {
    const reply = await door.ask('GET', '/v1/models', { headers: { origin: 'https://app.example' } })
    assert.deepEqual(errorOf(reply), [401, null])
  })
})

describe('one’s own page', () => {
  for (const [name, headers] of [
    ['at the address', () => ({ origin: door.url, 'sec-fetch-site': 'same-origin' })],
    ['at localhost', () => ({ host: `localhost:${door.port}`, origin: `http://localhost:${door.port}` })],
    ['at an address of IPv6', () => ({ host: `[::1]:${door.port}`, origin: `http://[::1]:${door.port}` })],
    [
      'at the name it listens on',
      () => ({ host: `parlance.lan:${door.port}`, origin: `http://parlance.lan:${door.port}` }),
    ],
    ['at the public address', () => ({ host: 'ai.example.com', origin: publicUrl, 'sec-fetch-site': 'same-origin' })],
    ['behind a proxy that changes the host', () => ({ origin: publicUrl })],
    ['typed in', () => ({ 'sec-fetch-site': 'none' })],
  ] as [string, () => Record<string, string>][])
    test(`${name}: signs in and uses the cookie`, async () => {
      assert.equal((await door.ask('POST', `${root}/sessions`, { body: login, headers: headers() })).status, 200)
      assert.equal(
        (await door.ask('POST', '/v1/organization/projects', { as, body: { name: 'x' }, headers: headers() })).status,
        200,
      )
      assert.equal((await door.ask('GET', '/v1/models', { as, headers: headers() })).status, 200)
    })

  test('needs the header beside the cookie for everything that changes something', async () => {
    const headers = { cookie: `parlance_session=${as}` }
    for (const [method, path, body] of [
      ['POST', '/v1/organization/projects', { name: 'x' }],
      ['POST', `${root}/users/me`, { name: 'x' }],
      ['DELETE', `${root}/sessions/current`, undefined],
      ['POST', `${root}/sessions`, login],
    ] as const)
      for (const csrf of [{}, { 'x-parlance-csrf': '' }]) {
        const asked = { headers: { ...headers, ...csrf }, ...(body !== undefined && { body }) }
        assert.deepEqual(errorOf(await door.ask(method, path, asked)), [403, 'csrf_header_missing'], path)
      }
    assert.equal((await door.ask('GET', '/v1/models', { headers })).status, 200)
  })
})

describe('a name that was made to lead here', () => {
  for (const host of [
    ...[
      'evil.example',
      'evil.example:8787',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'ai.example.com.evil.example',
    ],
    ...[
      'x/?y',
      'localhost@evil.example',
      'evil.example#localhost',
      '',
      'localhost:99999',
      '[::1',
      'ai.example.com\\evil',
    ],
  ])
    test(`'${host}': nobody signs in there, and no cookie counts`, async () => {
      const origin = { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }
      for (const [method, path, body] of [
        ['POST', `${root}/sessions`, login],
        ['POST', `${root}/setup`, { token: 'x', ...owner }],
        ['GET', `${root}/oidc/start`, undefined],
        ['GET', `${root}/oidc/callback`, undefined],
        ['GET', `${root}/sign-in`, undefined],
        ['GET', '/v1/models', undefined],
        ['POST', '/v1/organization/projects', { name: 'x' }],
      ] as const) {
        const reply = await askRaw(door.port, {
          method,
          path,
          headers: { ...origin, host, cookie: `parlance_session=${as}`, 'x-parlance-csrf': '1' },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        })
        assert.deepEqual([reply.status, JSON.parse(reply.body.toString()).error.code], [403, 'host_not_allowed'], path)
      }
    })

  test('is no matter where a key is', async () => {
    const { secret } = await door.keys.create({ name: 'app' })
    const headers = { host: 'parlance.internal', authorization: `Bearer ${secret}` }
    assert.equal((await door.ask('GET', '/v1/models', { headers })).status, 200)
  })
})

describe('behind a proxy', () => {
  test('that is trusted, people are told apart by their own address, and https is seen', async () => {
    const other = await openDoor({ trustedProxies: ['127.0.0.0/8'] })
    try {
      await other.setUp(owner)
      const from = (ip: string, more: object = {}) =>
        other.ask('POST', `${root}/sessions`, { body: login, headers: { 'x-forwarded-for': ip, ...more } })
      const reply = await from('203.0.113.9, 198.51.100.7', {
        'x-forwarded-proto': 'https',
        origin: other.url.replace('http:', 'https:'),
      })
      assert.equal(reply.body.ip_address, '198.51.100.7', 'the one that the proxy itself has seen')
      assert.match(reply.cookies[0]!, /; Secure$/)
      assert.equal((await from('no address')).body.ip_address, '127.0.0.1')
    } finally {
      await other.close()
    }
  })

  test('that is not, whatever it says is not believed', async () => {
    const headers = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.example',
    }
    const reply = await door.ask('POST', `${root}/sessions`, { body: login, headers })
    assert.equal(reply.body.ip_address, '127.0.0.1')
    assert.doesNotMatch(reply.cookies[0]!, /Secure/)
  })
})
