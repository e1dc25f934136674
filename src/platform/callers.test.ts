import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { manualClock } from '../lib/clock.ts'
import { Fault } from '../lib/faults.ts'
import { makeIds } from '../lib/ids.ts'
import { silentLog } from '../lib/log.ts'
import { seededRandom } from '../lib/random.ts'
import type { OrganizationRole, ProjectRole } from '../store/schema/accounts.ts'
import { openStore, type Store } from '../store/store.ts'
import { authorize, type Caller, type Scope, scopes } from './access.ts'
import { callerOf } from './callers.ts'
import { ensureHome, type Home } from './home.ts'
import { type Claims, type Keys, makeKeys, type NewKey } from './keys.ts'

const clock = manualClock()
const ids = makeIds(seededRandom(3))
let folder = ''
let store: Store
let keys: Keys
let home: Home

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parlance-callers-'))
  store = await openStore({ dataDir: folder, clock, log: silentLog })
  keys = makeKeys({ store, clock, ids, log: silentLog })
  home = await ensureHome({ store, clock, ids })
  await store.write([
    store.build.insertInto('organizations').values({ id: 'org-b', name: 'bee', title: 'B', credit: 0, created_at: 2 }),
    ...['proj_b1', 'proj_b2'].map(id =>
      store.build
        .insertInto('projects')
        .values({ id, organization_id: 'org-b', name: id, created_at: 2, archived_at: null }),
    ),
    store.build.insertInto('projects').values({
      id: 'proj_a2',
      organization_id: home.organizationId,
      name: 'second',
      created_at: 3,
      archived_at: null,
    }),
  ])
})
after(async () => {
  keys.close()
  await store.close()
  if (folder !== '') rmSync(folder, { recursive: true })
})

let people = 0
/** A person with a role here, another there. */
async function person(roles: { a?: OrganizationRole; b?: OrganizationRole; projects?: Record<string, ProjectRole> }) {
  const id = `user-${++people}`
  const { a, b, projects = {} } = roles
  const member = (organization_id: string, role: OrganizationRole) =>
    store.build.insertInto('members').values({ organization_id, user_id: id, role, created_at: people })
  await store.write([
    store.build.insertInto('users').values({
      id,
      email: `${id}@example.com`,
      name: id,
      password: null,
      identity: null,
      created_at: people,
      disabled_at: null,
    }),
    ...(a === undefined ? [] : [member(home.organizationId, a)]),
    ...(b === undefined ? [] : [member('org-b', b)]),
    ...Object.entries(projects).map(([project_id, role]) =>
      store.build.insertInto('project_members').values({
        project_id,
        organization_id: project_id.startsWith('proj_b') ? 'org-b' : home.organizationId,
        user_id: id,
        role,
        created_at: people,
      }),
    ),
  ])
  return id
}

async function caller(
  userId: string | null,
  key: Partial<NewKey> & { projectId?: string | null } = {},
  claims: Claims = {},
) {
  const { projectId = home.projectId, ...rest } = key
  const place = { organizationId: home.organizationId, projectId, userId, ...rest.place }
  const { secret, row } = await keys.create({ name: 'k', ...rest, place })
  return { secret, row, found: await keys.find(secret, claims) }
}

const refused = (status: number, code: string) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.code], [status, code])
  return true
}
const may = (who: Caller): Scope[] => (Object.keys(scopes) as Scope[]).filter(scope => who.allowed.has(scope))

test('an owner may everything, a reader everything but administration, and nobody more than their key', async () => {
  const owner = await person({ a: 'owner' })
  const reader = await person({ a: 'reader', projects: { [home.projectId]: 'member' } })
  const all = Object.keys(scopes) as Scope[]
  assert.deepEqual(may((await caller(owner)).found), all)
  assert.deepEqual(
    may((await caller(reader)).found),
    all.filter(scope => !['organization.write', 'model.write'].includes(scope)),
  )
  const reads = all.filter(scope => scope.endsWith('.read'))
  assert.deepEqual(may((await caller(owner, { scopes: 'read' })).found), reads)
  const restricted = await caller(reader, { scopes: ['model.request', 'organization.write'] })
  assert.deepEqual(may(restricted.found), ['model.request'])
  assert.throws(() => authorize(restricted.found, 'organization.write'), refused(403, 'missing_scope'))
})

test('keys of projects and service accounts never administer, admin keys do nothing else', async () => {
  const owner = await person({ a: 'owner' })
  const administrative = (scope: Scope) => scope.startsWith('organization.')
  assert.ok(!may((await caller(owner, { kind: 'project' })).found).some(administrative))
  const admin = await caller(owner, { kind: 'admin' })
  assert.deepEqual(may(admin.found), ['usage.read', 'organization.read', 'organization.write'])
  assert.equal(admin.found.projectId, '')
  await store.write(
    store.build.insertInto('service_accounts').values({
      id: 'svc_acct_1',
      organization_id: home.organizationId,
      project_id: home.projectId,
      name: 's',
      role: 'member',
      created_at: 1,
    }),
  )
  const service = await caller(null, {
    kind: 'service_account',
    place: {
      organizationId: home.organizationId,
      projectId: home.projectId,
      userId: null,
      serviceAccountId: 'svc_acct_1',
    },
  })
  assert.match(service.secret, /^sk-svcacct-/)
  assert.ok(!may(service.found).some(administrative))
  await store.write(
    store.build.updateTable('api_keys').set({ service_account_id: null }).where('id', '=', service.row.id),
  )
  await store.write(store.build.deleteFrom('service_accounts'))
  keys.changed()
  await assert.rejects(keys.find(service.secret), refused(401, 'invalid_api_key'))
})

