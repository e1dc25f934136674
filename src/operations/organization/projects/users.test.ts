import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Office } from '../harness.ts'

const office = new Office()
before(() => office.open())
after(() => office.close())

const there = () => `/v1/organization/projects/${office.a.project}/users`

test('somebody of the organization comes into the project by id or address, gets another role, and leaves', async () => {
  const id = await office.person('reader')
  office.clock.advance(5000)
  const user = {
    object: 'organization.project.user',
    id,
    name: (await office.does('owner', 'GET', `/v1/organization/users/${id}`)).name,
    email: `${id}@a.example`,
    role: 'member',
    added_at: Math.floor(office.clock.now() / 1000),
  }
  for (const who of [{ user_id: id }, { email: ` ${id.toUpperCase()}@A.example`, user_id: null }]) {
    const body = { role: 'member', ...who }
    assert.deepEqual(await office.does('projectOwner', 'POST', there(), { body }), user)
    assert.deepEqual(await office.does('reader', 'GET', `${there()}/${id}`), user)
    const param = 'email' in who ? 'email' : 'user_id'
    assert.deepEqual(await office.refuses('owner', 'POST', there(), { body }), [400, 'already_member', param])
    const raised = await office.does('projectOwner', 'POST', `${there()}/${id}`, { body: { role: 'owner' } })
    assert.equal(raised.role, 'owner')
    assert.deepEqual(await office.does('owner', 'POST', `${there()}/${id}`, { body: {} }), raised)
    assert.deepEqual(await office.does('projectOwner', 'DELETE', `${there()}/${id}`), {
      object: 'organization.project.user.deleted',
      id,
      deleted: true,
    })
    assert.equal((await office.ask('owner', 'DELETE', `${there()}/${id}`)).status, 404)
  }
})

test('an owner of a project has the rights of one as long as they are one', async () => {
  const id = await office.person('reader', 'member')
  const place = { organizationId: office.a.organization, projectId: office.a.project, userId: id }
  const { secret } = await office.keys.create({ name: 'theirs', place })
  const owned = async () => {
    const caller = await office.keys.find(secret)
    return [...caller.ownedProjects]
  }
  assert.deepEqual(await owned(), [])
  await office.does('owner', 'POST', `${there()}/${id}`, { body: { role: 'owner' } })
  assert.deepEqual(await owned(), [office.a.project])
  await office.does('owner', 'POST', `${there()}/${id}`, { body: { role: 'member' } })
  assert.deepEqual(await owned(), [])
  await office.does('owner', 'DELETE', `${there()}/${id}`)
  assert.equal(await office.opens(secret), 401)
})

const refusals: [what: string, body: () => object, expected: [number, string | null, string | null]][] = [
  ['nobody', () => ({}), [400, 'missing_required_parameter', 'user_id']],
  ['two', () => ({ user_id: office.a.user, email: 'x@a.example' }), [400, 'invalid_value', 'email']],
  ['somebody of another organization', () => ({ user_id: office.b.user }), [404, null, null]],
  ['an address of another organization', () => ({ email: 'owner@b.example' }), [404, null, null]],
  ['an address that nobody has', () => ({ email: 'nobody@a.example' }), [404, null, null]],
  ['an id that is none', () => ({ user_id: "'; drop table users" }), [404, null, null]],
  ['a role of the organization', () => ({ user_id: office.a.user, role: 'reader' }), [400, 'invalid_value', 'role']],
]
for (const [what, body, expected] of refusals)
  test(`a project does not take in ${what}`, async () =>
    assert.deepEqual(await office.refuses('owner', 'POST', there(), { body: { role: 'member', ...body() } }), expected))

test('the people of a project are listed page by page', async () => {
  for (let i = 0; i < 3; i++) await office.person('reader', 'member')
  const { data } = await office.does('reader', 'GET', there(), { query: { limit: 100 } })
  const page = await office.does('reader', 'GET', there(), { query: { limit: 2, after: data[0]?.id } })
  assert.deepEqual([page.data, page.has_more], [data.slice(1, 3), true])
  const rest = await office.does('reader', 'GET', there(), { query: { limit: 2, after: data.at(-3)?.id } })
  assert.deepEqual([rest.data, rest.has_more], [data.slice(-2), false])
})

test('nobody comes into a project, or stays, who leaves the organization at that moment', async () => {
  for (let round = 0; round < 10; round++) {
    const id = await office.person('reader')
    const outcomes = await office.together([
      ['owner', 'POST', there(), { user_id: id, role: 'member' }],
      ['owner', 'DELETE', `/v1/organization/users/${id}`],
    ])
    assert.equal(outcomes[1], 200)
    const left = await office.store.read.selectFrom('project_members').selectAll().where('user_id', '=', id).execute()
    assert.deepEqual(left, [])
  }
})
