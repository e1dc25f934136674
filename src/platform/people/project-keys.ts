import { sql } from 'kysely'
import { fault } from '../../lib/faults.ts'
import type { OrganizationRole, ProjectRole } from '../../store/schema/accounts.ts'
import type { Statement, Store } from '../../store/store.ts'
import { authorize } from '../access.ts'
import { audited, type Change } from '../audit.ts'
import { type KeyRow, keyColumns, shown } from '../key-rows.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import { type Acting, checkId, commit, explained, holdProject, missing, plainText } from './acting.ts'
import { checkWithin, grantForProject, personOf, type Wanted } from './granting.ts'
import { findLiveProject, findProject, goneOrArchived } from './projects.ts'

/** A key that works in a project, and whose it is. */
export interface ProjectKey {
  key: KeyRow
  owner: KeyOwner
  /** Whether the owner can enter the project now; the key of one who cannot does not work. */
  access: 'active' | 'inactive'
}

export type KeyOwner = {
  id: string
  name: string
  /** In the project. */
  role: ProjectRole | 'none'
  created_at: number
} & ({ type: 'service_account' } | { type: 'user'; email: string; added_at: number })

/** A key and its secret, which is nowhere else and is shown this once. */
export interface MadeKey {
  row: KeyRow
  secret: string
}

/** The oldest first. @throws Fault 404; 400 for a cursor that is not in the list */
export async function listProjectKeys(
  store: Store,
  organizationId: string,
  projectId: string,
  {
    owner_project_access: access = 'any',
    ...asked
  }: PageAsked & { owner_project_access?: 'active' | 'inactive' | 'any' },
): Promise<Page<ProjectKey>> {
  await findProject(store, organizationId, projectId)
  const query = keysOf(store, organizationId, projectId).$if(access !== 'any', all =>
    all.where(mayEnter, '=', access === 'active' ? 1 : 0),
  )
  const { rows, hasMore } = await readPage(query, asked, { table: 'api_keys', order: 'asc', limit: 20 })
  return { rows: rows.map(projectKey), hasMore }
}

/** @throws Fault 404, also for one that was deleted */
export async function findProjectKey(
  store: Store,
  organizationId: string,
  projectId: string,
  id: string,
): Promise<ProjectKey> {
  await findProject(store, organizationId, projectId)
  checkId('API key', id)
  const found = await keysOf(store, organizationId, projectId).where('api_keys.id', '=', id).executeTakeFirst()
  if (found === undefined) throw missing('API key', id)
  return projectKey(found)
}

/**
 * A key of the person who makes it, for this project alone.
 * @param expiresAt unix milliseconds
 * @throws Fault 404; 400 `project_archived`, and for an end in the past; 403 for a key that may do more than its maker
 */
export async function createProjectKey(
  acting: Acting,
  projectId: string,
  { name, expiresAt = null, ...wanted }: Wanted & { name: string; expiresAt?: number | null },
): Promise<MadeKey> {
  const { store, caller, clock, keys } = acting
  const { organizationId } = caller
  await findLiveProject(store, organizationId, projectId)
  const grant = grantForProject(caller, wanted)
  if (expiresAt !== null && expiresAt <= clock.now())
    throw fault.invalidValue('expires_at', "Invalid 'expires_at': expected a time in the future, in Unix seconds.")
  const place = { organizationId, projectId, userId: personOf(acting) }
  return keys
    .create({ kind: 'project', name: plainText('name', name), place, ...grant, expiresAt }, row => [
      holdProject(store, organizationId, projectId),
      audited(keyChange('api_key.created', row), acting),
    ])
    .catch(explained(goneOrArchived(acting, projectId)))
}

/**
 * Ends a key at once. Keys of a person that reach beyond the project are not for the project's owners to end.
 * @throws Fault 404; 403
 */
export async function removeProjectKey(acting: Acting, projectId: string, id: string): Promise<void> {
  const { store, caller } = acting
  const { key } = await findProjectKey(store, caller.organizationId, projectId, id)
  if (key.kind === 'user') authorize(caller, 'organization.write')
  await commit(acting, [endKey(acting, key)], [{ type: 'api_key.deleted', subjectId: id, projectId }], async () =>
    missing('API key', id),
  )
}

/**
 * A new secret with the same rights under a new id; the old one works for so long after. Whoever gets a secret must have what it gives:
 * the key of another person is for owners of the organisation, and one that its person can use elsewhere too is for them alone.
 * @throws Fault 404; 400 `project_archived`, `key_expired`; 403
 */
