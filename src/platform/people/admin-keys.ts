import type { OrganizationRole } from '../../store/schema/accounts.ts'
import type { Store } from '../../store/store.ts'
import { audited } from '../audit.ts'
import { type KeyRow, keyColumns, shown } from '../key-rows.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import { type Acting, checkId, commit, explained, holdMember, missing, plainText } from './acting.ts'
import { grantForAdmin, personOf } from './granting.ts'
import { endKey, keyChange, type MadeKey } from './project-keys.ts'

/** A key of the administration, and whose it is: what they may not do any more, it may not. */
export interface AdminKey {
  key: KeyRow
  owner: { id: string; name: string; role: OrganizationRole; created_at: number }
}

/** The oldest first unless asked otherwise. @throws Fault 400 for a cursor that is not in the list */
export async function listAdminKeys(store: Store, organizationId: string, asked: PageAsked): Promise<Page<AdminKey>> {
  const query = keysOf(store, organizationId)
  const { rows, hasMore } = await readPage(query, asked, { table: 'api_keys', order: 'asc', limit: 20 })
  return { rows: rows.map(adminKey), hasMore }
}

/** @throws Fault 404, also for one that was deleted */
export async function findAdminKey(store: Store, organizationId: string, id: string): Promise<AdminKey> {
  checkId('API key', id)
  const found = await keysOf(store, organizationId).where('api_keys.id', '=', id).executeTakeFirst()
  if (found === undefined) throw missing('API key', id)
  return adminKey(found)
}

/** A key of the person who makes it, with the scopes of the key that makes it. @param expiresAt unix milliseconds */
export function createAdminKey(
  acting: Acting,
  { name, expiresAt = null }: { name: string; expiresAt?: number | null },
): Promise<MadeKey> {
  const { store, caller, keys } = acting
  const userId = personOf(acting)
  const place = { organizationId: caller.organizationId, projectId: null, userId }
  const grant = grantForAdmin(caller)
  return keys
    .create({ kind: 'admin', name: plainText('name', name), place, ...grant, expiresAt }, row => [
      holdMember(store, caller.organizationId, userId),
      audited(keyChange('api_key.created', row), acting),
    ])
    .catch(explained(async () => missing('user', userId)))
}

/** Ends a key at once, also the one that asks. @throws Fault 404 */
export async function removeAdminKey(acting: Acting, id: string): Promise<void> {
  const { key } = await findAdminKey(acting.store, acting.caller.organizationId, id)
  await commit(acting, [endKey(acting, key)], [{ type: 'api_key.deleted', subjectId: id }], async () =>
    missing('API key', id),
  )
}

const keysOf = (store: Store, organizationId: string) =>
  store.read
    .selectFrom('api_keys')
    .innerJoin('users', 'users.id', 'api_keys.user_id')
    .innerJoin('members', join =>
      join
        .onRef('members.user_id', '=', 'api_keys.user_id')
        .onRef('members.organization_id', '=', 'api_keys.organization_id'),
    )
    .where('api_keys.organization_id', '=', organizationId)
    .where('api_keys.kind', '=', 'admin')
    .where('api_keys.revoked_at', 'is', null)
    .select(keyColumns.map(column => `api_keys.${column}` as const))
    .select(['users.name as user_name', 'users.created_at as user_created_at', 'members.role as user_role'])

type Found = NonNullable<Awaited<ReturnType<ReturnType<typeof keysOf>['executeTakeFirst']>>>

const adminKey = (row: Found): AdminKey => ({
  key: shown(row),
  owner: { id: row.user_id ?? '', name: row.user_name, role: row.user_role, created_at: row.user_created_at },
})
