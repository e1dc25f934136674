import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Fault } from '../../../lib/faults.ts'
import { type Accepting, acceptInvite, openInvite } from '../../../platform/people/accepting.ts'
import { Office } from '../harness.ts'

const office = new Office()
before(() => office.open())
after(() => office.close())

const path = '/v1/organization/invites'
const dayMs = 86_400_000

let people = 0
const invite = async (more: object = {}) =>
  office.does('owner', 'POST', path, { body: { email: `new${++people}@a.example`, role: 'reader', ...more } })

describe('an invite', () => {
  test('is pending for seven days, then expired; its secret is shown once', async () => {
    const { accept_token: secret, ...made } = await invite({ email: ' Zoë@A.example ' })
    assert.match(secret, /^inv-\w{40}$/)
    const nowSeconds = Math.floor(office.clock.now() / 1000)
    assert.deepEqual(made, {
      object: 'organization.invite',
      id: made.id,
      email: 'zoë@a.example',
      role: 'reader',
      status: 'pending',
      created_at: nowSeconds,
      invited_at: nowSeconds,
      expires_at: nowSeconds + 7 * 86_400,
      accepted_at: null,
      projects: [{ id: office.a.first, role: 'member' }],
    })
    assert.deepEqual(await office.does('reader', 'GET', `${path}/${made.id}`), made)
    office.clock.advance(7 * dayMs - 1)
    assert.equal((await office.does('owner', 'GET', `${path}/${made.id}`)).status, 'pending')
    office.clock.advance(1)
    assert.equal((await office.does('owner', 'GET', `${path}/${made.id}`)).status, 'expired')
    await assert.rejects(openInvite(await acting(), secret), refused('invalid_invite'))
  })

  test('leads into the projects that it names, or into none', async () => {
    const { a } = office
    const both = [
      { id: a.project, role: 'owner' },
      { id: a.first, role: 'member' },
    ]
    assert.deepEqual((await invite({ projects: both })).projects, both)
    assert.deepEqual((await invite({ projects: [] })).projects, [])
  })

  test('is listed page by page', async () => {
    const { data } = await office.does('reader', 'GET', path, { query: { limit: 100 } })
    const page = await office.does('reader', 'GET', path, { query: { limit: 1, after: data[0]?.id } })
    assert.deepEqual([page.data, page.has_more], [[data[1]], true])
  })

  const refusals: [what: string, more: () => object, expected: [number, string | null, string | null]][] = [
    ['an address that is none', () => ({ email: 'nobody' }), [400, 'invalid_value', 'email']],
    ['two addresses', () => ({ email: 'a@b.example,c@d.example@x' }), [400, 'invalid_value', 'email']],
    ['an address with a control character', () => ({ email: 'a\u0000@b.example' }), [400, 'invalid_value', 'email']],
    ['somebody who is there', () => ({ email: 'OWNER@localhost' }), [400, 'already_member', 'email']],
    ['somebody who is invited', () => ({ email: 'invited@owner.example' }), [400, 'already_invited', 'email']],
    ['another role', () => ({ role: 'member' }), [400, 'invalid_value', 'role']],
    ['no role', () => ({ role: undefined }), [400, 'missing_required_parameter', 'role']],
    ['a foreign project', () => ({ projects: [{ id: office.b.project, role: 'member' }] }), [404, null, null]],
    ['a project that is not', () => ({ projects: [{ id: 'proj_none', role: 'member' }] }), [404, null, null]],
    [
      'a field inside a project',
      () => ({ projects: [{ id: office.a.first, role: 'member', organization_id: 'x' }] }),
      [400, 'unknown_parameter', 'projects[0].organization_id'],
    ],
  ]
  for (const [what, more, expected] of refusals)
    test(`is not made for ${what}`, async () => {
      const body = { email: 'fresh@a.example', role: 'reader', ...more() }
      if (what === 'somebody who is invited') office.clock.advance(-10 * dayMs)
      assert.deepEqual(await office.refuses('owner', 'POST', path, { body }), expected)
      if (what === 'somebody who is invited') office.clock.advance(10 * dayMs)
    })

  test('is not made for an archived project', async () => {
    const { id } = await office.does('owner', 'POST', '/v1/organization/projects', { body: { name: 'old' } })
    await office.does('owner', 'POST', `/v1/organization/projects/${id}/archive`)
    const body = { email: 'fresh@a.example', role: 'reader', projects: [{ id, role: 'member' }] }
    assert.deepEqual(await office.refuses('owner', 'POST', path, { body }), [400, 'project_archived', null])
  })

  test('can be withdrawn, and then opens nothing', async () => {
    const { id, accept_token: secret } = await invite()
    const reply = await office.does('owner', 'DELETE', `${path}/${id}`)
    assert.deepEqual(reply, { object: 'organization.invite.deleted', id, deleted: true })
    assert.equal((await office.ask('owner', 'GET', `${path}/${id}`)).status, 404)
    await assert.rejects(accept(secret), refused('invalid_invite'))
  })
})

