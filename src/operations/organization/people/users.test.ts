import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Office } from '../harness.ts'

const office = new Office()
before(() => office.open())
after(() => office.close())

const path = '/v1/organization/users'

describe('people of an organization', () => {
  test('are listed in the order in which they came, page by page', async () => {
    const { data, ...page } = await office.does('reader', 'GET', path)
    assert.deepEqual(page, { object: 'list', first_id: office.a.user, last_id: data.at(-1)?.id, has_more: false })
    assert.deepEqual(data[0], {
      object: 'organization.user',
      id: office.a.user,
      name: 'Owner',
      email: 'owner@localhost',
      role: 'owner',
      added_at: 1_700_000_000,
    })
    const seen = []
    for (let after: string | null = null, more = true; more; ) {
      const next = await office.does('admin', 'GET', path, {
        query: { limit: 1, ...(after !== null && { after }) },
      })
      seen.push(...next.data)
      after = next.last_id
      more = next.has_more
    }
    assert.deepEqual(seen, data)
  })

  test('are found by their addresses, however these are written', async () => {
    const id = await office.person('reader', undefined, 'ada@a.example')
    const found = async (...emails: string[]) =>
      (await office.does('owner', 'GET', path, { query: { emails } })).data.map(user => user.id)
    assert.deepEqual(await found('Ada@A.example'), [id])
    assert.deepEqual(await found('ada@a.example', 'owner@localhost'), [office.a.user, id])
    assert.deepEqual(await found('owner@b.example'), [])
    assert.deepEqual(await office.refuses('owner', 'GET', path, { query: { emails: [] } }), [
      400,
      'empty_array',
      'emails',
    ])
  })

  test('are given another role, which counts at once', async () => {
    const id = await office.person('reader')
    const place = { organizationId: office.a.organization, projectId: office.a.first, userId: id }
    const { secret } = await office.keys.create({ name: 'theirs', kind: 'admin', place })
    const may = async () => (await office.keys.find(secret)).allowed.has('organization.write')
    assert.equal(await may(), false)
    assert.equal((await office.does('admin', 'POST', `${path}/${id}`, { body: { role: 'owner' } })).role, 'owner')
    assert.equal(await may(), true)
    assert.equal((await office.does('owner', 'POST', `${path}/${id}`, { body: { role: 'reader' } })).role, 'reader')
    assert.equal(await may(), false)
  })

  test('stay as they are when nothing is asked', async () => {
    const id = await office.person('reader')
    for (const body of [{}, { role: null, role_id: null }, { role: 'reader' }]) {
      const events = await office.store.read.selectFrom('audit_log').select('id').execute()
      assert.equal((await office.does('owner', 'POST', `${path}/${id}`, { body })).role, 'reader')
      assert.deepEqual(await office.store.read.selectFrom('audit_log').select('id').execute(), events)
    }
  })

  for (const [body, code] of [
    [{ role: 'admin' }, 'invalid_value'],
    [{ role: 1 }, 'invalid_type'],
    [{ role_id: 'role_1' }, 'invalid_type'],
    [{ is_owner: true }, 'unknown_parameter'],
  ] as const)
    test(`are not given ${JSON.stringify(body)}`, async () =>
      assert.deepEqual(await office.refuses('owner', 'POST', `${path}/${office.a.user}`, { body }), [
        400,
        code,
        Object.keys(body)[0],
      ]))

  test('leave with their keys, sign-ins and projects, and do not come back with them', async () => {
    const id = await office.person('reader', 'member')
    const { a, store } = office
    const place = { organizationId: a.organization, projectId: a.project, userId: id }
    const { secret } = await office.keys.create({ name: 'theirs', kind: 'project', place })
    await store.write(
      store.build.insertInto('sessions').values({
        ...{ hash: id, user_id: id, organization_id: a.organization, created_at: 1, expires_at: 2 },
        ...{ ip: null, user_agent: null },
      }),
    )
    assert.equal(typeof (await office.opens(secret)), 'object')
    const reply = await office.does('owner', 'DELETE', `${path}/${id}`)
    assert.deepEqual(reply, { object: 'organization.user.deleted', id, deleted: true })
    assert.equal(await office.opens(secret), 401)
    assert.equal((await office.ask('owner', 'DELETE', `${path}/${id}`)).status, 404)
    for (const table of ['members', 'project_members', 'sessions'] as const)
      assert.deepEqual(await store.read.selectFrom(table).selectAll().where('user_id', '=', id).execute(), [])
    const back = { organization_id: a.organization, user_id: id, role: 'owner' as const, created_at: 1 }
    await store.write(store.build.insertInto('members').values(back))
    office.keys.changed()
    assert.equal(await office.opens(secret), 401)
  })
})

describe('the last owner', () => {
  const last = [400, 'last_owner', null]
  const theirs = () => `${path}/${office.b.user}`

  test('can neither be lowered nor removed', async () => {
    assert.deepEqual(await office.refuses('ownerB', 'POST', theirs(), { body: { role: 'reader' } }), last)
    assert.deepEqual(await office.refuses('ownerB', 'DELETE', theirs()), last)
  })

  test('is who is left when all others cannot sign in', async () => {
    const { a, store } = office
    const { data } = await office.does('owner', 'GET', path)
    for (const { id, role } of data)
      if (role === 'owner' && id !== a.user)
        await office.does('owner', 'POST', `${path}/${id}`, { body: { role: 'reader' } })
    const other = await office.person('owner')
    const disable = (at: number | null) =>
      store.write(store.build.updateTable('users').set({ disabled_at: at }).where('id', '=', other))
    await disable(1)
    assert.deepEqual(await office.refuses('owner', 'DELETE', `${path}/${a.user}`), last)
    await disable(null)
    assert.equal((await office.does('owner', 'POST', `${path}/${a.user}`, { body: { role: 'reader' } })).role, 'reader')
    assert.deepEqual(
      (await office.refuses('admin', 'POST', `${path}/${a.user}`, { body: { role: 'owner' } })).slice(0, 2),
      [403, 'missing_scope'],
    )
    await store.write(store.build.updateTable('members').set({ role: 'owner' }).where('user_id', '=', a.user))
    office.keys.changed()
  })

  test('is left when two owners remove one another at the same time', async () => {
    const { a } = office
    for (let round = 0; round < 20; round++) {
      const other = await office.person('owner')
      const { data } = await office.does('owner', 'GET', path, { query: { limit: 100 } })
      for (const { id, role } of data)
        if (role === 'owner' && ![a.user, other].includes(id)) await office.does('owner', 'DELETE', `${path}/${id}`)
      const outcomes = await office.together([
        ['owner', 'DELETE', `${path}/${a.user}`],
        ['owner', 'DELETE', `${path}/${other}`],
      ])
      assert.deepEqual(outcomes.toSorted(), [200, 400])
      const { store } = office
      await store.write([
        store.build.deleteFrom('members').where('user_id', '=', a.user),
        store.build
          .insertInto('members')
          .values({ organization_id: a.organization, user_id: a.user, role: 'owner', created_at: 0 }),
        store.build.updateTable('api_keys').set({ revoked_at: null }).where('user_id', '=', a.user),
      ])
      office.keys.changed()
    }
  })
})
