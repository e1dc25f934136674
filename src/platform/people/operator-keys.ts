import { fault } from '../../lib/faults.ts'
import type { KeyKind } from '../../store/schema/accounts.ts'
import { ConstraintFailed, type Store } from '../../store/store.ts'
import { audited } from '../audit.ts'
import { type KeyRow, keyColumns, shown } from '../key-rows.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import {
  type Acting,
  checkId,
  commit,
  emailOf,
  explained,
  holdMember,
  holdProject,
  missing,
  plainText,
} from './acting.ts'
import { grantFor, personOf, type Wanted } from './granting.ts'
import { endKey, keyChange, type MadeKey } from './project-keys.ts'
import { defaultProject, findLiveProject, goneOrArchived } from './projects.ts'
import { createKeyOfNamed } from './service-accounts.ts'
import { findUser, findUserByEmail, type UserRow } from './users.ts'

/** A key of any kind, and the names of what it belongs to. */
export interface NamedKey {
  key: KeyRow
  email: string | null
  serviceAccount: string | null
  project: string | null
}

/** What the operator asks for. */
export interface OperatorKey extends Wanted {
  name: string
  kind: KeyKind
  /** Where it works; of a key of a person where it begins. Default: the default project. */
  projectId?: string
  /** Whose it is, by address. Default: whoever the operator acts for. */
  email?: string
  /** By id or name; it is made when there is none of that name. For keys of that kind alone. */
  serviceAccount?: string
  /** Unix milliseconds. */
  expiresAt: number | null
}

/** Keys of every kind in an organisation, those that have ended included, the oldest first. @throws Fault 400 for a wrong cursor */
export async function listEveryKey(store: Store, organizationId: string, asked: PageAsked): Promise<Page<NamedKey>> {
  const page = await readPage(keysOf(store, organizationId), asked, { table: 'api_keys', order: 'asc', limit: 20 })
  return { rows: page.rows.map(namedKey), hasMore: page.hasMore }
}

/** @throws Fault 404 */
export async function findAnyKey(store: Store, organizationId: string, id: string): Promise<NamedKey> {
  checkId('API key', id)
  const found = await keysOf(store, organizationId).where('api_keys.id', '=', id).executeTakeFirst()
  if (found === undefined) throw missing('API key', id)
  return namedKey(found)
}

/**
 * A key for anybody of the organisation.
 * @throws Fault 404 for a person or project that there is not; 400 `project_archived`, for an unknown scope, for an end in the past,
 * and for somebody who could not use the key because they are not in the project
 */
export async function createAnyKey(acting: Acting, asked: OperatorKey): Promise<MadeKey> {
  const { store, caller, clock, keys } = acting
  const { organizationId } = caller
  const { kind, expiresAt, email, serviceAccount } = asked
  if (expiresAt !== null && expiresAt <= clock.now())
    throw fault.invalidValue('expires_at', "Invalid 'expires_at': expected a time in the future, in Unix seconds.")
  checkCombination(asked)
  const name = plainText('name', asked.name)
  const grant = grantFor(caller, kind, asked)
  const projectId = asked.projectId ?? (await defaultProject(store, organizationId)).id
  if (serviceAccount !== undefined)
    return createKeyOfNamed(acting, projectId, serviceAccount, { ...grant, name, expiresAt })
  const user = await (email === undefined
    ? findUser(store, organizationId, personOf(acting))
    : findUserByEmail(store, organizationId, emailOf('email', email)))
  if (kind !== 'admin') {
    await findLiveProject(store, organizationId, projectId)
    await checkEntry(store, projectId, user)
  }
  const place = { organizationId, projectId, userId: user.id }
  return keys
    .create({ kind, name, place, ...grant, expiresAt }, row => [
      holdMember(store, organizationId, user.id),
      ...(row.projectId === null ? [] : [holdProject(store, organizationId, row.projectId)]),
      audited(keyChange('api_key.created', row), acting),
    ])
    .catch(explained(goneOrArchived(acting, projectId)))
}

/** @throws Fault 400 for what a key of this kind cannot have */
function checkCombination({ kind, email, serviceAccount, projectId, models }: OperatorKey): void {
  const refuse = (param: string, why: string) => fault.invalidValue(param, `Invalid '${param}': ${why}.`)
  const isProgram = kind === 'service_account'
  if (isProgram !== (serviceAccount !== undefined))
    throw refuse('service_account', 'it is for keys of that kind, and they need it')
  if (isProgram && email !== undefined) throw refuse('email', 'a key of a service account is nobody’s')
  if (kind !== 'admin') return
  if (projectId !== undefined) throw refuse('project_id', 'a key of the administration works in no project')
  if (models !== undefined && models !== null) throw refuse('models', 'a key of the administration asks no models')
}

