import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Office } from '../harness.ts'

const office = new Office()
before(() => office.open())
after(() => office.close())

const path = '/v1/organization/projects'
const create = async (name = 'New') => office.does('owner', 'POST', path, { body: { name } })

test('a project is made, shown and renamed', async () => {
  office.clock.advance(1500)
  const made = await create(' Research ')
  const project = {
    object: 'organization.project',
    id: made.id,
    name: 'Research',
    created_at: Math.floor(office.clock.now() / 1000),
    archived_at: null,
    status: 'active',
  }
  assert.deepEqual(made, project)
  assert.deepEqual(await office.does('reader', 'GET', `${path}/${made.id}`), project)
  const renamed = await office.does('admin', 'POST', `${path}/${made.id}`, { body: { name: 'Search' } })
  assert.deepEqual(renamed, { ...project, name: 'Search' })
  for (const body of [{}, { name: null, external_key_id: null }])
    assert.deepEqual(await office.does('owner', 'POST', `${path}/${made.id}`, { body }), renamed)
})

for (const [body, code, param] of [
  [{}, 'missing_required_parameter', 'name'],
  [{ name: null }, 'invalid_type', 'name'],
  [{ name: '' }, 'empty_string', 'name'],
  [{ name: ' ' }, 'invalid_value', 'name'],
  [{ name: 'a\nb' }, 'invalid_value', 'name'],
  [{ name: 'x'.repeat(257) }, 'string_above_max_length', 'name'],
  [{ name: 'x', residency: 'GLOBAL' }, 'invalid_type', 'residency'],
  [{ name: 'x', id: 'proj_mine' }, 'unknown_parameter', 'id'],
] as const)
  test(`a project is not made of ${JSON.stringify(body).slice(0, 40)}`, async () =>
    assert.deepEqual(await office.refuses('owner', 'POST', path, { body }), [400, code, param]))

test('an archived project is dead at once: its keys, its service accounts, all changes in it', async () => {
  const { id } = await create()
  const inside = `${path}/${id}`
  const key = await office.does('owner', 'POST', `${inside}/api_keys`, { body: { name: 'k' } })
  const robot = await office.does('owner', 'POST', `${inside}/service_accounts`, { body: { name: 'r' } })
  for (const secret of [key.value, robot.api_key.value]) assert.equal(typeof (await office.opens(secret)), 'object')
  const archived = await office.does('owner', 'POST', `${inside}/archive`)
  assert.deepEqual([archived.status, archived.archived_at], ['archived', Math.floor(office.clock.now() / 1000)])
  for (const secret of [key.value, robot.api_key.value]) assert.equal(await office.opens(secret), 401)
  assert.deepEqual(await office.does('owner', 'POST', `${inside}/archive`), archived)
  const changes: [path: string, body: object][] = [
    [inside, { name: 'x' }],
    [`${inside}/users`, { user_id: office.a.user, role: 'member' }],
    [`${inside}/api_keys`, { name: 'x' }],
    [`${inside}/api_keys/${key.id}/rotate`, {}],
    [`${inside}/service_accounts`, { name: 'x' }],
    [`${inside}/service_accounts`, { name: 'x', create_service_account_only: true }],
    [`${inside}/service_accounts/${robot.id}`, { name: 'x' }],
    [`${inside}/service_accounts/${robot.id}/api_keys`, {}],
  ]
  for (const [there, body] of changes)
    assert.deepEqual(await office.refuses('owner', 'POST', there, { body }), [400, 'project_archived', null], there)
  assert.equal((await office.does('owner', 'GET', `${inside}/api_keys/${key.id}`)).owner_project_access, 'inactive')
  await office.does('owner', 'DELETE', `${inside}/api_keys/${key.id}`)
  await office.does('owner', 'DELETE', `${inside}/service_accounts/${robot.id}`)
})

test('the default project stays', async () =>
  assert.deepEqual(await office.refuses('owner', 'POST', `${path}/${office.a.first}/archive`), [
    ...[400, 'default_project', null],
  ]))

test('archived projects are listed when they are asked for', async () => {
  const { id } = await create()
  await office.does('owner', 'POST', `${path}/${id}/archive`)
  const ids = async (query: Record<string, unknown> = {}) =>
    (await office.does('reader', 'GET', path, { query: { limit: 100, ...query } })).data.map(project => project.id)
  assert.ok(!(await ids()).includes(id))
  assert.ok(!(await ids({ include_archived: false })).includes(id))
  const all = await ids({ include_archived: true })
  assert.ok(all.includes(id))
  assert.deepEqual(all[0], office.a.first)
  const page = await office.does('reader', 'GET', path, { query: { limit: 2, after: all[0], include_archived: true } })
  assert.deepEqual(
    page.data.map(project => project.id),
    all.slice(1, 3),
  )
  assert.equal(page.has_more, true)
})

test('an owner of a project neither renames nor archives it', async () => {
  const inside = `${path}/${office.a.project}`
  const refused = [403, 'missing_scope', null]
  assert.deepEqual(await office.refuses('projectOwner', 'POST', inside, { body: { name: 'mine' } }), refused)
  assert.deepEqual(await office.refuses('projectOwner', 'POST', `${inside}/archive`), refused)
})
