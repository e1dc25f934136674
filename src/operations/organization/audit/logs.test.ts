import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createProject } from '../../../platform/people/projects.ts'
import { Office, type Shown } from '../harness.ts'

const office = new Office()
before(() => office.open())
after(() => office.close())

const path = '/v1/organization/audit_logs'
const events = async (query: Record<string, unknown> = {}): Promise<Shown[]> =>
  (await office.does('reader', 'GET', path, { query: { limit: 100, ...query } })).data
const types = async (query: Record<string, unknown> = {}) => (await events(query)).map(({ type }) => type)

test('an event says who did what to what, when, and with which key', async () => {
  office.clock.advance(1500)
  const { id } = await office.does('admin', 'POST', '/v1/organization/projects', { body: { name: 'Logged' } })
  const [event] = await events({ limit: 1 })
  assert.deepEqual(event, {
    id: event!.id,
    type: 'project.created',
    effective_at: Math.floor(office.clock.now() / 1000),
    project: { id, name: 'Logged' },
    actor: {
      type: 'api_key',
      api_key: {
        id: (await office.caller('admin')).keyId,
        type: 'user',
        user: { id: office.a.user, email: 'owner@localhost' },
      },
    },
    'project.created': { id, data: { name: 'Logged' } },
  })
})

test('somebody at the console is a session, the operator at the machine one of nobody', async () => {
  const owner = await office.caller('owner')
  office.clock.advance(1)
  await createProject(office.acting({ ...owner, kind: 'session' }), 'by session')
  const [event] = await events({ limit: 1 })
  assert.deepEqual(event?.actor, {
    type: 'session',
    session: {
      user: { id: office.a.user, email: 'owner@localhost' },
      ip_address: '192.0.2.1',
      user_agent: 'test/1',
    },
  })
  office.clock.advance(1)
  const terminal = { ip: null, userAgent: null, requestId: null }
  await createProject({ ...office.acting(await office.keys.operator()), from: terminal }, 'by operator')
  assert.deepEqual((await events({ limit: 1 }))[0]?.actor, { type: 'session', session: {} })
})

test('every kind of change of people, projects and keys is told in OpenAI’s words', async () => {
  const root = '/v1/organization'
  const since = { effective_at: { gte: Math.floor(office.clock.now() / 1000) + 1 } }
  const step = async (method: string, there: string, body?: object) => {
    office.clock.advance(1000)
    return office.does('owner', method, root + there, body === undefined ? {} : { body })
  }
  const user = await office.person('reader')
  const project = await step('POST', '/projects', { name: 'x' })
  const inside = `/projects/${project.id}`
  await step('POST', inside, { name: 'y' })
  await step('POST', `${inside}/users`, { user_id: user, role: 'member' })
  await step('POST', `${inside}/users/${user}`, { role: 'owner' })
  await step('DELETE', `${inside}/users/${user}`)
  const robot = await step('POST', `${inside}/service_accounts`, { name: 'r' })
  await step('POST', `${inside}/service_accounts/${robot.id}`, { role: 'owner' })
  await step('DELETE', `${inside}/service_accounts/${robot.id}`)
  const key = await step('POST', `${inside}/api_keys`, { name: 'k', scopes: ['model.read'] })
  const next = await step('POST', `${inside}/api_keys/${key.id}/rotate`, { grace_seconds: 5 })
  const oldEnds = Math.floor(office.clock.now() / 1000) + 5
  await step('DELETE', `${inside}/api_keys/${next.id}`)
  await step('POST', `${inside}/archive`)
  const admin = await step('POST', '/admin_api_keys', { name: 'z' })
  await step('DELETE', `/admin_api_keys/${admin.id}`)
  const invite = await step('POST', '/invites', { email: 'n@a.example', role: 'owner' })
  await step('DELETE', `/invites/${invite.id}`)
  await step('POST', `/users/${user}`, { role: 'owner' })
  await step('DELETE', `/users/${user}`)
  // Rows of one moment are in the order of their ids, which says nothing.
  const told = (await events(since)).sort((a, b) => a.effective_at - b.effective_at || (a.type < b.type ? -1 : 1))
  assert.deepEqual(
    told.map(event => [event.type, Reflect.get(event, event.type)]),
    [
      ['project.created', { id: project.id, data: { name: 'x' } }],
      ['project.updated', { id: project.id, changes_requested: { name: 'y' } }],
      ['user.added', { id: user, data: { role: 'member' } }],
      ['user.updated', { id: user, changes_requested: { role: 'owner' } }],
      ['user.deleted', { id: user }],
      ['api_key.created', { id: robot.api_key.id, data: { scopes: ['all'] } }],
      ['service_account.created', { id: robot.id, data: { role: 'member' } }],
      ['service_account.updated', { id: robot.id, changes_requested: { role: 'owner' } }],
      ['service_account.deleted', { id: robot.id }],
      ['api_key.created', { id: key.id, data: { scopes: ['model.read'] } }],
      ['api_key.created', { id: next.id, data: { scopes: ['model.read'], rotated_from: key.id } }],
      ['api_key.updated', { id: key.id, changes_requested: { expires_at: oldEnds } }],
      ['api_key.deleted', { id: next.id }],
      ['project.archived', { id: project.id }],
      ['api_key.created', { id: admin.id, data: { scopes: ['all'] } }],
      ['api_key.deleted', { id: admin.id }],
      ['invite.sent', { id: invite.id, data: { email: 'n@a.example', role: 'owner' } }],
      ['invite.deleted', { id: invite.id }],
      ['user.updated', { id: user, changes_requested: { role: 'owner' } }],
      ['user.deleted', { id: user }],
    ],
  )
  const inProject = told.filter(event => event.project?.id === project.id)
  assert.equal(inProject.length, 14)
})

