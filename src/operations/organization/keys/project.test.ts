import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Office } from '../harness.ts'

const office = new Office()
before(() => office.open())
after(() => office.close())

const there = (project = office.a.project) => `/v1/organization/projects/${project}/api_keys`
const create = (body: object = {}) => office.does('owner', 'POST', there(), { body: { name: 'app', ...body } })
const nowSeconds = () => Math.floor(office.clock.now() / 1000)

describe('a key of a project', () => {
  test('is made for whoever asks, shown with its secret once, and works there alone', async () => {
    const { value, ...key } = await create()
    assert.match(value, /^sk-proj-\w{48}$/)
    const { owner, ...rest } = key
    assert.deepEqual(rest, {
      object: 'organization.project.api_key',
      id: key.id,
      name: 'app',
      redacted_value: `${value.slice(0, 5)}***${value.slice(-4)}`,
      created_at: nowSeconds(),
      last_used_at: null,
      owner_project_access: 'active',
      expires_at: null,
      scopes: 'all',
      models: null,
    })
    assert.deepEqual([owner.type, owner.user.id, owner.user.role], ['user', office.a.user, 'owner'])
    const caller = await office.opens(value)
    assert.ok(typeof caller === 'object')
    assert.deepEqual([caller.kind, caller.projectId], ['project', office.a.project])
    assert.ok(caller.allowed.has('model.request') && !caller.allowed.has('organization.read'))
    await office.store.flush()
    const shown = await office.does('reader', 'GET', `${there()}/${key.id}`)
    assert.deepEqual(shown, { ...key, last_used_at: nowSeconds() })
  })

  test('has the scopes, models and end that are asked for', async () => {
    const expires_at = nowSeconds() + 60
    const body = { scopes: ['model.request', 'model.read'], models: ['small', 'large'], expires_at }
    const key = await create(body)
    assert.deepEqual({ scopes: key.scopes, models: key.models, expires_at: key.expires_at }, body)
    const caller = await office.opens(key.value)
    assert.ok(typeof caller === 'object')
    assert.deepEqual([...caller.allowed].toSorted(), ['model.read', 'model.request'])
    office.clock.advance(61_000)
    assert.equal(await office.opens(key.value), 401)
    assert.equal((await create({ scopes: 'read' })).scopes, 'read')
  })

  for (const [body, code, param] of [
    [{ name: undefined }, 'missing_required_parameter', 'name'],
    [{ scopes: 'some' }, 'invalid_value', 'scopes'],
    [{ scopes: ['model.request', 'api.model.request'] }, 'invalid_value', 'scopes[1]'],
    [{ scopes: ['organization.write'] }, 'invalid_value', 'scopes[0]'],
    [{ models: [] }, 'empty_array', 'models'],
    [{ expires_at: 1_000_000_000 }, 'invalid_value', 'expires_at'],
    [{ expires_at: 1e300 }, 'integer_above_max_value', 'expires_at'],
    [{ kind: 'admin' }, 'unknown_parameter', 'kind'],
    [{ user_id: 'user-1' }, 'unknown_parameter', 'user_id'],
  ] as const)
    test(`is not made with ${JSON.stringify(body)}`, async () =>
      assert.deepEqual(await office.refuses('owner', 'POST', there(), { body: { name: 'app', ...body } }), [
        400,
        code,
        param,
      ]))

  test('is dead at once when it is deleted', async () => {
    const { id, value } = await create()
    assert.equal(typeof (await office.opens(value)), 'object')
    assert.deepEqual(await office.does('projectOwner', 'DELETE', `${there()}/${id}`), {
      object: 'organization.project.api_key.deleted',
      id,
      deleted: true,
    })
    assert.equal(await office.opens(value), 401)
    for (const method of ['GET', 'DELETE'])
      assert.equal((await office.ask('owner', method, `${there()}/${id}`)).status, 404)
  })

  test('is not found in another project', async () => {
    const { id } = await create()
    for (const [method, path] of [
      ['GET', `${there(office.a.first)}/${id}`],
      ['DELETE', `${there(office.a.first)}/${id}`],
      ['POST', `${there(office.a.first)}/${id}/rotate`],
    ] as const)
      assert.equal((await office.ask('owner', method, path)).status, 404)
  })
})

