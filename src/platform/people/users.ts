import type { ExpressionBuilder } from 'kysely'
import { type Fault, fault } from '../../lib/faults.ts'
import type { OrganizationRole } from '../../store/schema/accounts.ts'
import type { Database, Statement, Store } from '../../store/store.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import { type Acting, checkId, commit, missing } from './acting.ts'

/** Somebody in an organisation. */
export interface UserRow {
  id: string
  email: string
  name: string
  role: OrganizationRole
  /** When they came into the organisation. */
  created_at: number
}

/** In the order in which they came. @param asked with `emails`: these alone. @throws Fault 400 for a cursor that is not in the list */
export function listUsers(
  store: Store,
  organizationId: string,
  { emails, ...asked }: PageAsked & { emails?: readonly string[] },
): Promise<Page<UserRow>> {
  const wanted = emails?.map(email => email.trim().toLowerCase())
  const query = usersOf(store, organizationId).$if(wanted !== undefined, all => all.where('page.email', 'in', wanted!))
  return readPage(query, asked, { table: 'page', order: 'asc', limit: 20 })
}

/** @throws Fault 404 */
export async function findUser(store: Store, organizationId: string, userId: string): Promise<UserRow> {
  checkId('user', userId)
  const found = await usersOf(store, organizationId).where('page.id', '=', userId).executeTakeFirst()
  if (found === undefined) throw missing('user', userId)
  return found
}

/** @throws Fault 404 */
export async function findUserByEmail(store: Store, organizationId: string, email: string): Promise<UserRow> {
  const found = await usersOf(store, organizationId).where('page.email', '=', email).executeTakeFirst()
  if (found === undefined) throw missing('user', email)
  return found
}

/** @throws Fault 404; 400 `last_owner` */
export async function changeRole(acting: Acting, userId: string, role: OrganizationRole): Promise<UserRow> {
  const { store, caller } = acting
  const { organizationId } = caller
  const user = await findUser(store, organizationId, userId)
  if (user.role === role) return user
  const statement = store.build
    .updateTable('members')
    .set({ role })
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', userId)
    .where(eb => (role === 'owner' ? eb.lit(true) : notLastOwner(eb, organizationId, userId)))
  await commit(
    acting,
    [holdOrganization(store, organizationId), { statement, expectChanges: 1 }],
    [{ type: 'user.updated', subjectId: userId, details: { changes_requested: { role } } }],
    () => goneOrLast(acting, userId),
  )
  return { ...user, role }
}

/**
 * Takes somebody out of the organisation and all its projects, and ends their keys and sign-ins there. Their account stays: they may
 * be in other organisations, and the ledger speaks of them.
 * @throws Fault 404; 400 `last_owner`
 */
export async function removeUser(acting: Acting, userId: string): Promise<void> {
  const { store, caller, clock } = acting
  const { organizationId } = caller
  await findUser(store, organizationId, userId)
  const statement = store.build
    .deleteFrom('members')
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', userId)
    .where(eb => notLastOwner(eb, organizationId, userId))
  await commit(
    acting,
    [
      holdOrganization(store, organizationId),
      { statement, expectChanges: 1 },
      ...(['project_members', 'sessions'] as const).map(table =>
        store.build.deleteFrom(table).where('organization_id', '=', organizationId).where('user_id', '=', userId),
      ),
      store.build
        .updateTable('api_keys')
        .set({ revoked_at: clock.now() })
        .where('organization_id', '=', organizationId)
        .where('user_id', '=', userId)
        .where('revoked_at', 'is', null),
    ],
    [{ type: 'user.deleted', subjectId: userId }],
    () => goneOrLast(acting, userId),
  )
}

/** Shaped for `readPage`: the columns of a membership do not have the names that it looks for. */
const usersOf = (store: Store, organizationId: string) =>
  store.read
    .selectFrom(eb =>
      eb
        .selectFrom('members')
        .innerJoin('users', 'users.id', 'members.user_id')
        .where('members.organization_id', '=', organizationId)
        .select(['users.id', 'users.email', 'users.name', 'members.role', 'members.created_at'])
        .as('page'),
    )
    .selectAll('page')

/** One change of owners at a time: without it, two last owners could remove one another where a database has several writers. */
const holdOrganization = (store: Store, organizationId: string): Statement => ({
  statement: store.build
    .updateTable('organizations')
    .set(({ ref }) => ({ name: ref('name') }))
    .where('id', '=', organizationId),
  expectChanges: 1,
})

/** True for everybody but an owner beside whom there is no other. */
function notLastOwner(eb: ExpressionBuilder<Database, 'members'>, organizationId: string, userId: string) {
  const others = eb
    .selectFrom('members as other')
    .innerJoin('users', 'users.id', 'other.user_id')
    .select('other.user_id')
    .where('other.organization_id', '=', organizationId)
    .where('other.user_id', '!=', userId)
    .where('other.role', '=', 'owner')
    .where('users.disabled_at', 'is', null)
  return eb.or([eb('members.role', '!=', 'owner'), eb.exists(others)])
}

async function goneOrLast({ store, caller }: Acting, userId: string): Promise<Fault> {
  const rest = await usersOf(store, caller.organizationId).where('page.id', '=', userId).executeTakeFirst()
  return rest === undefined ? missing('user', userId) : fault.lastOwner()
}
