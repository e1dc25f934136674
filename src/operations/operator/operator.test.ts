import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import type { Caller } from '../../platform/access.ts'
import { terminal } from '../../platform/audit.ts'
import { execute } from '../../platform/execute.ts'
import { makeModels } from '../../platform/models.ts'
import { testServices } from '../../platform/services.fixture.ts'
import { fits } from '../../wire/check.ts'
import { operatorOperations } from './index.ts'

let services: Awaited<ReturnType<typeof testServices>>
let operator: Caller
before(async () => {
  services = await testServices(makeModels([], {}), { startingCredit: {} })
  operator = await services.keys.operator()
})
after(() => services.close())

// biome-ignore lint/suspicious/noExplicitAny: replies are held against their schemas, and read here as tests like
async function does(id: string, body?: object, params = {}, caller = operator): Promise<any> {
  const operation = operatorOperations.find(one => one.id === `operator.${id}`)!
  const { signal } = new AbortController()
  const asked = { body, params, query: {}, caller, from: terminal, bytes: 0, signal, wants: 'values' as const }
  const reply = await execute(operation, asked, services)
  assert.ok(reply.kind === 'json' && fits(operation.reply, reply.value), JSON.stringify(reply))
  return reply.value
}

const refused = (status: number, param: string | null) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.param], [status, param], error.message)
  return true
}

test('only the operator may do this: not even an owner’s key of all scopes', async () => {
  const { secret } = await services.keys.create({ name: 'owner' })
  const owner = await services.keys.find(secret)
  for (const { id, method } of operatorOperations)
    await assert.rejects(
      does(id.replace('operator.', ''), method === 'POST' ? {} : undefined, { key_id: 'key_1' }, owner),
      (error: unknown) => error instanceof Fault && error.code === 'command_only',
      id,
    )
})

test('a key opens what it was made for', async () => {
  const made = await does('keys.create', { name: 'one', scopes: ['model.read', 'organization.read'] })
  const caller = await services.keys.find(made.value)
  assert.deepEqual(
    [caller.kind, caller.userId, [...caller.allowed]],
    ['user', operator.userId, ['model.read', 'organization.read']],
  )
  const program = await does('keys.create', { name: 'two', kind: 'service_account', service_account: 'robot' })
  assert.equal((await services.keys.find(program.value)).kind, 'service_account')
  const next = await does('keys.rotate', {}, { key_id: made.id })
  await assert.rejects(services.keys.find(made.value), refused(401, null))
  await does('keys.delete', undefined, { key_id: next.id })
  await assert.rejects(services.keys.find(next.value), refused(401, null))
  await assert.rejects(does('keys.delete', undefined, { key_id: next.id }), refused(404, null))
  await assert.rejects(does('keys.rotate', {}, { key_id: next.id }), refused(404, null))
})

for (const [name, body, status, param] of [
  ['a scope of the administration for a project', { kind: 'project', scopes: ['organization.read'] }, 400, 'scopes[0]'],
  ['a scope of projects for the administration', { kind: 'admin', scopes: ['model.request'] }, 400, 'scopes[0]'],
  ['an end in the past', { expires_at: 1 }, 400, 'expires_at'],
  ['a program’s key without a program', { kind: 'service_account' }, 400, 'service_account'],
  ['a person’s key of a program', { service_account: 'robot' }, 400, 'service_account'],
  ['a program’s key of a person', { kind: 'service_account', service_account: 'r', email: 'a@b' }, 400, 'email'],
  ['an administration’s key in a project', { kind: 'admin', project_id: 'proj_1' }, 400, 'project_id'],
  ['a model that is not there', { models: ['nothing'] }, 404, null],
  ['somebody who is not there', { email: 'nobody@example.com' }, 404, null],
  ['a project that is not there', { kind: 'project', project_id: 'proj_1' }, 404, null],
  ['a field that is not known', { secret: 'sk-mine' }, 400, 'secret'],
] as const)
  test(`${name} is refused, and no key is made`, async () => {
    const before = (await services.keys.list()).length
    await assert.rejects(does('keys.create', { name: 'x', ...body }), refused(status, param))
    assert.equal((await services.keys.list()).length, before)
  })

test('nobody gets a key that they could not use', async () => {
  await does('members.create', { email: 'Bob@example.com', role: 'reader' })
  assert.equal((await does('keys.create', { name: 'x', email: 'bob@example.com' })).user.email, 'bob@example.com')
  const project = { id: 'proj_2', organization_id: operator.organizationId, name: 'Second', archived_at: null }
  await services.store.write([
    services.store.build.insertInto('projects').values({ ...project, created_at: services.clock.now() + 1 }),
  ])
  const body = { name: 'x', kind: 'project', project_id: 'proj_2', email: 'bob@example.com' }
  await assert.rejects(does('keys.create', body), refused(400, 'email'))
  await assert.rejects(does('members.create', { email: 'bob@example.com', role: 'owner' }), refused(400, 'email'))
})

test('a new organisation has an owner, a project and its credit, and the operator can act in it', async () => {
  services.clock.advance(1) // the first one is the oldest
  const made = await does('organizations.create', { name: 'acme', owner: { email: 'eve@example.com' } })
  assert.equal(made.credit, true)
  const there = await services.keys.operator('acme')
  assert.deepEqual([there.kind, there.organizationId], ['operator', made.id])
  assert.equal((await services.keys.operator(made.id)).projectId, there.projectId)
  const key = await does('keys.create', { name: 'x' }, {}, there)
  assert.equal(key.user.email, 'eve@example.com')
  await assert.rejects(does('keys.delete', undefined, { key_id: key.id }), refused(404, null))
  await assert.rejects(services.keys.operator('nowhere'), refused(404, null))
  const names = (await does('organizations.list')).data.map((one: { name: string }) => one.name)
  assert.deepEqual(names, ['default', 'acme'])
})
