import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { type Claims, type Mischief, type OidcProvider, startOidcProvider } from '../../test/support/oidc.ts'
import { manualClock } from '../lib/clock.ts'
import { type Door, openDoor, type Reply, secretOf } from './door.fixture.ts'

const root = '/v1/parlance'
const owner = { email: 'ann@a.example', name: 'Ann', password: 'correct horse battery' }
const person = (sub: string, email: string, more: Claims = {}): Claims => ({
  sub,
  email,
  email_verified: true,
  ...more,
})

let provider: OidcProvider
let door: Door
let clock: ReturnType<typeof manualClock>
before(async () => {
  clock = manualClock()
  provider = await startOidcProvider(() => clock.now())
  const { issuer, clientId, clientSecret } = provider
  const scopes = ['email', 'profile']
  const joining = { allowedDomains: ['b.example'], organization: undefined, role: 'reader' as const }
  door = await openDoor({}, { oidc: { issuer, clientId, clientSecret, scopes, ...joining } })
  clock = door.clock
  await door.setUp(owner)
})
after(async () => {
  await door.close()
  await provider[Symbol.asyncDispose]()
})

/** A browser that goes out, comes back from the provider, and has not opened the page that it is led back to. */
async function goOut(): Promise<{ callback: string; cookie: string; location: URL; start: Reply }> {
  const start = await door.ask('GET', `${root}/oidc/start`)
  assert.equal(start.status, 302, JSON.stringify(start.body))
  const location = new URL(String(start.headers.location))
  const reply = await request(location, { dispatcher: door.agent })
  await reply.body.dump()
  const back = new URL(String(reply.headers.location))
  assert.equal(back.origin, door.url)
  return { callback: back.pathname + back.search, cookie: start.cookies[0]!.split(';')[0]!, location, start }
}
const comeBack = ({ callback, cookie }: { callback: string; cookie?: string }, more: Record<string, string> = {}) =>
  door.ask('GET', callback, { headers: { ...(cookie !== undefined && { cookie }), ...more } })

async function comeIn(claims: Claims, mischief?: Mischief): Promise<Reply> {
  provider.next(claims, mischief)
  return comeBack(await goOut(), { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })
}
const refused = ({ status, body, cookies }: Reply): [number, string] => {
  assert.deepEqual(cookies, [], 'a refusal sets no cookie')
  return [status, body.error.code]
}
/** The audit log says why; whoever is refused is not told. */
async function refusedAndRecorded(who: Claims): Promise<void> {
  const before = (await door.events()).length
  assert.deepEqual(refused(await comeIn(who)), [403, 'sign_in_refused'])
  const events = (await door.events()).slice(before)
  assert.deepEqual(
    events.map(({ type, details }) => [type, JSON.parse(details).error_code]),
    [['login.failed', 'sign_in_refused']],
  )
}
const me = (reply: Reply) => door.does('GET', `${root}/sessions/current`, { as: secretOf(reply) })
const userOf = (email: string) =>
  door.store.read.selectFrom('users').selectAll().where('email', '=', email).executeTakeFirst()

describe('whoever the provider vouches for', () => {
  test('is sent there with a state, a nonce and a challenge, and a cookie that only comes back here', async () => {
    const { location, start } = await goOut()
    assert.equal(location.origin + location.pathname, `${provider.issuer}/authorize`)
    const asked = Object.fromEntries(location.searchParams)
    assert.equal(asked.tenant, '1', 'what the endpoint has of its own stays')
    assert.deepEqual(
      [asked.client_id, asked.response_type, asked.scope],
      [provider.clientId, 'code', 'openid email profile'],
    )
    assert.equal(asked.redirect_uri, `${door.url}${root}/oidc/callback`)
    for (const name of ['state', 'nonce', 'code_challenge']) assert.match(asked[name] ?? '', /^[\w-]{43}$/)
    assert.match(
      start.cookies[0]!,
      /^parlance_oidc=[\w.-]+; Path=\/v1\/parlance\/oidc; Max-Age=600; HttpOnly; SameSite=Lax$/,
    )
    assert.equal(location.href.includes(provider.clientSecret), false)
  })

  test('comes in to the account of their verified address, and from then on by who they are', async () => {
    const reply = await comeIn(person('1', 'Ann@A.example'))
    assert.equal(reply.status, 302, JSON.stringify(reply.body))
    assert.equal(reply.headers.location, '/')
    assert.match(reply.cookies[0]!, /^parlance_session=sess-\w+; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Strict$/)
    assert.match(reply.cookies[1]!, /^parlance_oidc=; /)
    assert.equal((await me(reply)).user.email, owner.email)
    assert.equal((await userOf(owner.email))?.identity, `${provider.issuer} 1`)
    const moved = await comeIn(person('1', 'ann@elsewhere.example', { email_verified: false }), { alg: 'RS256' })
    assert.equal((await me(moved)).user.email, owner.email)
  })

  test('accepts the invite that waits for their address', async () => {
    const as = await door.enter(owner.email, owner.password)
    await door.does('POST', '/v1/organization/invites', { as, body: { email: 'eve@c.example', role: 'owner' } })
    const { user, organizations } = await me(await comeIn(person('2', 'eve@c.example', { name: 'Eve\u0007 ' })))
    assert.deepEqual(
      [user.email, user.name, user.has_password, organizations[0].role],
      ['eve@c.example', 'Eve', false, 'owner'],
    )
    const { data } = await door.does('GET', '/v1/organization/invites', { as })
    assert.equal(data[0].status, 'accepted')
  })

  test('joins with an address of an allowed domain, and works in the default project', async () => {
    const reply = await comeIn(person('3', 'bob@b.example', { name: '' }))
    const { user, organizations, projects } = await me(reply)
    assert.deepEqual([user.name, organizations[0].role, projects[0].role], ['bob@b.example', 'reader', 'member'])
    await door.does('GET', '/v1/models', { as: secretOf(reply) })
    const password = await door.ask('POST', `${root}/users/me`, {
      as: secretOf(reply),
      body: { password: 'a password of my own', current_password: 'x' },
    })
    assert.deepEqual(refused(password), [400, 'no_password'])
    assert.equal((await me(await comeIn(person('3', 'bob@b.example')))).user.id, user.id)
  })
})

