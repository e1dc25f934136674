import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { nobody } from '../platform/access.ts'
import { makePasswords } from '../platform/passwords.ts'
import { signInWithPassword } from '../platform/sign-in/signing-in.ts'
import { type Door, openDoor, type Reply, secretOf } from './door.fixture.ts'

const root = '/v1/parlance'
const owner = { email: 'ann@a.example', name: 'Ann', password: 'correct horse battery' }
const publicUrl = 'https://ai.example.com'

let door: Door
before(async () => {
  door = await openDoor({ reachedAt: { host: '127.0.0.1', publicUrl }, trustedProxies: [] })
})
after(() => door.close())

/** @returns what opens the invite */
async function invite(email: string): Promise<string> {
  const as = await signIn(owner.email, owner.password)
  const made = await door.does('POST', '/v1/organization/invites', { as, body: { email, role: 'reader' } })
  return made.accept_token
}
const signIn = (email: string, password: string) => door.enter(email, password)
const refused = ({ status, body, cookies }: Reply): [number, string] => {
  assert.deepEqual(cookies, [], 'a refusal sets no cookie')
  return [status, body.error.code]
}

describe('the first sign-in', () => {
  test('gives the first owner an address, a name and a password, and signs them in', async () => {
    const token = await door.signIn.setup.open()
    assert.match(token ?? '', /^setup-[0-9A-Za-z]{48}$/)
    const weak = await door.ask('POST', `${root}/setup`, { body: { ...owner, token, password: 'short' } })
    assert.deepEqual(refused(weak), [400, 'weak_password'])
    const wrong = await door.ask('POST', `${root}/setup`, { body: { ...owner, token: `${token}x` } })
    assert.deepEqual(refused(wrong), [400, 'invalid_setup_token'])
    const reply = await door.ask('POST', `${root}/setup`, { body: { ...owner, token, email: ' Ann@A.example ' } })
    assert.equal(reply.status, 200, JSON.stringify(reply.body))
    assert.deepEqual(
      [reply.body.user.email, reply.body.user.name, reply.body.organizations[0].role],
      ['ann@a.example', 'Ann', 'owner'],
    )
    const me = await door.does('GET', `${root}/sessions/current`, { as: secretOf(reply) })
    assert.deepEqual(me, reply.body)
  })

  test('happens once', async () => {
    assert.equal(await door.signIn.setup.open(), undefined)
    const again = await door.ask('POST', `${root}/setup`, { body: { ...owner, token: 'setup-x' } })
    assert.deepEqual(refused(again), [400, 'invalid_setup_token'])
  })

  test('is over after a quarter of an hour, and when another owner came first', async () => {
    const other = await openDoor()
    try {
      const late = await other.signIn.setup.open()
      other.clock.advance(900_000)
      assert.deepEqual(refused(await other.ask('POST', `${root}/setup`, { body: { ...owner, token: late } })), [
        400,
        'invalid_setup_token',
      ])
      const token = await other.signIn.setup.open()
      const all = await Promise.all(
        Array.from({ length: 5 }, (_, at) =>
          other.ask('POST', `${root}/setup`, { body: { ...owner, token, email: `ann${at}@a.example` } }),
        ),
      )
      assert.deepEqual(all.map(({ status }) => status).sort(), [200, 400, 400, 400, 400])
      assert.equal((await other.store.read.selectFrom('users').selectAll().execute()).length, 1)
    } finally {
      await other.close()
    }
  })
})

