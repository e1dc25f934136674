import type { Fault } from '../../lib/faults.ts'
import { storable } from '../../lib/storable.ts'
import type { ServiceAccountsTable } from '../../store/schema/accounts.ts'
import type { Statement, Store } from '../../store/store.ts'
import { audited } from '../audit.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import { type Acting, checkId, commit, explained, holdProject, missing, plainText } from './acting.ts'
import { grantForProject, type Wanted } from './granting.ts'
import { keyChange, type MadeKey } from './project-keys.ts'
import { findLiveProject, findProject, goneOrArchived } from './projects.ts'

export type ServiceAccountRow = ServiceAccountsTable

/** The oldest first. @throws Fault 404; 400 for a cursor that is not in the list */
export async function listServiceAccounts(
  store: Store,
  organizationId: string,
  projectId: string,
  asked: PageAsked,
): Promise<Page<ServiceAccountRow>> {
  await findProject(store, organizationId, projectId)
  const query = accountsOf(store, organizationId, projectId)
  return readPage(query, asked, { table: 'service_accounts', order: 'asc', limit: 20 })
}

/** @throws Fault 404 */
export async function findServiceAccount(
  store: Store,
  organizationId: string,
  projectId: string,
  id: string,
): Promise<ServiceAccountRow> {
  await findProject(store, organizationId, projectId)
  checkId('service account', id)
  const found = await accountsOf(store, organizationId, projectId).where('id', '=', id).executeTakeFirst()
  if (found === undefined) throw missing('service account', id)
  return found
}

/** A member of the project with a first key. @throws Fault 404; 400 `project_archived` */
export async function createServiceAccount(
  acting: Acting,
  projectId: string,
  name: string,
): Promise<{ account: ServiceAccountRow; key: MadeKey }> {
  const { store } = acting
  const account = await newAccount(acting, projectId, name, 'member')
  const key = await makeKey(acting, account, { name: 'Secret Key' }, [
    holdProject(store, account.organization_id, projectId),
    store.build.insertInto('service_accounts').values(account),
    audited(created(account), acting),
  ]).catch(explained(goneOrArchived(acting, projectId)))
  return { account, key }
}

/** Without a key, and without rights until it is given a role. @throws Fault 404; 400 `project_archived` */
export async function createBareServiceAccount(
  acting: Acting,
  projectId: string,
  name: string,
): Promise<ServiceAccountRow> {
  const { store } = acting
  const account = await newAccount(acting, projectId, name, 'none')
  await commit(
    acting,
    [
      holdProject(store, account.organization_id, projectId),
      store.build.insertInto('service_accounts').values(account),
    ],
    [created(account)],
    goneOrArchived(acting, projectId),
  )
  return account
}

/** @throws Fault 404; 400 `project_archived`; 403 for a key that may do more than its maker */
export async function createServiceAccountKey(
  acting: Acting,
  projectId: string,
  id: string,
  { name = 'Secret Key', ...wanted }: Wanted & { name?: string },
): Promise<MadeKey> {
  const { store, caller } = acting
  const account = await findServiceAccount(store, caller.organizationId, projectId, id)
  await findLiveProject(store, caller.organizationId, projectId)
  const hold = [holdProject(store, caller.organizationId, projectId), holdAccount(store, account)]
  return makeKey(acting, account, { name, ...wanted }, hold).catch(explained(goneOrLocked(acting, account)))
}

/**
 * A key of the account that has this id or name in the project; an account of that name is made when there is none.
 * @param wanted `expiresAt` in unix milliseconds
 * @throws Fault 404; 400 `project_archived`; 403 for a key that may do more than its maker
 */
export async function createKeyOfNamed(
  acting: Acting,
  projectId: string,
  account: string,
  wanted: Wanted & { name: string; expiresAt: number | null },
): Promise<MadeKey> {
  const { store, caller } = acting
  const { organizationId } = caller
  await findLiveProject(store, organizationId, projectId)
  const named = storable(account.trim())
  const found = await accountsOf(store, organizationId, projectId)
    .where(eb => eb.or([eb('id', '=', named), eb('name', '=', named)]))
    .orderBy('created_at')
    .limit(1)
    .executeTakeFirst()
  const row = found ?? (await newAccount(acting, projectId, account, 'member'))
  const insert = [store.build.insertInto('service_accounts').values(row), audited(created(row), acting)]
  const before = [
    holdProject(store, organizationId, projectId),
    ...(found === undefined ? insert : [holdAccount(store, row)]),
  ]
  return makeKey(acting, row, wanted, before).catch(explained(goneOrLocked(acting, row)))
}