describe('nobody comes in', () => {
  const claims = person('9', 'zoe@b.example')
  const seconds = () => Math.floor(clock.now() / 1000)
  const lies: [string, () => Mischief, [number, string]?][] = [
    ['another nonce', () => ({ claims: { nonce: 'x' } })],
    ['no nonce', () => ({ claims: { nonce: undefined } })],
    ['another audience', () => ({ claims: { aud: 'somebody-else' } })],
    ['two audiences and no word for whom', () => ({ claims: { aud: [provider.clientId, 'other'] } })],
    ['another issuer', () => ({ claims: { iss: 'https://evil.example' } })],
    ['a token that has expired', () => ({ claims: { exp: seconds() - 31 } })],
    ['a token that never expires', () => ({ claims: { exp: undefined } })],
    ['a token of the future', () => ({ claims: { nbf: seconds() + 3600 } })],
    ['no subject', () => ({ claims: { sub: undefined } })],
    ['no signature', () => ({ alg: 'none' })],
    ['a signature with the client’s secret', () => ({ alg: 'HS256' })],
    ['a signature by a foreign key', () => ({ foreignKey: true })],
    ['a token that was changed', () => ({ tampered: true })],
    ['no token', () => ({ body: '{"access_token":"x","token_type":"Bearer"}' })],
    ['no JSON', () => ({ body: '<html>' })],
    ['a token of no parts', () => ({ body: '{"access_token":"x","token_type":"Bearer","id_token":"x"}' })],
    [
      'two megabytes',
      () => ({ body: JSON.stringify({ access_token: 'x'.repeat(2 << 20) }) }),
      [503, 'oidc_unavailable'],
    ],
    ['a refusal', () => ({ status: 400, body: '{"error":"invalid_grant"}' })],
    ['a breakdown', () => ({ status: 500, body: 'oh' })],
  ]
  for (const [name, mischief, expected = [400, 'oidc_failed']] of lies)
    test(`with ${name}`, async () => {
      clock.advance(3_600_000)
      const users = await door.store.read.selectFrom('users').selectAll().execute()
      const sessions = await door.store.read.selectFrom('sessions').selectAll().execute()
      assert.deepEqual(refused(await comeIn(claims, mischief())), expected)
      assert.deepEqual(await door.store.read.selectFrom('users').selectAll().execute(), users)
      assert.deepEqual(await door.store.read.selectFrom('sessions').selectAll().execute(), sessions)
    })

  test('who brings back another state, none, one of another browser, or one a second time', async () => {
    provider.next(person('1', owner.email))
    const one = await goOut()
    const other = await goOut()
    const asked = () => provider.asked.get('/token')
    const before = asked()
    for (const trip of [
      { callback: one.callback, cookie: other.cookie },
      { callback: one.callback },
      { callback: one.callback.replace(/state=[^&]+/, 'state=x'), cookie: one.cookie },
      { callback: one.callback.replace(/state=[^&]+&?/, ''), cookie: one.cookie },
      { callback: one.callback, cookie: `${one.cookie}x` },
      { callback: one.callback, cookie: one.cookie.replace(/\..*/, '.x') },
      { callback: one.callback, cookie: 'parlance_oidc=.' },
      { callback: one.callback, cookie: `${one.cookie}; ${other.cookie}` },
      { callback: `${root}/oidc/callback`, cookie: one.cookie },
    ])
      assert.deepEqual(refused(await comeBack(trip)), [400, 'oidc_failed'], JSON.stringify(trip))
    assert.equal(asked(), before, 'the provider is not even asked')
    assert.equal((await comeBack(one)).status, 302)
    assert.deepEqual(refused(await comeBack(one)), [400, 'oidc_failed'])
    assert.equal(asked(), before! + 1)
    clock.advance(600_000)
    assert.deepEqual(refused(await comeBack(other)), [400, 'oidc_failed'], 'ten minutes later it is over')
  })

  test('whom the provider refuses, or from another issuer than the one that was asked', async () => {
    clock.advance(3_600_000)
    const back = async (change: (parameters: URLSearchParams) => void) => {
      const { callback, cookie } = await goOut()
      const url = new URL(callback, door.url)
      change(url.searchParams)
      return comeBack({ callback: url.pathname + url.search, cookie })
    }
    const denied = await back(parameters => {
      parameters.delete('code')
      parameters.set('error', 'access_denied')
      parameters.set('error_description', '<script>alert(1)</script>')
    })
    assert.deepEqual(refused(denied), [400, 'oidc_failed'])
    assert.match(denied.body.error.message, /answered 'access_denied'/)
    assert.doesNotMatch(denied.body.error.message, /script/)
    const odd = await back(parameters => parameters.set('error', '<b>'))
    assert.doesNotMatch(odd.body.error.message, /<b>/)
    assert.deepEqual(refused(await back(parameters => parameters.set('iss', 'https://evil.example'))), [
      400,
      'oidc_failed',
    ])
    assert.deepEqual(refused(await back(parameters => parameters.append('code', 'y'))), [400, 'oidc_failed'])
  })

  for (const [name, who] of [
    ['has no account and no invite', person('20', 'mallory@c.example')],
    ['has an address that is not verified', person('21', 'new@b.example', { email_verified: false })],
    ['says "true" for verified', person('22', 'new@b.example', { email_verified: 'true' })],
    ['has no address', { sub: '23' }],
    ['has something else for an address', person('24', 'new@b.example, ann@a.example')],
    ['has a domain that only ends alike', person('25', 'new@evil-b.example')],
    ['has a domain in front of another', person('26', 'new@b.example@c.example')],
    ['has the address of somebody with another identity', person('27', owner.email)],
  ] as [string, Claims][])
    test(`who ${name}`, async () => {
      clock.advance(3_600_000)
      const before = await door.store.read.selectFrom('users').selectAll().execute()
      await refusedAndRecorded(who)
      assert.deepEqual(await door.store.read.selectFrom('users').selectAll().execute(), before)
    })

  test('who was disabled, by their identity or their address', async () => {
    clock.advance(3_600_000)
    await comeIn(person('30', 'dan@b.example'))
    const disable = (identity: string | null) =>
      door.store.write(
        door.store.build
          .updateTable('users')
          .set({ disabled_at: clock.now(), identity })
          .where('email', '=', 'dan@b.example'),
      )
    for (const identity of [`${provider.issuer} 30`, null]) {
      await disable(identity)
      await refusedAndRecorded(person('30', 'dan@b.example'))
      assert.equal((await userOf('dan@b.example'))?.identity, identity)
    }
  })

  test('faster than the door allows', async () => {
    clock.advance(3_600_000)
    const statuses = []
    for (let at = 0; at < 25; at++) statuses.push((await comeIn({ sub: `x${at}` })).status)
    assert.deepEqual([...new Set(statuses.slice(0, 21))], [403])
    assert.deepEqual([...new Set(statuses.slice(21))], [429])
    clock.advance(3_600_000)
  })
})