describe('signing in', () => {
  test('sets a cookie that no script and no other site can use, and whose secret is stored nowhere', async () => {
    const reply = await door.ask('POST', `${root}/sessions`, { body: { email: owner.email, password: owner.password } })
    assert.equal(reply.status, 200)
    assert.equal(reply.cookies.length, 1)
    assert.match(
      reply.cookies[0]!,
      /^parlance_session=sess-[0-9A-Za-z]{48}; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Strict$/,
    )
    assert.equal(reply.headers['cache-control'], 'no-store')
    assert.equal(JSON.stringify(reply.body).includes(secretOf(reply)), false)
    const rows = JSON.stringify(await door.store.read.selectFrom('sessions').selectAll().execute())
    assert.equal(rows.includes(secretOf(reply)), false)
    assert.equal(reply.body.csrf_header, 'x-parlance-csrf')
    assert.equal(reply.body.ip_address, '127.0.0.1')
  })

  test('marks the cookie as secure where people come by https', async () => {
    const at = (headers: Record<string, string>) =>
      door.ask('POST', `${root}/sessions`, { body: { email: owner.email, password: owner.password }, headers })
    const there = await at({ host: 'ai.example.com', origin: publicUrl })
    assert.match(there.cookies[0]!, /; Secure$/)
    const forged = await at({ 'x-forwarded-proto': 'https' })
    assert.doesNotMatch(forged.cookies[0]!, /Secure/)
  })

  test('knows whoever comes back: their person, organisations, projects and role', async () => {
    const as = await signIn(owner.email, owner.password)
    const me = await door.does('GET', `${root}/sessions/current`, { as })
    assert.equal(me.object, 'parlance.session')
    assert.match(me.id, /^sess_[0-9a-f]{24}$/)
    assert.deepEqual(Object.keys(me.user).sort(), ['created_at', 'email', 'has_password', 'id', 'name', 'object'])
    assert.deepEqual(me.organizations, [{ id: me.organization_id, name: 'default', title: 'Default', role: 'owner' }])
    assert.deepEqual(me.projects, [{ id: me.project_id, name: 'Default project', role: 'owner' }])
    const text = JSON.stringify(me)
    for (const hidden of ['scrypt', as, 'hash']) assert.equal(text.includes(hidden), false, hidden)
  })

  test('opens the whole API with the role of the person', async () => {
    const token = await invite('reader@a.example')
    const accepted = await door.ask('POST', `${root}/invites/accept`, {
      body: { token, name: 'Rea', password: 'one more password' },
    })
    const reader = secretOf(accepted)
    const as = await signIn(owner.email, owner.password)
    for (const [who, method, path, body, status] of [
      [as, 'GET', '/v1/models', undefined, 200],
      [as, 'GET', '/v1/organization/users', undefined, 200],
      [as, 'POST', '/v1/organization/projects', { name: 'new' }, 200],
      [reader, 'GET', '/v1/models', undefined, 200],
      [reader, 'GET', '/v1/organization/users', undefined, 200],
      [reader, 'POST', '/v1/organization/projects', { name: 'new' }, 403],
      [
        reader,
        'POST',
        '/v1/chat/completions',
        { model: 'words', messages: [{ role: 'user', content: 'x' }], max_tokens: 3 },
        200,
      ],
    ] as const) {
      const reply = await door.ask(method, path, { as: who, ...(body !== undefined && { body }) })
      assert.equal(reply.status, status, `${path}: ${JSON.stringify(reply.body)}`)
    }
    await door.store.flush()
    const [row] = await door.store.read.selectFrom('usage').selectAll().orderBy('created_at', 'desc').limit(1).execute()
    assert.deepEqual([row?.key_id, row?.user_id], ['session', accepted.body.user.id])
  })

  test('makes a new secret each time, and ends the sign-in that it replaces', async () => {
    const planted = await signIn(owner.email, owner.password)
    const reply = await door.ask('POST', `${root}/sessions`, {
      as: planted,
      body: { email: owner.email, password: owner.password },
    })
    assert.notEqual(secretOf(reply), planted)
    assert.deepEqual(refused(await door.ask('GET', `${root}/sessions/current`, { as: planted })), [401, 'session_over'])
    const made = `sess-${'x'.repeat(48)}`
    const fixed = await door.ask('POST', `${root}/sessions`, {
      as: made,
      body: { email: owner.email, password: owner.password },
    })
    assert.notEqual(secretOf(fixed), made)
    assert.deepEqual(refused(await door.ask('GET', '/v1/models', { as: made })), [401, 'session_over'])
  })

  test('refuses what is wrong in the same words and after the same work, whatever is wrong with it', async () => {
    await door.store.write(
      door.store.build.insertInto('users').values([
        {
          id: 'user-x',
          email: 'no-password@a.example',
          name: 'X',
          password: null,
          identity: null,
          created_at: 1,
          disabled_at: null,
        },
        {
          ...{ id: 'user-y', email: 'disabled@a.example', name: 'Y', identity: null, created_at: 1, disabled_at: 2 },
          password: await door.signIn.passwords.hash(owner.password),
        },
      ]),
    )
    const replies = []
    for (const [email, password] of [
      [owner.email, 'wrong horse battery'],
      ['nobody@a.example', owner.password],
      ['no-password@a.example', owner.password],
      ['disabled@a.example', owner.password],
      [owner.email, 'x'.repeat(1000)],
    ] as const) {
      const before = door.signIn.passwords.runs
      const reply = await door.ask('POST', `${root}/sessions`, { body: { email, password } })
      assert.deepEqual(refused(reply), [401, 'invalid_credentials'])
      replies.push(JSON.stringify(reply.body))
      assert.equal(door.signIn.passwords.runs, before + 1, `${email}: scrypt ran once`)
    }
    assert.equal(new Set(replies).size, 1)
  })

  test('raises the cost of a password that was stored when it was lower', async () => {
    const slower = makePasswords({ random: door.random, cost: { ln: 3, r: 1, p: 1 } })
    const old = await slower.hash('an old password 1')
    await door.store.write(
      door.store.build.updateTable('users').set({ password: old }).where('email', '=', 'reader@a.example'),
    )
    await signIn('reader@a.example', 'an old password 1')
    const stored = await passwordOf('reader@a.example')
    assert.match(stored ?? '', /^\$scrypt\$ln=4,/)
    await signIn('reader@a.example', 'an old password 1')
    assert.equal(await passwordOf('reader@a.example'), stored)
  })

  const passwordOf = async (email: string) =>
    (await door.store.read.selectFrom('users').select('password').where('email', '=', email).executeTakeFirst())
      ?.password
})

