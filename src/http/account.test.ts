import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { terminal } from '../platform/audit.ts'
import { createOrganization } from '../platform/people/organizations.ts'
import { renewPassword } from '../platform/sign-in/account.ts'
import { type Asked, type Door, openDoor, type Reply, secretOf } from './door.fixture.ts'

const root = '/v1/parlance'
const owner = { email: 'ann@a.example', name: 'Ann', password: 'correct horse battery' }
const reader = { email: 'reader@a.example', name: 'Rea', password: 'an old password 1' }

let door: Door
before(async () => {
  door = await openDoor()
  await door.setUp(owner)
  await accept({ token: await invite(reader.email), name: reader.name, password: reader.password })
})
after(() => door.close())

/** @returns what opens the invite */
async function invite(email: string): Promise<string> {
  const as = await door.enter(owner.email, owner.password)
  const made = await door.does('POST', '/v1/organization/invites', { as, body: { email, role: 'reader' } })
  return made.accept_token
}
const accept = (body: object, more: Asked = {}) => door.ask('POST', `${root}/invites/accept`, { body, ...more })
const signIn = (email: string, password: string) => door.enter(email, password)
const refused = ({ status, body, cookies }: Reply): [number, string] => {
  assert.deepEqual(cookies, [], 'a refusal sets no cookie')
  return [status, body.error.code]
}

describe('one’s own account', () => {
  test('has a name that its owner may change', async () => {
    const as = await signIn(owner.email, owner.password)
    const me = await door.does('POST', `${root}/users/me`, { as, body: { name: '  Ann B. ' } })
    assert.equal(me.user.name, 'Ann B.')
  })

  test('has a password that its owner may change with the old one, which ends their other sign-ins', async () => {
    const as = await signIn('reader@a.example', 'an old password 1')
    const other = await signIn('reader@a.example', 'an old password 1')
    const change = (body: object) => door.ask('POST', `${root}/users/me`, { as, body })
    for (const [body, expected] of [
      [{ password: 'a new password 2' }, [400, 'missing_required_parameter']],
      [{ current_password: 'an old password 1' }, [400, 'missing_required_parameter']],
      [{ password: 'a new password 2', current_password: 'wrong password' }, [400, 'invalid_credentials']],
      [{ password: 'short', current_password: 'an old password 1' }, [400, 'weak_password']],
      [{ password: 'Reader@a.example', current_password: 'an old password 1' }, [400, 'weak_password']],
      [{ name: ' ' }, [400, 'invalid_value']],
      [{ role: 'owner' }, [400, 'unknown_parameter']],
      [{ email: 'ann@a.example' }, [400, 'unknown_parameter']],
    ] as const)
      assert.deepEqual(refused(await change(body)), expected, JSON.stringify(body))
    await door.does('GET', '/v1/models', { as: other })
    assert.equal((await change({ password: 'a new password 2', current_password: 'an old password 1' })).status, 200)
    assert.deepEqual(refused(await door.ask('GET', '/v1/models', { as: other })), [401, 'session_over'])
    await door.does('GET', '/v1/models', { as })
    const old = await door.ask('POST', `${root}/sessions`, {
      body: { email: 'reader@a.example', password: 'an old password 1' },
    })
    assert.equal(old.status, 401)
    await signIn('reader@a.example', 'a new password 2')
  })

  test('lets nobody guess the old password faster than at the door', async () => {
    const as = await signIn('reader@a.example', 'a new password 2')
    const statuses = []
    for (let at = 0; at < 8; at++) {
      const body = { password: 'a newer password 3', current_password: `wrong password ${at}` }
      statuses.push((await door.ask('POST', `${root}/users/me`, { as, body })).status)
    }
    assert.deepEqual(statuses, [400, 400, 400, 400, 400, 400, 429, 429])
    door.clock.advance(600_000)
  })
})

