import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import { ConstraintFailed } from '../../store/store.ts'
import { terminal } from '../audit.ts'
import { makeModels } from '../models.ts'
import { testServices } from '../services.fixture.ts'
import type { Acting } from './acting.ts'
import { createOrganization, listOrganizations } from './organizations.ts'

let services: Awaited<ReturnType<typeof testServices>>
let acting: Acting
before(async () => {
  services = await testServices(makeModels([], {}))
  acting = { ...services, caller: await services.keys.operator(), from: terminal }
})
after(() => services.close())

const counts = async () => {
  const tables = ['organizations', 'projects', 'users', 'members', 'audit_log'] as const
  return Promise.all(
    tables.map(async table => (await services.store.read.selectFrom(table).selectAll().execute()).length),
  )
}

test('an organization begins with a project and an owner, who can have a key at once', async () => {
  services.clock.advance(1)
  const made = await createOrganization(acting, { name: 'acme', title: 'Acme', owner: { email: 'Ada@acme.example' } })
  assert.deepEqual(
    (await listOrganizations(acting)).map(({ name, title }) => [name, title]),
    [
      ['default', 'Default'],
      ['acme', 'Acme'],
    ],
  )
  const { organization, projectId, userId } = made
  const place = { organizationId: organization.id, projectId, userId }
  const { secret } = await services.keys.create({ name: 'first', place })
  const caller = await services.keys.find(secret)
  assert.deepEqual([caller.organizationName, caller.role, caller.projectId], ['acme', 'owner', projectId])
  const user = await services.store.read
    .selectFrom('users')
    .select(['email', 'name', 'password'])
    .where('id', '=', userId)
    .executeTakeFirst()
  assert.deepEqual(user, { email: 'ada@acme.example', name: 'ada@acme.example', password: null })
})

test('somebody with an account becomes the owner as they are', async () => {
  const first = await createOrganization(acting, { name: 'one', owner: { email: 'b@one.example', name: 'Bo' } })
  const second = await createOrganization(acting, { name: 'two', owner: { email: 'B@one.example', name: 'Else' } })
  assert.equal(second.userId, first.userId)
  const [user] = await services.store.read.selectFrom('users').select('name').where('id', '=', first.userId).execute()
  assert.equal(user?.name, 'Bo')
})

test('what is written beside is written with it, or nothing is', async () => {
  const setting = (name: string) => services.store.build.insertInto('settings').values({ name, value: '1' })
  const asked = (name: string) => ({ name, owner: { email: 'c@three.example' } })
  await createOrganization(acting, asked('three'), ({ organization }) => [setting(organization.id)])
  const before = await counts()
  await assert.rejects(
    createOrganization(acting, asked('four'), () => [setting('a'), setting('a')]),
    ConstraintFailed,
  )
  assert.deepEqual(await counts(), before)
})

for (const [name, code] of [
  ['acme', 'name_taken'],
  ['Acme', 'invalid_value'],
  ['-a', 'invalid_value'],
  ['', 'invalid_value'],
  ['org-abc', 'invalid_value'],
  ['a'.repeat(64), 'invalid_value'],
] as const)
  test(`an organization is not made with the name '${name}'`, async () => {
    const before = await counts()
    await assert.rejects(
      createOrganization(acting, { name, owner: { email: 'ada@acme.example' } }),
      error => error instanceof Fault && error.code === code,
    )
    assert.deepEqual(await counts(), before)
  })
