import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { request } from 'undici'
import { type Door, openDoor, type Reply, secretOf } from './door.fixture.ts'

const root = '/v1/parlance'
const owner = { email: 'ann@a.example', name: 'Ann', password: 'correct horse battery' }
const dayMs = 86_400_000

let door: Door
before(async () => {
  door = await openDoor()
  await door.setUp(owner)
})
after(() => door.close())

const enter = () => door.enter(owner.email, owner.password)
const errorOf = ({ status, body }: Reply): [number, string] => [status, body.error?.code]
const over = [401, 'session_over']

/** Another owner, signed in. */
async function colleague(email: string): Promise<{ as: string; id: string }> {
  const { accept_token: token } = await door.does('POST', '/v1/organization/invites', {
    as: await enter(),
    body: { email, role: 'owner' },
  })
  const reply = await door.ask('POST', `${root}/invites/accept`, {
    body: { token, name: 'Col', password: 'a colleague’s' },
  })
  return { as: secretOf(reply), id: reply.body.user.id }
}

describe('a sign-in', () => {
  test('ends when its person signs out, and the browser forgets the cookie', async () => {
    const as = await enter()
    const reply = await door.ask('DELETE', `${root}/sessions/current`, { as })
    assert.equal(reply.status, 200, JSON.stringify(reply.body))
    assert.deepEqual(reply.cookies, ['parlance_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict'])
    assert.deepEqual(errorOf(await door.ask('GET', '/v1/models', { as })), over)
    assert.deepEqual(errorOf(await door.ask('DELETE', `${root}/sessions/current`, { as })), over)
  })

  test('is listed with where it was begun, and can be ended from elsewhere', async () => {
    const here = await enter()
    const there = secretOf(
      await door.ask('POST', `${root}/sessions`, {
        body: { email: owner.email, password: owner.password },
        headers: { 'user-agent': `Phone/1 ${'x'.repeat(1000)}` },
      }),
    )
    const { data } = await door.does('GET', `${root}/sessions`, { as: here })
    const [mine, other] = [true, false].map(wanted =>
      data.find(
        (one: { current: boolean; user_agent: string }) =>
          one.current === wanted && (wanted || one.user_agent?.startsWith('Phone')),
      ),
    )
    assert.equal(mine.current, true)
    assert.deepEqual([other.user_agent.length, other.ip_address], [256, '127.0.0.1'])
    assert.equal(JSON.stringify(data).includes(there), false)
    await door.does('DELETE', `${root}/sessions/${other.id}`, { as: here })
    assert.deepEqual(errorOf(await door.ask('GET', '/v1/models', { as: there })), over)
    await door.does('GET', '/v1/models', { as: here })
  })

  test('of another person is as one that is not there', async () => {
    const { as } = await colleague('other@a.example')
    const { id } = await door.does('GET', `${root}/sessions/current`, { as: await enter() })
    const asked = async (id: string) => (await door.ask('DELETE', `${root}/sessions/${id}`, { as })).body
    const foreign = await asked(id)
    assert.equal(foreign.error.message, `No session found with id '${id}'.`)
    const missing = `sess_${'0'.repeat(24)}`
    assert.deepEqual(JSON.parse(JSON.stringify(foreign).replaceAll(id, missing)), await asked(missing))
    for (const hostile of ['%2e%2e', "'%20or%201=1", 'sess_%00', '__proto__', 'a'.repeat(300)])
      assert.equal((await door.ask('DELETE', `${root}/sessions/${hostile}`, { as })).status, 404)
    const { data } = await door.does('GET', `${root}/sessions`, { as })
    assert.equal(JSON.stringify(data).includes(id), false)
  })

  test('needs a person: neither a key nor nobody has one', async () => {
    const { secret } = await door.keys.create({ name: 'owner' })
    for (const [method, path] of [
      ['GET', 'sessions'],
      ['GET', 'sessions/current'],
      ['DELETE', 'sessions/current'],
      ['DELETE', 'sessions/sess_x'],
      ['POST', 'users/me'],
    ] as const) {
      const body = method === 'POST' ? { body: {} } : {}
      const authorization = `Bearer ${secret}`
      const keyed = await door.ask(method, `${root}/${path}`, { headers: { authorization }, ...body })
      assert.deepEqual(errorOf(keyed), [403, 'sign_in_needed'])
      assert.deepEqual(errorOf(await door.ask(method, `${root}/${path}`, body)), over)
    }
  })

  test('goes by the key where a request has both', async () => {
    const as = await enter()
    const asked = (authorization: string) => door.ask('GET', '/v1/models', { as, headers: { authorization } })
    assert.deepEqual(errorOf(await asked('Bearer sk-wrong-0123456789abcdef')), [401, 'invalid_api_key'])
    assert.equal((await asked('Bearer ')).status, 401)
  })

  test('is over after a week without a request, and after thirty days in any case', async () => {
    const idle = await enter()
    const used = await enter()
    door.clock.advance(6 * dayMs)
    await door.does('GET', '/v1/models', { as: used })
    await door.store.flush()
    door.clock.advance(dayMs)
    assert.deepEqual(errorOf(await door.ask('GET', '/v1/models', { as: idle })), over)
    for (let day = 7; day < 30; day++) {
      await door.does('GET', '/v1/models', { as: used })
      await door.store.flush()
      door.clock.advance(dayMs)
    }
    assert.deepEqual(errorOf(await door.ask('GET', '/v1/models', { as: used })), over)
    const left = await door.store.read.selectFrom('sessions').selectAll().execute()
    await enter()
    const now = await door.store.read.selectFrom('sessions').selectAll().execute()
    assert.ok(left.length > 1)
    assert.equal(now.length, 1, 'the next sign-in takes away what is over')
  })

  test('is one of fifty at most: a further one ends the oldest', async () => {
    const first = await enter()
    for (let at = 0; at < 50; at++) {
      door.clock.advance(60_000)
      await enter()
    }
    assert.equal((await door.store.read.selectFrom('sessions').selectAll().execute()).length, 50)
    assert.deepEqual(errorOf(await door.ask('GET', '/v1/models', { as: first })), over)
  })

  test('that is garbage is none', async () => {
    for (const cookie of [
      ...[
        'parlance_session=',
        'parlance_session=sess-short',
        `parlance_session=${'x'.repeat(8000)}`,
        'parlance_session',
      ],
      ...['=;;=;', 'parlance_session="sess-"', `parlance_session=sess-${'é'.repeat(24)}`, `x=parlance_session=sess-`],
    ]) {
      const headers = { cookie: Buffer.from(cookie).toString('latin1'), 'x-parlance-csrf': '1' }
      assert.equal((await door.ask('GET', '/v1/models', { headers })).status, 401, cookie.slice(0, 50))
    }
    const as = await enter()
    const twice = { cookie: `parlance_session=${as}; parlance_session=sess-${'x'.repeat(48)}`, 'x-parlance-csrf': '1' }
    assert.equal(
      (await door.ask('GET', '/v1/models', { headers: twice })).status,
      401,
      'of two nobody knows which is ours',
    )
  })
})

