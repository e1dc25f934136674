import { fault } from '../../lib/faults.ts'
import type { ProjectRole } from '../../store/schema/accounts.ts'
import { ConstraintFailed, type Store } from '../../store/store.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import { type Acting, checkId, commit, emailOf, holdMember, holdProject, missing } from './acting.ts'
import { findLiveProject, findProject, goneOrArchived } from './projects.ts'
import { findUser, findUserByEmail } from './users.ts'

/** Somebody in a project. Owners of the organisation may do everything in all projects without being there. */
export interface ProjectUserRow {
  id: string
  email: string
  name: string
  role: ProjectRole
  /** When they came into the project. */
  created_at: number
}

/** In the order in which they came. @throws Fault 404; 400 for a cursor that is not in the list */
export async function listProjectUsers(
  store: Store,
  organizationId: string,
  projectId: string,
  asked: PageAsked,
): Promise<Page<ProjectUserRow>> {
  await findProject(store, organizationId, projectId)
  const query = usersOf(store, organizationId, projectId)
  return readPage(query, asked, { table: 'page', order: 'asc', limit: 20 })
}

/** @throws Fault 404 */
export async function findProjectUser(
  store: Store,
  organizationId: string,
  projectId: string,
  userId: string,
): Promise<ProjectUserRow> {
  await findProject(store, organizationId, projectId)
  checkId('user', userId)
  const found = await usersOf(store, organizationId, projectId).where('page.id', '=', userId).executeTakeFirst()
  if (found === undefined) throw missing('user', userId)
  return found
}

/** @param who somebody of the organisation. @throws Fault 404; 400 `project_archived`, `already_member` */
export async function addProjectUser(
  acting: Acting,
  projectId: string,
  who: { userId: string } | { email: string },
  role: ProjectRole,
): Promise<ProjectUserRow> {
  const { store, caller, clock } = acting
  const { organizationId } = caller
  await findLiveProject(store, organizationId, projectId)
  const byId = 'userId' in who
  const user = byId
    ? await findUser(store, organizationId, who.userId)
    : await findUserByEmail(store, organizationId, emailOf('email', who.email))
  const created_at = clock.now()
  const row = { project_id: projectId, organization_id: organizationId, user_id: user.id, role, created_at }
  await commit(
    acting,
    [
      holdProject(store, organizationId, projectId),
      holdMember(store, organizationId, user.id),
      store.build.insertInto('project_members').values(row),
    ],
    [{ type: 'user.added', subjectId: user.id, projectId, details: { data: { role } } }],
    // The member left in between, or the project was archived.
    async () => ((await isMember(acting, user.id)) ? goneOrArchived(acting, projectId)() : missing('user', user.id)),
  ).catch((error: unknown) => {
    if (!(error instanceof ConstraintFailed)) throw error
    throw fault.alreadyMember(byId ? 'user_id' : 'email', 'project')
  })
  return { ...user, role, created_at }
}

/** @throws Fault 404; 400 `project_archived` */
export async function changeProjectRole(
  acting: Acting,
  projectId: string,
  userId: string,
  role: ProjectRole,
): Promise<ProjectUserRow> {
  const { store, caller } = acting
  const { organizationId } = caller
  const user = await findProjectUser(store, organizationId, projectId, userId)
  await findLiveProject(store, organizationId, projectId)
  if (user.role === role) return user
  const statement = store.build
    .updateTable('project_members')
    .set({ role })
    .where('project_id', '=', projectId)
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', userId)
  await commit(
    acting,
    [holdProject(store, organizationId, projectId), { statement, expectChanges: 1 }],
    [{ type: 'user.updated', subjectId: userId, projectId, details: { changes_requested: { role } } }],
    async () => missing('user', userId),
  )
  return { ...user, role }
}

/** Their keys of the project do not work any more, and do again when they come back. @throws Fault 404 */
export async function removeProjectUser(acting: Acting, projectId: string, userId: string): Promise<void> {
  const { store, caller } = acting
  const { organizationId } = caller
  await findProjectUser(store, organizationId, projectId, userId)
  const statement = store.build
    .deleteFrom('project_members')
    .where('project_id', '=', projectId)
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', userId)
  await commit(
    acting,
    [{ statement, expectChanges: 1 }],
    [{ type: 'user.deleted', subjectId: userId, projectId }],
    async () => missing('user', userId),
  )
}

async function isMember({ store, caller }: Acting, userId: string): Promise<boolean> {
  const found = await store.read
    .selectFrom('members')
    .select('user_id')
    .where('organization_id', '=', caller.organizationId)
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return found !== undefined
}

/** Shaped for `readPage`: the columns of a membership do not have the names that it looks for. */
const usersOf = (store: Store, organizationId: string, projectId: string) =>
  store.read
    .selectFrom(eb =>
      eb
        .selectFrom('project_members as member')
        .innerJoin('users', 'users.id', 'member.user_id')
        .where('member.organization_id', '=', organizationId)
        .where('member.project_id', '=', projectId)
        .select(['users.id', 'users.email', 'users.name', 'member.role', 'member.created_at'])
        .as('page'),
    )
    .selectAll('page')