test('the headers choose organisation and project, as far as the person behind the key belongs to them', async () => {
  const both = await person({ a: 'owner', b: 'reader', projects: { proj_b2: 'owner' } })
  const { secret, found } = await caller(both)
  assert.equal(found.projectId, home.projectId)
  assert.equal((await keys.find(secret, { project: 'proj_a2' })).projectId, 'proj_a2')
  const elsewhere = await keys.find(secret, { organization: 'bee' })
  assert.deepEqual([elsewhere.organizationId, elsewhere.projectId, elsewhere.role], ['org-b', 'proj_b2', 'reader'])
  assert.deepEqual([...elsewhere.ownedProjects], ['proj_b2'])
  authorize(elsewhere, 'organization.write', 'proj_b2')
  assert.throws(() => authorize(elsewhere, 'organization.write', 'proj_b1'), refused(403, 'missing_scope'))
  await assert.rejects(
    keys.find(secret, { organization: 'org-b', project: 'proj_b1' }),
    refused(401, 'mismatched_project'),
  )
  await assert.rejects(keys.find(secret, { organization: 'org-none' }), refused(401, 'mismatched_organization'))

  const fixed = await caller(both, { kind: 'project' })
  await assert.rejects(keys.find(fixed.secret, { project: 'proj_a2' }), refused(401, 'mismatched_project'))
  await assert.rejects(keys.find(fixed.secret, { organization: 'bee' }), refused(401, 'mismatched_organization'))
})

test('whoever leaves, is disabled or loses a role, loses it with all keys', async () => {
  const leaves = await person({ a: 'owner' })
  const { secret, found } = await caller(leaves)
  const projectKey = await caller(leaves, { kind: 'project' })
  assert.equal(found.role, 'owner')
  const members = store.build.updateTable('members').set({ role: 'reader' }).where('user_id', '=', leaves)
  await store.write([
    members,
    store.build.insertInto('project_members').values({
      project_id: home.projectId,
      organization_id: home.organizationId,
      user_id: leaves,
      role: 'member',
      created_at: 1,
    }),
  ])
  keys.changed()
  assert.equal((await keys.find(secret)).role, 'reader')
  await store.write(store.build.updateTable('users').set({ disabled_at: 5 }).where('id', '=', leaves))
  keys.changed()
  for (const dead of [secret, projectKey.secret]) await assert.rejects(keys.find(dead), refused(401, 'invalid_api_key'))
})

test('keys of an archived project are dead, also those of its owner', async () => {
  const owner = await person({ a: 'owner' })
  await store.write(
    store.build
      .insertInto('projects')
      .values({ id: 'proj_old', organization_id: home.organizationId, name: 'old', created_at: 9, archived_at: null }),
  )
  const { secret } = await caller(owner, { kind: 'project', projectId: 'proj_old' })
  await store.write(store.build.updateTable('projects').set({ archived_at: 10 }).where('id', '=', 'proj_old'))
  keys.changed()
  await assert.rejects(keys.find(secret), refused(401, 'invalid_api_key'))
})

test('a key ends when it expires, and a rotated one after its grace', async () => {
  const owner = await person({ a: 'owner' })
  const { secret } = await caller(owner, { expiresAt: clock.now() + 5000 })
  clock.advance(5001)
  await assert.rejects(keys.find(secret), refused(401, 'invalid_api_key'))

  const old = await caller(owner, { scopes: ['model.read'], models: ['small'] })
  const rotated = await keys.rotate(old.row.id, 60_000)
  const successor = await keys.find(rotated?.secret)
  assert.deepEqual([may(successor), [...(successor.models ?? [])]], [['model.read'], ['small']])
  await keys.find(old.secret)
  clock.advance(60_001)
  await assert.rejects(keys.find(old.secret), refused(401, 'invalid_api_key'))
  assert.equal(await keys.rotate(old.row.id, 0), undefined)
})

test('a running request hears within a look that its key ended', async () => {
  const owner = await person({ a: 'owner' })
  const { row, found } = await caller(owner)
  const other = await caller(owner)
  const ended: string[] = []
  const stop = keys.watch(found, reason => ended.push(`first ${reason.code}`))
  const stopOther = keys.watch(other.found, () => ended.push('other'))
  await keys.revoke(row.id)
  while (ended.length === 0) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(ended, ['first invalid_api_key'])
  stop()
  stopOther()
})

test('what goes on after a person has left has what is theirs now, in the organisation where it began', async () => {
  const id = await person({ a: 'owner', b: 'reader', projects: { proj_b1: 'member' } })
  const asPerson = (organization: string, project?: string) =>
    callerOf(store, { person: id, organization }, { project }, clock.now())
  const inA = await asPerson(home.organizationId)
  assert.deepEqual(
    [inA?.organizationId, inA?.userId, inA?.allowed.has('organization.write')],
    [home.organizationId, id, true],
  )
  const inB = await asPerson('org-b', 'proj_b1')
  assert.deepEqual([inB?.organizationId, inB?.projectId], ['org-b', 'proj_b1'])
  assert.equal(inB?.allowed.has('organization.write'), false)
  await assert.rejects(asPerson('org-b', 'proj_b2'), refused(401, 'mismatched_project'))
  await store.write(store.build.updateTable('users').set({ disabled_at: clock.now() }).where('id', '=', id))
  assert.equal(await asPerson(home.organizationId), undefined)
})