export async function rotateProjectKey(
  acting: Acting,
  projectId: string,
  id: string,
  graceMs: number,
): Promise<MadeKey> {
  const { store, caller, clock, keys } = acting
  const { organizationId } = caller
  const { key } = await findProjectKey(store, organizationId, projectId, id)
  await findLiveProject(store, organizationId, projectId)
  if (key.userId !== null && key.userId !== caller.userId) {
    if (key.kind === 'user') throw fault.keyOfAnother()
    authorize(caller, 'organization.write') // its person may be an owner of the organisation
  }
  checkWithin(caller, key)
  const endsAt = Math.floor((clock.now() + graceMs) / 1000)
  const made = await keys
    .rotate(id, graceMs, { organizationId, projectId }, row => [
      holdProject(store, organizationId, projectId),
      holdKey(store, key),
      audited(keyChange('api_key.created', row, { rotated_from: id }), acting),
      audited(
        { type: 'api_key.updated', subjectId: id, projectId, details: { changes_requested: { expires_at: endsAt } } },
        acting,
      ),
    ])
    .catch(
      explained(async () => {
        await findProjectKey(store, organizationId, projectId, id) // says so when it was deleted meanwhile
        return goneOrArchived(acting, projectId)()
      }),
    )
  if (made === undefined) throw fault.keyExpired()
  return made
}

/** For the audit log, in OpenAI's form. */
export const keyChange = (type: 'api_key.created', { id, projectId, scopes }: KeyRow, more: object = {}): Change => ({
  type,
  subjectId: id,
  projectId,
  details: { data: { scopes: typeof scopes === 'string' ? [scopes] : scopes, ...more } },
})

/** Ends a key that has not ended. */
export const endKey = ({ store, clock }: Acting, { id, organizationId }: KeyRow): Statement => ({
  statement: store.build
    .updateTable('api_keys')
    .set({ revoked_at: clock.now() })
    .where('id', '=', id)
    .where('organization_id', '=', organizationId)
    .where('revoked_at', 'is', null),
  expectChanges: 1,
})

/** Takes the row of a key that has not ended, so that nothing is made from one that is deleted at that moment. */
const holdKey = (store: Store, { id, organizationId }: KeyRow): Statement => ({
  statement: store.build
    .updateTable('api_keys')
    .set(({ ref }) => ({ name: ref('name') }))
    .where('id', '=', id)
    .where('organization_id', '=', organizationId)
    .where('revoked_at', 'is', null),
  expectChanges: 1,
})

const keysOf = (store: Store, organizationId: string, projectId: string) =>
  store.read
    .selectFrom('api_keys')
    .innerJoin('projects', 'projects.id', 'api_keys.project_id')
    .leftJoin('users', 'users.id', 'api_keys.user_id')
    .leftJoin('members', join =>
      join
        .onRef('members.user_id', '=', 'api_keys.user_id')
        .onRef('members.organization_id', '=', 'api_keys.organization_id'),
    )
    .leftJoin('project_members as place', join =>
      join.onRef('place.user_id', '=', 'api_keys.user_id').onRef('place.project_id', '=', 'api_keys.project_id'),
    )
    .leftJoin('service_accounts as account', 'account.id', 'api_keys.service_account_id')
    .where('api_keys.organization_id', '=', organizationId)
    .where('api_keys.project_id', '=', projectId)
    .where('api_keys.revoked_at', 'is', null)
    .select(keyColumns.map(column => `api_keys.${column}` as const))
    .select(['users.email', 'users.name as user_name', 'users.created_at as user_created_at'])
    .select(['members.role as organization_role', 'place.role as project_role'])
    .select(({ fn }) => fn.coalesce('place.created_at', 'members.created_at').as('user_added_at'))
    .select([
      'account.name as account_name',
      'account.role as account_role',
      'account.created_at as account_created_at',
    ])
    .select(mayEnter.as('may_enter'))

/** As `callers.ts` judges it: 1 for an owner of the key who can enter its project. */
const mayEnter = sql<0 | 1>`case
  when projects.archived_at is not null then 0
  when account.id is not null then case when account.role = 'none' then 0 else 1 end
  when users.disabled_at is not null or members.role is null then 0
  when members.role = 'owner' or place.role is not null then 1
  else 0 end`

type Found = NonNullable<Awaited<ReturnType<ReturnType<typeof keysOf>['executeTakeFirst']>>>

function projectKey(row: Found): ProjectKey {
  return { key: shown(row), owner: ownerOf(row), access: row.may_enter === 1 ? 'active' : 'inactive' }
}

/** Somebody who left the organisation has no keys any more, so there is always an account. */
function ownerOf(row: Found): KeyOwner {
  if (row.service_account_id !== null)
    return {
      type: 'service_account',
      id: row.service_account_id,
      name: row.account_name ?? '',
      role: row.account_role ?? 'none',
      created_at: row.account_created_at ?? 0,
    }
  const isOwner = row.organization_role === ('owner' satisfies OrganizationRole)
  return {
    type: 'user',
    id: row.user_id ?? '',
    name: row.user_name ?? '',
    email: row.email ?? '',
    role: isOwner ? 'owner' : (row.project_role ?? 'none'),
    created_at: row.user_created_at ?? 0,
    added_at: row.user_added_at ?? row.user_created_at ?? 0,
  }
}