test('events are filtered by all that is asked for together', async () => {
  const { a, b } = office
  const of = (type: string) => async (query: Record<string, unknown>) => {
    const found = await types(query)
    return found.length > 0 && found.every(one => one === type)
  }
  assert.ok(await of('service_account.created')({ resource_ids: [a.serviceAccount] }))
  assert.ok(await of('invite.sent')({ event_types: ['invite.sent'] }))
  const all = await events()
  const inProject = await events({ project_ids: [a.project] })
  assert.deepEqual(
    inProject,
    all.filter(event => event.project?.id === a.project),
  )
  assert.deepEqual(await events({ project_ids: [b.project] }), [])
  assert.deepEqual(await events({ actor_ids: [b.user] }), [])
  const byKey = await events({ actor_ids: [(await office.caller('admin')).keyId] })
  assert.deepEqual(
    byKey,
    all.filter(event => event.actor.api_key?.id === byKey[0]?.actor.api_key.id),
  )
  assert.deepEqual(await events({ actor_emails: ['OWNER@localhost'] }), await events({ actor_ids: [a.user] }))
  assert.deepEqual(await events({ actor_emails: ['nobody@a.example'] }), [])
  assert.deepEqual(await types({ event_types: ['project.created'], project_ids: [a.project] }), ['project.created'])
  assert.deepEqual(await types({ event_types: ['invite.sent'], project_ids: [a.project] }), [])
})

test('events are bounded by the seconds that they show', async () => {
  office.clock.advance(10_000 - (office.clock.now() % 1000) + 900)
  await office.does('owner', 'POST', '/v1/organization/projects', { body: { name: 't' } })
  const [{ id, effective_at: at } = assert.fail()] = await events({ limit: 1 })
  const has = async (bounds: object) => (await events({ effective_at: bounds })).some(event => event.id === id)
  assert.deepEqual(
    [await has({ gt: at - 1 }), await has({ gt: at }), await has({ gte: at }), await has({ gte: at + 1 })],
    [true, false, true, false],
  )
  assert.deepEqual(
    [await has({ lt: at + 1 }), await has({ lt: at }), await has({ lte: at }), await has({ lte: at - 1 })],
    [true, false, true, false],
  )
  assert.deepEqual(await events({ effective_at: { gte: at, lte: at }, limit: 1 }).then(found => found.length), 1)
})

test('events are paged onwards and backwards, the newest first', async () => {
  const all = await events()
  assert.ok(all.length > 6)
  const page = (query: object) => office.does('reader', 'GET', path, { query: { limit: 2, ...query } })
  const first = await page({})
  assert.deepEqual([first.data, first.has_more], [all.slice(0, 2), true])
  const second = await page({ after: first.last_id })
  assert.deepEqual(second.data, all.slice(2, 4))
  assert.deepEqual((await page({ before: second.first_id })).data, first.data)
})

for (const [query, code, param] of [
  [{ effective_at: { since: 1 } }, 'unknown_parameter', 'effective_at.since'],
  [{ effective_at: { gt: 'now' } }, 'invalid_type', 'effective_at.gt'],
  [{ event_types: [] }, 'empty_array', 'event_types'],
  [{ tenant_only: true }, 'invalid_value', 'tenant_only'],
  [{ actor_id: 'user-1' }, 'unknown_parameter', 'actor_id'],
  [{ limit: 101 }, 'integer_above_max_value', 'limit'],
] as const)
  test(`events are not listed by ${JSON.stringify(query)}`, async () =>
    assert.deepEqual(await office.refuses('owner', 'GET', path, { query }), [400, code, param]))