describe('an invite', () => {
  test('makes a new account, with a name and a password, and signs it in', async () => {
    const token = await invite('eve@a.example')
    for (const [body, expected] of [
      [{ token }, [400, 'missing_required_parameter']],
      [{ token, name: 'Eve' }, [400, 'missing_required_parameter']],
      [{ token, name: 'Eve', password: 'eve@a.example' }, [400, 'weak_password']],
      [{ token: `${token}x`, name: 'Eve', password: 'a password for eve' }, [400, 'invalid_invite']],
      [{ token, name: 'Eve', password: 'a password for eve', role: 'owner' }, [400, 'unknown_parameter']],
    ] as const)
      assert.deepEqual(refused(await accept(body)), expected, JSON.stringify(body))
    const reply = await accept({ token, name: 'Eve', password: 'a password for eve' })
    assert.deepEqual([reply.body.user.email, reply.body.organizations[0].role], ['eve@a.example', 'reader'])
    await door.does('GET', '/v1/models', { as: secretOf(reply) })
    assert.deepEqual(refused(await accept({ token, name: 'Eve', password: 'a password for eve' })), [
      400,
      'invalid_invite',
    ])
    await signIn('eve@a.example', 'a password for eve')
  })

  test('gives nobody an account that is there; whoever is signed in to it joins with the token alone', async () => {
    door.clock.advance(1000)
    const bee = await openSecondOrganization()
    const token = (
      await door.does('POST', '/v1/organization/invites', {
        headers: { authorization: `Bearer ${bee.key}` },
        body: { email: 'eve@a.example', role: 'owner' },
      })
    ).accept_token
    const stolen = await accept({ token, name: 'Eve', password: 'another password' })
    assert.deepEqual(refused(stolen), [400, 'account_exists'])
    const wrong = await accept({ token }, { as: await signIn('reader@a.example', 'a new password 2') })
    assert.deepEqual(refused(wrong), [400, 'invite_of_another'])
    const as = await signIn('eve@a.example', 'a password for eve')
    assert.deepEqual(refused(await accept({ token, name: 'Eve' }, { as })), [400, 'invalid_value'])
    const reply = await accept({ token }, { as })
    assert.equal(reply.body.organization_id, bee.id)
    assert.deepEqual(
      reply.body.organizations.map(({ role }: { role: string }) => role),
      ['reader', 'owner'],
    )
    const now = secretOf(reply)
    for (const [organization, created] of [
      ['bee', 200],
      ['default', 403],
    ] as const) {
      const headers = { 'openai-organization': organization }
      const { status } = await door.ask('POST', '/v1/organization/projects', { as: now, headers, body: { name: 'x' } })
      assert.equal(status, created, organization)
    }
    const elsewhere = await door.ask('GET', '/v1/models', { as: now, headers: { 'openai-organization': 'org-none' } })
    assert.deepEqual(refused(elsewhere), [401, 'mismatched_organization'])
  })

  async function openSecondOrganization(): Promise<{ id: string; key: string }> {
    const { caller, ...acting } = { ...door, caller: await door.keys.operator() }
    const made = await createOrganization(
      { ...acting, caller, from: terminal },
      { name: 'bee', owner: { email: 'owner@b.example' } },
    )
    const place = { organizationId: made.organization.id, projectId: made.projectId, userId: made.userId }
    return { id: made.organization.id, key: (await door.keys.create({ name: 'b', kind: 'admin', place })).secret }
  }
})

test('the operator of the machine gives a new password to whoever has forgotten theirs, in their own organisation alone', async () => {
  const as = await signIn(owner.email, owner.password)
  const { user } = await door.does('GET', `${root}/sessions/current`, { as })
  const visiting = { ...door, caller: await door.keys.operator(), from: terminal }
  await assert.rejects(renewPassword(visiting, 'user-none'), { status: 404 })
  const elsewhere = { ...visiting, caller: await door.keys.operator('bee') }
  await assert.rejects(renewPassword(elsewhere, user.id), { status: 404 })
  const password = await renewPassword(visiting, user.id)
  assert.match(password, /^[0-9A-Za-z]{20}$/)
  assert.deepEqual(refused(await door.ask('GET', '/v1/models', { as })), [401, 'session_over'])
  const again = await signIn(owner.email, password)
  const asked = await door.ask('POST', `${root}/members/${user.id}/password`, { as: again })
  assert.deepEqual(refused(asked), [403, 'command_only'])
})