const acting = async () => office.acting(await office.caller('owner'))
const ada: Accepting = { name: 'Ada', password: 'scrypt$hash' }
const accept = async (secret: string, who: Accepting = ada) => acceptInvite(await acting(), secret, who)
const refused = (code: string) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.equal(error.code, code)
  return true
}

describe('whoever accepts an invite', () => {
  test('is in the organization and its projects as the invite says', async () => {
    const { a, store } = office
    const {
      id,
      accept_token: secret,
      email,
    } = await invite({ role: 'owner', projects: [{ id: a.project, role: 'owner' }] })
    office.clock.advance(1)
    const { userId, organizationId } = await accept(secret)
    assert.equal(organizationId, a.organization)
    const user = await office.does('owner', 'GET', `/v1/organization/users/${userId}`)
    assert.deepEqual([user.name, user.email, user.role], ['Ada', email, 'owner'])
    const there = await office.does('owner', 'GET', `/v1/organization/projects/${a.project}/users/${userId}`)
    assert.equal(there.role, 'owner')
    const row = await store.read.selectFrom('users').selectAll().where('id', '=', userId).executeTakeFirstOrThrow()
    assert.equal(row.password, 'scrypt$hash')
    const done = await office.does('owner', 'GET', `${path}/${id}`)
    assert.deepEqual([done.status, done.accepted_at], ['accepted', Math.floor(office.clock.now() / 1000)])
    const { data } = await office.does('owner', 'GET', '/v1/organization/audit_logs', { query: { limit: 2 } })
    assert.deepEqual(data.map(event => event.type).toSorted(), ['invite.accepted', 'user.added'])
    assert.deepEqual(data[0]?.actor.session.user, { id: userId, email })
    assert.deepEqual(await office.refuses('owner', 'DELETE', `${path}/${id}`), [400, 'invite_accepted', null])
    assert.deepEqual(await office.refuses('owner', 'POST', path, { body: { email, role: 'reader' } }), [
      ...[400, 'already_member', 'email'],
    ])
  })

  test('accepts once, also when two try at the same time', async () => {
    const { accept_token: secret } = await invite()
    const outcomes = await Promise.allSettled([accept(secret), accept(secret)])
    assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
    await assert.rejects(accept(secret), refused('invalid_invite'))
    await assert.rejects(accept('inv-unknown'), refused('invalid_invite'))
  })

  test('is not in a project that was archived meanwhile', async () => {
    const { id } = await office.does('owner', 'POST', '/v1/organization/projects', { body: { name: 'short' } })
    const { accept_token: secret } = await invite({ projects: [{ id, role: 'member' }] })
    await office.does('owner', 'POST', `/v1/organization/projects/${id}/archive`)
    const { userId } = await accept(secret)
    assert.equal((await office.ask('owner', 'GET', `/v1/organization/projects/${id}/users/${userId}`)).status, 404)
    assert.equal((await office.does('owner', 'GET', `/v1/organization/users/${userId}`)).role, 'reader')
  })

  test('gets no rights over an account that is there: its holder must be signed in', async () => {
    const body = { email: 'owner@b.example', role: 'reader' }
    const { accept_token: secret } = await office.does('owner', 'POST', path, { body })
    await assert.rejects(accept(secret), refused('account_exists'))
    await assert.rejects(accept(secret, { userId: office.a.user }), refused('invite_of_another'))
    assert.deepEqual(await accept(secret, { userId: office.b.user }), {
      userId: office.b.user,
      organizationId: office.a.organization,
    })
    const account = await office.store.read
      .selectFrom('users')
      .selectAll()
      .where('id', '=', office.b.user)
      .executeTakeFirstOrThrow()
    assert.deepEqual([account.name, account.password], ['owner@b.example', null])
    assert.equal((await office.does('owner', 'GET', `/v1/organization/users/${office.b.user}`)).role, 'reader')
  })

  test('needs a name', async () => {
    const { accept_token: secret } = await invite()
    for (const name of ['', '  ', 'a\u0007'])
      await assert.rejects(accept(secret, { name, password: null }), refused('invalid_value'))
    await accept(secret)
  })
})