describe('rotation', () => {
  test('gives a new secret with the same rights, and ends the old one at once or after the grace', async () => {
    const body = { scopes: ['model.read'], models: ['small'] }
    const old = await create(body)
    const next = await office.does('admin', 'POST', `${there()}/${old.id}/rotate`, { body: { grace_seconds: 90 } })
    assert.notEqual(next.id, old.id)
    assert.deepEqual([next.scopes, next.models, next.name, next.expires_at], [['model.read'], ['small'], 'app', null])
    for (const { value } of [old, next]) assert.equal(typeof (await office.opens(value)), 'object')
    assert.equal((await office.does('owner', 'GET', `${there()}/${old.id}`)).expires_at, nowSeconds() + 90)
    office.clock.advance(91_000)
    assert.equal(await office.opens(old.value), 401)
    assert.equal(typeof (await office.opens(next.value)), 'object')
    const last = await office.does('owner', 'POST', `${there()}/${next.id}/rotate`)
    assert.equal(await office.opens(next.value), 401)
    assert.equal(typeof (await office.opens(last.value)), 'object')
    assert.deepEqual(await office.refuses('owner', 'POST', `${there()}/${old.id}/rotate`), [400, 'key_expired', null])
  })

  test('keeps the end of the key, and is no way around it', async () => {
    const expires_at = nowSeconds() + 100
    const old = await create({ expires_at })
    const next = await office.does('owner', 'POST', `${there()}/${old.id}/rotate`, { body: { grace_seconds: 1000 } })
    assert.equal(next.expires_at, expires_at)
    assert.equal((await office.does('owner', 'GET', `${there()}/${old.id}`)).expires_at, expires_at)
  })

  test('of a service account’s key gives one of that service account', async () => {
    const accounts = `/v1/organization/projects/${office.a.project}/service_accounts`
    const { id, api_key: old } = await office.does('owner', 'POST', accounts, { body: { name: 'robot' } })
    const next = await office.does('owner', 'POST', `${there()}/${old.id}/rotate`)
    assert.match(next.value, /^sk-svcacct-/)
    assert.equal(next.owner.service_account.id, id)
  })

  test('makes nothing from a key that is deleted at that moment', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await create()
      const outcomes = await office.together([
        ['owner', 'DELETE', `${there()}/${id}`],
        ['owner', 'POST', `${there()}/${id}/rotate`, {}],
      ])
      assert.equal(outcomes[0], 200)
      const events = await office.store.read
        .selectFrom('audit_log')
        .select('type')
        .where('subject_id', '=', id)
        .orderBy('created_at')
        .execute()
      assert.equal(
        events.some(({ type }) => type === 'api_key.updated'),
        outcomes[1] === 200,
      )
    }
  })

  test('by an owner of the project is for their own keys and those of service accounts', async () => {
    const body = { name: 'own' }
    const own = await office.does('projectOwner', 'POST', there(), { body })
    const next = await office.does('projectOwner', 'POST', `${there()}/${own.id}/rotate`)
    assert.deepEqual(next.owner, own.owner)
    const accounts = `/v1/organization/projects/${office.a.project}/service_accounts`
    const { api_key: key } = await office.does('owner', 'POST', accounts, { body })
    await office.does('projectOwner', 'POST', `${there()}/${key.id}/rotate`)
    const { id } = await create()
    const refused = await office.refuses('projectOwner', 'POST', `${there()}/${id}/rotate`)
    assert.deepEqual(refused, [403, 'missing_scope', null])
  })

  for (const [body, code] of [
    [{ grace_seconds: -1 }, 'integer_below_min_value'],
    [{ grace_seconds: 2_592_001 }, 'integer_above_max_value'],
    [{ grace_seconds: '60' }, 'invalid_type'],
  ] as const)
    test(`does not take ${JSON.stringify(body)}`, async () =>
      assert.deepEqual(await office.refuses('owner', 'POST', `${there()}/${office.a.key}/rotate`, { body }), [
        400,
        code,
        'grace_seconds',
      ]))
})

