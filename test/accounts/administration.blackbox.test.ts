import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import OpenAI, { APIError } from 'openai'
import OpenAI7 from 'openai-v7'
import { type Product, startProduct } from '../support/product.ts'

async function all<Item>(pages: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of pages) items.push(item)
  return items
}

const idsOf = (items: { id: string }[]) => items.map(({ id }) => id)

const refused = (status: number, code: string | null) => (error: unknown) => {
  assert.ok(error instanceof APIError || error instanceof OpenAI7.APIError, String(error))
  assert.deepEqual([error.status, error.code], [status, code])
  return true
}

describe('the administration through the official client', { timeout: 120_000 }, () => {
  let product: Product
  let admin: OpenAI['admin']['organization']
  before(async () => {
    product = await startProduct()
    const first = client({ adminAPIKey: product.key })
    const { value } = await first.admin.organization.adminAPIKeys.create({ name: 'automation' })
    assert.match(value, /^sk-admin-/)
    admin = client({ adminAPIKey: value }).admin.organization
  })
  after(() => product?.stop())

  const client = (options: { apiKey?: string; adminAPIKey?: string }) =>
    new OpenAI({ baseURL: `${product.url}/v1`, maxRetries: 0, ...options })

  test('projects, their people, service accounts and keys, from the first to the last', async () => {
    const project = await admin.projects.create({ name: 'Research' })
    const [owner] = await all(admin.users.list({ emails: ['owner@localhost'] }))
    assert.equal(owner?.role, 'owner')
    const added = await admin.projects.users.create(project.id, { user_id: owner.id, role: 'member' })
    assert.deepEqual(await all(admin.projects.users.list(project.id)), [added])
    const inProject = { project_id: project.id }
    assert.equal((await admin.projects.users.update(owner.id, { ...inProject, role: 'owner' })).role, 'owner')
    assert.equal((await admin.projects.users.delete(owner.id, inProject)).deleted, true)

    const robot = await admin.projects.serviceAccounts.create(project.id, { name: 'robot' })
    const robots = client({ apiKey: robot.api_key?.value ?? '' })
    assert.ok((await all(robots.models.list())).length > 0)
    const second = await admin.projects.serviceAccounts.apiKeys.create(robot.id, {
      ...inProject,
      name: 'second',
      scopes: ['model.request'],
    })
    await assert.rejects(all(client({ apiKey: second.value }).models.list()), refused(403, 'missing_scope'))
    await assert.rejects(
      all(client({ adminAPIKey: robot.api_key?.value ?? '' }).admin.organization.projects.list()),
      refused(403, 'missing_scope'),
    )
    const keys = await all(admin.projects.apiKeys.list(project.id))
    assert.deepEqual(
      keys.map(({ id, owner: { type } }) => [id, type]),
      [
        [robot.api_key?.id, 'service_account'],
        [second.id, 'service_account'],
      ],
    )
    assert.equal((await admin.projects.apiKeys.delete(second.id, inProject)).deleted, true)
    assert.equal((await admin.projects.serviceAccounts.update(robot.id, { ...inProject, role: 'owner' })).role, 'owner')

    assert.equal((await admin.projects.archive(project.id)).status, 'archived')
    await assert.rejects(all(robots.models.list()), refused(401, 'invalid_api_key'))
    const ids = async (query: object) => (await all(admin.projects.list(query))).map(({ id }) => id)
    assert.ok(!(await ids({})).includes(project.id))
    assert.ok((await ids({ include_archived: true })).includes(project.id))
  })

  test('lists go on by themselves from page to page', async () => {
    for (let i = 0; i < 5; i++) await admin.adminAPIKeys.create({ name: `key ${i}` })
    const whole = await admin.adminAPIKeys.list({ limit: 100 })
    // By their ids: when a key was last used is written a moment later.
    assert.deepEqual(idsOf(await all(admin.adminAPIKeys.list({ limit: 2 }))), idsOf(whole.data))
    const back = await all(admin.adminAPIKeys.list({ limit: 2, order: 'desc' }))
    assert.deepEqual(idsOf(back), idsOf(whole.data).toReversed())
    const events = await admin.auditLogs.list({ limit: 100 })
    assert.deepEqual(await all(admin.auditLogs.list({ limit: 2 })), events.data)
  })

  test('invites are sent and withdrawn, with what the client does not know beside', async () => {
    const invite = await admin.invites.create({ email: 'ada@example.com', role: 'reader' })
    assert.match(Reflect.get(invite, 'accept_token'), /^inv-/)
    assert.equal((await admin.invites.retrieve(invite.id)).status, 'pending')
    assert.equal((await admin.invites.delete(invite.id)).deleted, true)
    await assert.rejects(admin.invites.retrieve(invite.id), refused(404, null))
  })

  test('the audit log is searched by time, type, project, actor and object', async () => {
    const { id } = await admin.projects.create({ name: 'Searched' })
    const nowSeconds = Math.floor(Date.now() / 1000)
    const found = await all(
      admin.auditLogs.list({
        effective_at: { gte: nowSeconds - 60, lt: nowSeconds + 60 },
        event_types: ['project.created', 'project.archived'],
        project_ids: [id],
        actor_emails: ['owner@localhost'],
        resource_ids: [id],
      }),
    )
    assert.equal(found.length, 1)
    const [event] = found
    assert.deepEqual(event?.['project.created'], { id, data: { name: 'Searched' } })
    assert.equal(event?.project?.name, 'Searched')
    assert.equal(event?.actor?.api_key?.user?.email, 'owner@localhost')
    assert.deepEqual(await all(admin.auditLogs.list({ effective_at: { lt: nowSeconds - 3600 } })), [])
  })

  test('keys of projects are made and rotated: an extension', async () => {
    const project = await admin.projects.create({ name: 'Rotated' })
    const raw = client({ adminAPIKey: product.key })
    const post = (path: string, body: object) =>
      raw.post<{ id: string; value: string }>(`/organization/projects/${project.id}/api_keys${path}`, {
        body,
        __security: { adminAPIKeyAuth: true },
      })
    const made = await post('', { name: 'app', scopes: ['model.read'], models: null })
    assert.ok((await all(client({ apiKey: made.value }).models.list())).length > 0)
    const next = await post(`/${made.id}/rotate`, {})
    await assert.rejects(all(client({ apiKey: made.value }).models.list()), refused(401, 'invalid_api_key'))
    assert.ok((await all(client({ apiKey: next.value }).models.list())).length > 0)
    await assert.rejects(post('', { name: 'app', admin: true }), refused(400, 'unknown_parameter'))
  })

  test('a request with an Idempotency-Key makes one key, whose secret is not kept', async () => {
    const raw = client({ adminAPIKey: product.key })
    const make = () =>
      raw.admin.organization.adminAPIKeys.create({ name: 'once' }, { headers: { 'idempotency-key': 'once-1' } })
    const { id } = await make()
    await assert.rejects(make(), refused(400, 'idempotency_reply_not_kept'))
    const made = (await all(admin.adminAPIKeys.list())).filter(({ name }) => name === 'once')
    assert.deepEqual(
      made.map(key => key.id),
      [id],
    )
  })

  test('the last owner stays, and others’ things are not there', async () => {
    const [owner] = await all(admin.users.list())
    await assert.rejects(admin.users.update(owner?.id ?? '', { role: 'reader' }), refused(400, 'last_owner'))
    await assert.rejects(admin.users.delete(owner?.id ?? ''), refused(400, 'last_owner'))
    await assert.rejects(admin.users.retrieve('user-none'), refused(404, null))
    await assert.rejects(admin.projects.retrieve('../../models'), refused(404, null))
  })

  test('the newest client does the same', async () => {
    const newest = new OpenAI7({ baseURL: `${product.url}/v1`, maxRetries: 0, adminAPIKey: product.key })
    const { organization } = newest.admin
    const project = await organization.projects.create({ name: 'Seven' })
    assert.deepEqual(await organization.projects.retrieve(project.id), project)
    const bare = await organization.projects.serviceAccounts.create(project.id, {
      name: 'bare',
      create_service_account_only: true,
    })
    assert.deepEqual([bare.role, bare.api_key], ['none', null])
    const names = []
    for await (const { name } of organization.projects.list({ limit: 1 })) names.push(name)
    assert.ok(names.includes('Seven') && names.includes('Default project'))
    assert.ok((await organization.auditLogs.list({ limit: 1 })).data[0]?.type === 'service_account.created')
    await assert.rejects(organization.projects.create({ name: '' }), refused(400, 'empty_string'))
  })
})