/** Ends a key at once. @throws Fault 404, also for one that has ended */
export async function removeAnyKey(acting: Acting, id: string): Promise<void> {
  const { key } = await findAnyKey(acting.store, acting.caller.organizationId, id)
  const { projectId } = key
  await commit(acting, [endKey(acting, key)], [{ type: 'api_key.deleted', subjectId: id, projectId }], async () =>
    missing('active API key', id),
  )
}

/**
 * A new secret with the same rights under a new id; the old one works for so long after.
 * @throws Fault 404; 400 `key_expired`
 */
export async function rotateAnyKey(acting: Acting, id: string, graceMs: number): Promise<MadeKey> {
  const { store, caller, clock, keys } = acting
  const { organizationId } = caller
  const { key } = await findAnyKey(store, organizationId, id)
  if (key.revokedAt !== null) throw missing('active API key', id)
  const { projectId } = key
  const expires_at = Math.floor((clock.now() + graceMs) / 1000)
  const made = await keys.rotate(id, graceMs, { organizationId }, row => [
    audited(keyChange('api_key.created', row, { rotated_from: id }), acting),
    audited(
      { type: 'api_key.updated', subjectId: id, projectId, details: { changes_requested: { expires_at } } },
      acting,
    ),
  ])
  if (made === undefined) throw fault.keyExpired()
  return made
}

/** Somebody new in the organisation, as a member of its default project. An account of that address is used, or made without a way to sign in. */
export async function addMember(
  acting: Acting,
  asked: { email: string; name?: string; role: UserRow['role'] },
): Promise<UserRow> {
  const { store, caller, clock, ids } = acting
  const { organizationId } = caller
  const email = emailOf('email', asked.email)
  const account = await store.read
    .selectFrom('users')
    .select(['id', 'name'])
    .where('email', '=', email)
    .executeTakeFirst()
  const created_at = clock.now()
  const user = account ?? { id: ids.make('user'), name: plainText('name', asked.name ?? email) }
  const { id: project_id } = await defaultProject(store, organizationId)
  const member = { organization_id: organizationId, user_id: user.id, created_at }
  const row = { ...user, email, password: null, identity: null, created_at, disabled_at: null }
  await commit(
    acting,
    [
      ...(account === undefined ? [store.build.insertInto('users').values(row)] : []),
      store.build.insertInto('members').values({ ...member, role: asked.role }),
      store.build.insertInto('project_members').values({ ...member, project_id, role: 'member' }),
    ],
    [{ type: 'user.added', subjectId: user.id, details: { data: { role: asked.role } } }],
    async () => missing('organization', organizationId),
  ).catch((error: unknown) => {
    throw error instanceof ConstraintFailed ? fault.alreadyMember('email', 'organization') : error
  })
  return { id: user.id, email, name: user.name, role: asked.role, created_at }
}

/** @throws Fault 400 for somebody whose key would not work, as `callers.ts` judges it */
async function checkEntry(store: Store, projectId: string, { id, email, role }: UserRow): Promise<void> {
  if (role === 'owner') return
  const found = await store.read
    .selectFrom('project_members')
    .select('role')
    .where('project_id', '=', projectId)
    .where('user_id', '=', id)
    .executeTakeFirst()
  if (found === undefined) throw fault.notInProject(email, projectId)
}

const keysOf = (store: Store, organizationId: string) =>
  store.read
    .selectFrom('api_keys')
    .leftJoin('users', 'users.id', 'api_keys.user_id')
    .leftJoin('service_accounts as account', 'account.id', 'api_keys.service_account_id')
    .leftJoin('projects', 'projects.id', 'api_keys.project_id')
    .where('api_keys.organization_id', '=', organizationId)
    .select(keyColumns.map(column => `api_keys.${column}` as const))
    .select(['users.email', 'account.name as account_name', 'projects.name as project_name'])

type Found = NonNullable<Awaited<ReturnType<ReturnType<typeof keysOf>['executeTakeFirst']>>>

const namedKey = (row: Found): NamedKey => ({
  key: shown(row),
  email: row.email,
  serviceAccount: row.account_name,
  project: row.project_name,
})
