import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Office } from '../harness.ts'

const office = new Office()
before(() => office.open())
after(() => office.close())

const path = '/v1/organization/admin_api_keys'
const create = (body: object = {}) => office.does('admin', 'POST', path, { body: { name: 'main', ...body } })

test('an admin key is shown with its secret once, and administers', async () => {
  const { value, ...key } = await create()
  assert.match(value, /^sk-admin-\w{48}$/)
  assert.deepEqual(key, {
    object: 'organization.admin_api_key',
    id: key.id,
    name: 'main',
    redacted_value: `${value.slice(0, 5)}***${value.slice(-4)}`,
    created_at: Math.floor(office.clock.now() / 1000),
    expires_at: null,
    last_used_at: null,
    owner: {
      type: 'user',
      object: 'organization.user',
      id: office.a.user,
      name: 'Owner',
      created_at: 1_700_000_000,
      role: 'owner',
    },
  })
  const caller = await office.opens(value)
  assert.ok(typeof caller === 'object')
  assert.ok(caller.allowed.has('organization.write') && !caller.allowed.has('model.request'))
  await office.store.flush()
  const shown = await office.does('reader', 'GET', `${path}/${key.id}`)
  assert.deepEqual(shown, { ...key, last_used_at: shown.created_at })
})

test('an admin key ends by itself when that was asked for', async () => {
  const { id, value, expires_at } = await create({ expires_in_seconds: 60 })
  assert.equal(expires_at, Math.floor(office.clock.now() / 1000) + 60)
  office.clock.advance(59_999)
  assert.equal(typeof (await office.opens(value)), 'object')
  office.clock.advance(1001)
  assert.equal(await office.opens(value), 401)
  assert.equal((await office.does('owner', 'GET', `${path}/${id}`)).expires_at, expires_at)
})

test('an admin key that is deleted is dead at once, also by its own hand', async () => {
  const { id, value } = await create()
  assert.equal(typeof (await office.opens(value)), 'object')
  assert.deepEqual(await office.does('owner', 'DELETE', `${path}/${id}`), {
    object: 'organization.admin_api_key.deleted',
    id,
    deleted: true,
  })
  assert.equal(await office.opens(value), 401)
  for (const method of ['GET', 'DELETE']) assert.equal((await office.ask('owner', method, `${path}/${id}`)).status, 404)
})

test('the admin key of a restricted key may do no more than that', async () => {
  const { value } = await office.does('restricted', 'POST', path, { body: { name: 'less' } })
  const caller = await office.opens(value)
  assert.ok(typeof caller === 'object')
  assert.deepEqual([...caller.granted], ['model.read', 'organization.write'])
  assert.deepEqual([...caller.allowed], ['organization.write'])
})

for (const [body, code, param] of [
  [{}, 'missing_required_parameter', 'name'],
  [{ name: 'x', expires_in_seconds: 0 }, 'integer_below_min_value', 'expires_in_seconds'],
  [{ name: 'x', expires_in_seconds: 31_536_001 }, 'integer_above_max_value', 'expires_in_seconds'],
  [{ name: 'x', expires_in_seconds: null }, 'invalid_type', 'expires_in_seconds'],
  [{ name: 'x', scopes: 'all' }, 'unknown_parameter', 'scopes'],
  [{ name: 'x', user_id: 'user-1' }, 'unknown_parameter', 'user_id'],
] as const)
  test(`an admin key is not made of ${JSON.stringify(body)}`, async () =>
    assert.deepEqual(await office.refuses('owner', 'POST', path, { body }), [400, code, param]))

test('keys of other kinds are not among the admin keys', async () => {
  const { a } = office
  assert.equal((await office.ask('owner', 'DELETE', `${path}/${a.key}`)).status, 404)
  const { data } = await office.does('owner', 'GET', path, { query: { limit: 100 } })
  for (const { redacted_value } of data) assert.match(redacted_value, /^sk-ad/)
})

test('admin keys are listed page by page in both directions', async () => {
  for (let i = 0; i < 3; i++) await create()
  const ids = async (query: object) =>
    (await office.does('owner', 'GET', path, { query: { ...query } })).data.map(key => key.id)
  const all = await ids({ limit: 100 })
  assert.deepEqual(await ids({ limit: 100, order: 'desc' }), all.toReversed())
  assert.deepEqual(await ids({ limit: 2, after: all[0] }), all.slice(1, 3))
  assert.deepEqual(await ids({ limit: 2, after: all[2], order: 'desc' }), [all[1], all[0]])
})