describe('whose rights change', () => {
  /** A stream of somebody who is signed in, once it runs. @returns its last text when it has ended */
  async function streaming(as: string): Promise<{ ended: Promise<string> }> {
    const reply = await request(`${door.url}/v1/chat/completions`, {
      method: 'POST',
      dispatcher: door.agent,
      headers: { cookie: `parlance_session=${as}`, 'x-parlance-csrf': '1', 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'words', stream: true, messages: [{ role: 'user', content: 'x' }] }),
    })
    assert.equal(reply.statusCode, 200)
    const chunks = reply.body[Symbol.asyncIterator]()
    let text = String((await chunks.next()).value)
    const read = async () => {
      for (;;) {
        const { value, done } = await chunks.next()
        if (done === true) return text
        text = (text + value).slice(-2000)
      }
    }
    return { ended: read() }
  }

  for (const [name, end] of [
    ['signing out', async ({ as }) => void (await door.does('DELETE', `${root}/sessions/current`, { as }))],
    [
      'an owner who takes them out of the organisation',
      async ({ id }) => void (await door.does('DELETE', `/v1/organization/users/${id}`, { as: await enter() })),
    ],
    [
      'a disabled account, written by another process',
      async ({ id }) =>
        void (await door.store.write(
          door.store.build.updateTable('users').set({ disabled_at: door.clock.now() }).where('id', '=', id),
        )),
    ],
  ] as [string, (who: { as: string; id: string }) => Promise<void>][])
    test(`${name} ends a running stream, and the sign-in`, async () => {
      const who = await colleague(`${name.replaceAll(' ', '-')}@a.example`)
      const { ended } = await streaming(who.as)
      await end(who)
      const text = await ended
      assert.match(text, /data: \{"error":\{[^\n]*"code":"session_over"\}\}\n\n$/)
      door.clock.advance(1001)
      assert.deepEqual(errorOf(await door.ask('GET', '/v1/models', { as: who.as })), over)
    })

  test('a lowered role counts at once', async () => {
    const { as, id } = await colleague('lowered@a.example')
    await door.does('POST', '/v1/organization/projects', { as, body: { name: 'one' } })
    await door.does('POST', `/v1/organization/users/${id}`, { as: await enter(), body: { role: 'reader' } })
    const reply = await door.ask('POST', '/v1/organization/projects', { as, body: { name: 'two' } })
    assert.deepEqual(errorOf(reply), [403, 'missing_scope'])
    await turn()
  })

  test('somebody who is in no project sees the organisation and uses no model', async () => {
    const { accept_token: token } = await door.does('POST', '/v1/organization/invites', {
      as: await enter(),
      body: { email: 'guest@a.example', role: 'reader', projects: [] },
    })
    const as = secretOf(
      await door.ask('POST', `${root}/invites/accept`, { body: { token, name: 'G', password: 'a guest’s own' } }),
    )
    const me = await door.does('GET', `${root}/sessions/current`, { as })
    assert.deepEqual([me.project_id, me.projects], [null, []])
    await door.does('GET', '/v1/organization/users', { as })
    const body = { model: 'words', messages: [{ role: 'user', content: 'x' }] }
    assert.deepEqual(errorOf(await door.ask('POST', '/v1/chat/completions', { as, body })), [403, 'missing_scope'])
  })
})