describe('guessing', () => {
  test('is slowed down, the same whether there is such an account or not', async () => {
    const replies = []
    for (const email of [owner.email, 'nobody@a.example']) {
      door.clock.advance(3_600_000)
      const guess = (at: number) =>
        door.ask('POST', `${root}/sessions`, { body: { email, password: `wrong password ${at}` } })
      for (let at = 0; at < 6; at++) assert.equal((await guess(at)).status, 401)
      const before = door.signIn.passwords.runs
      const reply = await guess(7)
      assert.deepEqual(refused(reply), [429, 'too_many_sign_ins'])
      assert.equal(reply.headers['retry-after'], '1')
      assert.equal(door.signIn.passwords.runs, before, 'nothing is computed for whoever must wait')
      replies.push(JSON.stringify(reply.body))
      const right = await door.ask('POST', `${root}/sessions`, { body: { email, password: owner.password } })
      assert.equal(right.status, 429, 'the right password must wait as well')
    }
    assert.equal(new Set(replies).size, 1)
    door.clock.advance(600_000)
    await signIn(owner.email, owner.password)
  })

  test('is not helped by addresses that a client makes up', async () => {
    door.clock.advance(3_600_000)
    const outcomes = new Map<number, number>()
    for (let at = 0; at < 1000; at++) {
      const headers = { 'x-forwarded-for': `198.51.${at >> 8}.${at & 255}`, forwarded: `for=198.51.100.${at & 255}` }
      const { status } = await door.ask('POST', `${root}/sessions`, {
        body: { email: `user${at}@a.example`, password: 'wrong password' },
        headers,
      })
      outcomes.set(status, (outcomes.get(status) ?? 0) + 1)
    }
    assert.deepEqual(
      outcomes,
      new Map([
        [401, 21],
        [429, 979],
      ]),
    )
    door.clock.advance(3_600_000)
  })

  test('10,000 failures leave no more than a few rows, runs of scrypt and bytes behind', async () => {
    const other = await openDoor()
    try {
      await other.setUp(owner)
      const before = other.signIn.passwords.runs
      const events = (await other.events()).length
      const visiting = { ...other, caller: nobody, from: { ip: '192.0.2.1', userAgent: null, requestId: null } }
      for (let batch = 0; batch < 100; batch++) {
        const guesses = Array.from({ length: 100 }, (_, at) =>
          signInWithPassword(visiting, { email: owner.email, password: `wrong ${batch} ${at}` }),
        )
        for (const guess of await Promise.allSettled(guesses)) assert.equal(guess.status, 'rejected')
        other.clock.advance(1000)
      }
      const runs = other.signIn.passwords.runs - before
      assert.ok(runs < 20, `${runs} runs`)
      assert.equal((await other.events()).length - events, runs)
    } finally {
      await other.close()
    }
  })
})

