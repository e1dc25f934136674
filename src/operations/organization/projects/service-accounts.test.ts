import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Office } from '../harness.ts'

const office = new Office()
before(() => office.open())
after(() => office.close())

const there = () => `/v1/organization/projects/${office.a.project}/service_accounts`
const create = (body: object = {}) => office.does('projectOwner', 'POST', there(), { body: { name: 'robot', ...body } })

test('a service account comes with a key that works in its project, and is shown once', async () => {
  const { api_key: key, ...account } = await create()
  const created_at = Math.floor(office.clock.now() / 1000)
  const shown = { object: 'organization.project.service_account', id: account.id, name: 'robot', role: 'member' }
  assert.deepEqual(account, { ...shown, created_at })
  const { value, ...rest } = key
  assert.match(value, /^sk-svcacct-\w{48}$/)
  assert.deepEqual(rest, {
    object: 'organization.project.service_account.api_key',
    id: key.id,
    name: 'Secret Key',
    created_at,
  })
  const caller = await office.opens(value)
  assert.ok(typeof caller === 'object')
  assert.deepEqual(
    [caller.kind, caller.projectId, caller.userId, caller.models, caller.allowed.has('model.request')],
    ['service_account', office.a.project, null, null, true],
  )
  assert.ok(!caller.allowed.has('organization.read'))
  assert.deepEqual(await office.does('reader', 'GET', `${there()}/${account.id}`), account)
})

test('a service account without a role has no key, and keys of it work when it has one', async () => {
  const bare = await create({ create_service_account_only: true })
  assert.deepEqual([bare.role, bare.api_key], ['none', null])
  const key = await office.does('owner', 'POST', `${there()}/${bare.id}/api_keys`)
  assert.equal(await office.opens(key.value), 401)
  const inside = `/v1/organization/projects/${office.a.project}/api_keys/${key.id}`
  assert.equal((await office.does('owner', 'GET', inside)).owner_project_access, 'inactive')
  const changed = await office.does('projectOwner', 'POST', `${there()}/${bare.id}`, { body: { role: 'member' } })
  assert.equal(changed.role, 'member')
  assert.equal(typeof (await office.opens(key.value)), 'object')
  assert.equal((await office.does('owner', 'GET', inside)).owner_project_access, 'active')
})

test('a service account is renamed and given a role; nothing asked changes nothing', async () => {
  const { api_key: _, ...account } = await create()
  const renamed = await office.does('owner', 'POST', `${there()}/${account.id}`, {
    body: { name: 'arm', role: 'owner' },
  })
  assert.deepEqual(renamed, { ...account, name: 'arm', role: 'owner' })
  for (const body of [{}, { name: 'arm' }, { role: 'owner' }])
    assert.deepEqual(await office.does('owner', 'POST', `${there()}/${account.id}`, { body }), renamed)
  for (const [body, code, param] of [
    [{ role: 'none' }, 'invalid_value', 'role'],
    [{ name: ' ' }, 'invalid_value', 'name'],
    [{ project_id: office.a.first }, 'unknown_parameter', 'project_id'],
  ] as const)
    assert.deepEqual(await office.refuses('owner', 'POST', `${there()}/${account.id}`, { body }), [400, code, param])
})

test('a service account that is removed takes its keys along at once', async () => {
  const account = await create()
  const more = await office.does('owner', 'POST', `${there()}/${account.id}/api_keys`, { body: { name: 'second' } })
  assert.equal(more.name, 'second')
  const reply = await office.does('projectOwner', 'DELETE', `${there()}/${account.id}`)
  assert.deepEqual(reply, { object: 'organization.project.service_account.deleted', id: account.id, deleted: true })
  for (const secret of [account.api_key.value, more.value]) assert.equal(await office.opens(secret), 401)
  assert.equal((await office.ask('owner', 'DELETE', `${there()}/${account.id}`)).status, 404)
  const keys = `/v1/organization/projects/${office.a.project}/api_keys`
  for (const { id } of [account.api_key, more])
    assert.equal((await office.ask('owner', 'GET', `${keys}/${id}`)).status, 404)
})

test('a service account of one project is not found in another of the same organization', async () => {
  const { id } = await create()
  const elsewhere = `/v1/organization/projects/${office.a.first}/service_accounts/${id}`
  for (const [method, path] of [
    ['GET', elsewhere],
    ['POST', elsewhere],
    ['DELETE', elsewhere],
    ['POST', `${elsewhere}/api_keys`],
  ] as const)
    assert.equal((await office.ask('owner', method, path)).status, 404)
})

test('keys of service accounts have the scopes and models that are asked for', async () => {
  const { id } = await create()
  const body = { scopes: ['model.request', 'model.request'], models: ['small', 'small'] }
  const { value } = await office.does('owner', 'POST', `${there()}/${id}/api_keys`, { body })
  const caller = await office.opens(value)
  assert.ok(typeof caller === 'object')
  assert.deepEqual([[...caller.allowed], [...(caller.models ?? [])]], [['model.request'], ['small']])
})

test('service accounts are listed page by page', async () => {
  for (let i = 0; i < 3; i++) await create()
  const { data } = await office.does('reader', 'GET', there(), { query: { limit: 100 } })
  const page = await office.does('reader', 'GET', there(), { query: { limit: 1, after: data[1]?.id } })
  assert.deepEqual([page.data, page.first_id, page.last_id, page.has_more], [[data[2]], data[2]?.id, data[2]?.id, true])
})

test('a key is not made while its service account is removed', async () => {
  for (let round = 0; round < 10; round++) {
    const { id } = await create()
    const [made, removed] = await office.together([
      ['owner', 'POST', `${there()}/${id}/api_keys`, {}],
      ['owner', 'DELETE', `${there()}/${id}`],
    ])
    assert.equal(removed, 200)
    assert.ok(made === 200 || made === 404)
    const working = await office.store.read
      .selectFrom('api_keys')
      .select('id')
      .where('service_account_id', '=', id)
      .execute()
    assert.deepEqual(working, [])
  }
})