test('a provider that signs with a new key is understood at once, and its keys are not asked for every time', async () => {
  const keysAsked = () => provider.asked.get('/jwks') ?? 0
  await comeIn(person('1', owner.email))
  const before = keysAsked()
  await comeIn(person('1', owner.email))
  assert.equal(keysAsked(), before)
  provider.rotate()
  assert.equal((await comeIn(person('1', owner.email))).status, 302)
  assert.equal(keysAsked(), before + 1)
})

test('a provider that is down is asked again after a moment, and by one request at a time', async () => {
  const { issuer, clientId, clientSecret } = provider
  const oidc = {
    issuer,
    clientId,
    clientSecret,
    scopes: [],
    allowedDomains: [],
    organization: undefined,
    role: 'reader' as const,
  }
  const other = await openDoor({}, { oidc })
  const discovered = () => provider.asked.get('/.well-known/openid-configuration') ?? 0
  const start = () => other.ask('GET', `${root}/oidc/start`)
  try {
    provider.fail(500)
    const before = discovered()
    const replies = await Promise.all([start(), start(), start()])
    for (const reply of [...replies, await start()]) assert.deepEqual(refused(reply), [503, 'oidc_unavailable'])
    assert.equal(discovered(), before + 1)
    provider.fail(undefined)
    other.clock.advance(5000)
    assert.equal((await start()).status, 302)
    assert.equal((await start()).status, 302)
    assert.equal(discovered(), before + 2)
  } finally {
    provider.fail(undefined)
    await other.close()
  }
})

test('without the setting there is only the password', async () => {
  const plain = await openDoor()
  try {
    assert.deepEqual((await plain.does('GET', `${root}/sign-in`)).ways, ['password'])
    assert.deepEqual((await door.does('GET', `${root}/sign-in`)).ways, ['password', 'oidc'])
    for (const path of ['start', 'callback?code=x&state=y'])
      assert.deepEqual(refused(await plain.ask('GET', `${root}/oidc/${path}`)), [404, 'oidc_not_configured'])
  } finally {
    await plain.close()
  }
})