test('every sign-in, failure and change is in the audit log, without a secret', async () => {
  const own = await openDoor()
  try {
    const as = await own.setUp(owner)
    await own.ask('POST', `${root}/sessions`, { body: { email: owner.email, password: 'wrong password' } })
    await own.ask('POST', `${root}/sessions`, { body: { email: 'nobody@a.example', password: 'wrong password' } })
    await own.enter(owner.email, owner.password)
    await own.does('POST', `${root}/users/me`, {
      as,
      body: { password: 'another password', current_password: owner.password },
    })
    await own.does('DELETE', `${root}/sessions/current`, { as })
    const events = await own.events()
    const userId = events.find(({ type }) => type === 'user.updated')?.subject_id
    assert.deepEqual(
      events.map(({ type, actor_id, subject_id }) => [type, actor_id, subject_id.replace(/^sess_.*/, 'sess')]).sort(),
      [
        ['login.failed', null, 'unknown'],
        ['login.failed', null, userId],
        ['login.succeeded', userId, userId],
        ['login.succeeded', userId, userId],
        ['logout.succeeded', userId, 'sess'],
        ['user.updated', userId, userId],
        ['user.updated', userId, userId],
      ],
    )
    const text = JSON.stringify(await own.store.read.selectFrom('audit_log').selectAll().execute())
    for (const secret of [owner.password, 'another password', 'wrong password', 'nobody@', as, 'scrypt'])
      assert.equal(text.includes(secret), false, secret)
    const shown = await own.does('GET', '/v1/organization/audit_logs', {
      as: await own.enter(owner.email, 'another password'),
    })
    assert.equal(shown.data[0].type, 'login.succeeded')
    assert.equal(shown.data[0].actor.session.user.email, owner.email)
  } finally {
    await own.close()
  }
})

test('an Idempotency-Key keeps no cookie, and two people never read each other’s replies', async () => {
  const headers = { 'idempotency-key': 'once' }
  const body = { email: owner.email, password: owner.password }
  const first = await door.ask('POST', `${root}/sessions`, { body, headers })
  const second = await door.ask('POST', `${root}/sessions`, { body, headers })
  assert.notEqual(secretOf(first), secretOf(second))
  const rows = JSON.stringify(await door.store.read.selectFrom('idempotency').selectAll().execute())
  assert.equal(rows.includes('sess-'), false)
  const asked = { model: 'words', messages: [{ role: 'user', content: 'x' }], max_tokens: 2 }
  const ask = (as: string) => door.ask('POST', '/v1/chat/completions', { as, body: asked, headers })
  const ann = await ask(secretOf(first))
  const eve = await ask(await signIn('reader@a.example', 'an old password 1'))
  assert.notEqual(ann.body.id, eve.body.id)
  assert.equal((await ask(secretOf(second))).body.id, ann.body.id)
})

test('bodies of any other kind than JSON do not get in', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    const { statusCode, body } = await request(`${door.url}${root}/sessions`, {
      method: 'POST',
      dispatcher: door.agent,
      headers: { 'content-type': type },
      body: JSON.stringify({ email: owner.email, password: owner.password }),
    })
    assert.equal(statusCode, 415, await body.text())
  }
})