/** @throws Fault 404; 400 `project_archived` */
export async function changeServiceAccount(
  acting: Acting,
  projectId: string,
  id: string,
  asked: { name?: string; role?: 'owner' | 'member' },
): Promise<ServiceAccountRow> {
  const { store, caller } = acting
  const account = await findServiceAccount(store, caller.organizationId, projectId, id)
  await findLiveProject(store, caller.organizationId, projectId)
  const { name = account.name, role = account.role } = asked
  const changed = { name: name === account.name ? name : plainText('name', name), role }
  if (changed.name === account.name && changed.role === account.role) return account
  const statement = store.build
    .updateTable('service_accounts')
    .set(changed)
    .where('id', '=', id)
    .where('organization_id', '=', caller.organizationId)
    .where('project_id', '=', projectId)
  await commit(
    acting,
    [holdProject(store, caller.organizationId, projectId), { statement, expectChanges: 1 }],
    [{ type: 'service_account.updated', subjectId: id, projectId, details: { changes_requested: asked } }],
    goneOrLocked(acting, account),
  )
  return { ...account, ...changed }
}

/** Its keys end at once; their rows stay, without an owner, because the ledger speaks of them. @throws Fault 404 */
export async function removeServiceAccount(acting: Acting, projectId: string, id: string): Promise<void> {
  const { store, caller, clock } = acting
  const account = await findServiceAccount(store, caller.organizationId, projectId, id)
  const endKeys = store.build
    .updateTable('api_keys')
    .set(({ fn, ref, val }) => ({
      revoked_at: fn.coalesce(ref('revoked_at'), val(clock.now())),
      service_account_id: null,
    }))
    .where('organization_id', '=', caller.organizationId)
    .where('service_account_id', '=', id)
  const remove = store.build
    .deleteFrom('service_accounts')
    .where('id', '=', id)
    .where('organization_id', '=', caller.organizationId)
    .where('project_id', '=', projectId)
  await commit(
    acting,
    [endKeys, { statement: remove, expectChanges: 1 }],
    [{ type: 'service_account.deleted', subjectId: id, projectId }],
    async () => missing('service account', account.id),
  )
}

async function newAccount(
  { store, caller, clock, ids }: Acting,
  projectId: string,
  name: string,
  role: ServiceAccountRow['role'],
): Promise<ServiceAccountRow> {
  await findLiveProject(store, caller.organizationId, projectId)
  return {
    id: ids.make('serviceAccount'),
    organization_id: caller.organizationId,
    project_id: projectId,
    name: plainText('name', name),
    role,
    created_at: clock.now(),
  }
}

const created = ({ id, project_id, role }: ServiceAccountRow) => ({
  type: 'service_account.created',
  subjectId: id,
  projectId: project_id,
  details: { data: { role } },
})

function makeKey(
  acting: Acting,
  account: ServiceAccountRow,
  { name, expiresAt = null, ...wanted }: Wanted & { name: string; expiresAt?: number | null },
  before: readonly Statement[],
): Promise<MadeKey> {
  const place = {
    organizationId: account.organization_id,
    projectId: account.project_id,
    userId: null,
    serviceAccountId: account.id,
  }
  const grant = grantForProject(acting.caller, wanted)
  const key = { kind: 'service_account' as const, name: plainText('name', name), place, ...grant, expiresAt }
  return acting.keys.create(key, row => [...before, audited(keyChange('api_key.created', row), acting)])
}

/** Takes the account's row, so that what is written with it does not outlive it. */
const holdAccount = (store: Store, { id, organization_id, project_id }: ServiceAccountRow): Statement => ({
  statement: store.build
    .updateTable('service_accounts')
    .set(({ ref }) => ({ role: ref('role') }))
    .where('id', '=', id)
    .where('organization_id', '=', organization_id)
    .where('project_id', '=', project_id),
  expectChanges: 1,
})

const goneOrLocked =
  (acting: Acting, { id, project_id, organization_id }: ServiceAccountRow) =>
  async (): Promise<Fault> => {
    const found = await accountsOf(acting.store, organization_id, project_id).where('id', '=', id).executeTakeFirst()
    return found === undefined ? missing('service account', id) : goneOrArchived(acting, project_id)()
  }

const accountsOf = (store: Store, organizationId: string, projectId: string) =>
  store.read
    .selectFrom('service_accounts')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('project_id', '=', projectId)