describe('a key never gives more than it has', () => {
  const make = (body: object) => ({ body: { name: 'x', ...body } })

  test('what is left out is as much as the maker has', async () => {
    const key = await office.does('restricted', 'POST', there(), make({}))
    assert.deepEqual([key.scopes, key.models], [['model.read', 'organization.write'], ['small']])
    const caller = await office.opens(key.value)
    assert.ok(typeof caller === 'object')
    assert.deepEqual([...caller.allowed], ['model.read'])
  })

  for (const [body, code] of [
    [{ scopes: 'all' }, 'missing_scope'],
    [{ scopes: 'read' }, 'missing_scope'],
    [{ scopes: ['model.request'] }, 'missing_scope'],
    [{ scopes: ['model.read'], models: null }, 'beyond_own_rights'],
    [{ scopes: ['model.read'], models: ['small', 'large'] }, 'beyond_own_rights'],
  ] as const)
    test(`more is refused: ${JSON.stringify(body)}`, async () => {
      const [status, refused] = await office.refuses('restricted', 'POST', there(), make(body))
      assert.deepEqual([status, refused], [403, code])
      const accounts = `/v1/organization/projects/${office.a.project}/service_accounts/${office.a.serviceAccount}`
      const other = await office.refuses('restricted', 'POST', `${accounts}/api_keys`, make(body))
      assert.deepEqual(other.slice(0, 2), [403, code])
    })

  test('nor is the secret of a key with more to be had by rotating it', async () => {
    for (const body of [{}, { scopes: ['model.request'], models: ['small'] }, { scopes: ['model.read'] }]) {
      const { id } = await create(body)
      const [status] = await office.refuses('restricted', 'POST', `${there()}/${id}/rotate`)
      assert.equal(status, 403)
    }
    const { id } = await create({ scopes: ['model.read'], models: ['small'] })
    await office.does('restricted', 'POST', `${there()}/${id}/rotate`)
  })

  test('a key that also works elsewhere is for its person to rotate, and for owners of the organization to end', async () => {
    const { a } = office
    const userId = await office.person('owner')
    const place = { organizationId: a.organization, projectId: a.project, userId }
    const { row } = await office.keys.create({ name: 'theirs', place })
    const path = `${there()}/${row.id}`
    for (const who of ['owner', 'admin', 'projectOwner'] as const)
      assert.deepEqual(await office.refuses(who, 'POST', `${path}/rotate`), [403, 'key_of_another', null])
    assert.deepEqual((await office.refuses('projectOwner', 'DELETE', path)).slice(0, 2), [403, 'missing_scope'])
    await office.does('owner', 'DELETE', path)
    const own = await office.keys.create({ name: 'own', place: { ...place, userId: a.user } })
    assert.deepEqual((await office.refuses('restricted', 'POST', `${there()}/${own.row.id}/rotate`)).slice(0, 2), [
      ...[403, 'missing_scope'],
    ])
    assert.match((await office.does('owner', 'POST', `${there()}/${own.row.id}/rotate`)).value, /^sk-\w{48}$/)
  })
})

test('keys are listed page by page, and by whether their owner can enter the project', async () => {
  const { a } = office
  const userId = await office.person('reader', 'member')
  const place = { organizationId: a.organization, projectId: a.project, userId }
  const { row } = await office.keys.create({ name: 'left', kind: 'project', place })
  const ids = async (query: object) =>
    (await office.does('reader', 'GET', there(), { query: { limit: 100, ...query } })).data.map(key => key.id)
  assert.ok((await ids({ owner_project_access: 'active' })).includes(row.id))
  await office.does('owner', 'DELETE', `/v1/organization/projects/${a.project}/users/${userId}`)
  const all = await ids({})
  assert.deepEqual(await ids({ owner_project_access: 'any' }), all)
  const inactive = await ids({ owner_project_access: 'inactive' })
  assert.deepEqual(inactive, [row.id])
  const active = await ids({ owner_project_access: 'active' })
  assert.deepEqual(
    active,
    all.filter(id => id !== row.id),
  )
  assert.deepEqual(await ids({ limit: 2, after: all[0] }), all.slice(1, 3))
  const shown = await office.does('reader', 'GET', `${there()}/${row.id}`)
  assert.deepEqual([shown.owner_project_access, shown.owner.user.role], ['inactive', 'none'])
})
