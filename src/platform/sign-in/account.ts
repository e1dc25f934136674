import { fault } from '../../lib/faults.ts'
import type { OrganizationRole, ProjectRole, SessionsTable, UsersTable } from '../../store/schema/accounts.ts'
import { audited } from '../audit.ts'
import { checkPassword } from '../passwords.ts'
import { explained, plainText } from '../people/acting.ts'
import { findUser } from '../people/users.ts'
import type { Visiting } from './signing-in.ts'

/** Somebody who is signed in, and where they may go. */
export interface Account {
  session: SessionsTable
  user: UsersTable
  /** All that they are in, the first one first. */
  organizations: { id: string; name: string; title: string; role: OrganizationRole }[]
  /** Those of the organisation they act in that they may use, the oldest first; at most `projectsMax`. */
  projects: { id: string; name: string; role: ProjectRole }[]
  moreProjects: boolean
}

export const projectsMax = 100

/** @throws Fault 401 when the sign-in is over by now */
export async function accountOf(visiting: Pick<Visiting, 'store' | 'caller'>): Promise<Account> {
  const { store, caller } = visiting
  const session = await store.read
    .selectFrom('sessions')
    .selectAll()
    .where('hash', '=', caller.sessionHash ?? '')
    .executeTakeFirst()
  if (session === undefined) throw fault.sessionOver()
  const organizations = await store.read
    .selectFrom('members')
    .innerJoin('organizations', 'organizations.id', 'members.organization_id')
    .select(['organizations.id', 'organizations.name', 'organizations.title', 'members.role'])
    .where('members.user_id', '=', session.user_id)
    .orderBy('members.created_at')
    .orderBy('organizations.id')
    .execute()
  const projects = await (caller.role === 'owner' ? everyProject(visiting) : ownProjects(visiting))
  return {
    session,
    user: await userOf(visiting),
    organizations,
    projects: projects.slice(0, projectsMax),
    moreProjects: projects.length > projectsMax,
  }
}

/**
 * Changes a name, or a password, which ends all other sign-ins.
 * @throws Fault 400 `weak_password`, `no_password`, `invalid_credentials` for a wrong `current_password`, and for a name that is none
 */
export async function changeAccount(
  visiting: Visiting,
  asked: { name?: string; password?: string; current_password?: string },
): Promise<void> {
  const { store, caller, keys } = visiting
  const user = await userOf(visiting)
  const { current_password: current } = asked
  if (asked.password === undefined && current !== undefined) throw fault.missingParameter('password')
  const name = asked.name === undefined ? undefined : plainText('name', asked.name)
  const password =
    asked.password === undefined ? undefined : await nextPassword(visiting, user, asked.password, current)
  const changed = { ...(name !== undefined && { name }), ...(password !== undefined && { password }) }
  if (Object.keys(changed).length === 0) return
  const statement = store.build
    .updateTable('users')
    .set(changed)
    .where('id', '=', user.id)
    .where('password', user.password === null ? 'is' : '=', user.password)
  const others = store.build
    .deleteFrom('sessions')
    .where('user_id', '=', user.id)
    .where('hash', '!=', caller.sessionHash ?? '')
  const requested = { ...changed, ...(password !== undefined && { password: 'changed' }) }
  await store
    .write([
      { statement, expectChanges: 1 },
      ...(password === undefined ? [] : [others]),
      audited({ type: 'user.updated', subjectId: user.id, details: { changes_requested: requested } }, visiting),
    ])
    .catch(explained(async () => wrongCurrent()))
  keys.changed()
}

/**
 * Gives somebody of the organisation a new password, whatever they had, and ends all their sign-ins: for the operator of the machine, to
 * whom people come who have forgotten theirs.
 * @returns the password, this once. @throws Fault 404
 */
export async function renewPassword(visiting: Visiting, userId: string): Promise<string> {
  const { store, caller, signIn, keys, ids } = visiting
  await findUser(store, caller.organizationId, userId)
  const password = ids.make('password')
  const stored = await signIn.passwords.hash(password)
  const details = { changes_requested: { password: 'changed' } }
  await store.write([
    store.build.updateTable('users').set({ password: stored }).where('id', '=', userId),
    store.build.deleteFrom('sessions').where('user_id', '=', userId),
    audited({ type: 'user.updated', subjectId: userId, details }, visiting),
  ])
  keys.changed()
  return password
}

async function nextPassword(
  { signIn, from }: Visiting,
  user: UsersTable,
  password: string,
  current: string | undefined,
): Promise<string> {
  if (user.password === null) throw fault.passwordElsewhere()
  if (current === undefined) throw fault.missingParameter('current_password')
  checkPassword('password', password, user.email)
  const attempt = signIn.attempts.begin(user.email, from.ip)
  const { matches } = await signIn.passwords.verify(current, user.password)
  if (!matches) throw wrongCurrent()
  attempt.succeeded()
  return signIn.passwords.hash(password)
}

const wrongCurrent = () =>
  fault.invalidValue(
    'current_password',
    "Invalid 'current_password': this is not your password.",
    'invalid_credentials',
  )

const userOf = ({ store, caller }: Pick<Visiting, 'store' | 'caller'>): Promise<UsersTable> =>
  store.read
    .selectFrom('users')
    .selectAll()
    .where('id', '=', caller.userId ?? '')
    .executeTakeFirstOrThrow(fault.sessionOver)

const projectsOf = ({ store, caller }: Pick<Visiting, 'store' | 'caller'>) =>
  store.read
    .selectFrom('projects')
    .where('projects.organization_id', '=', caller.organizationId)
    .where('projects.archived_at', 'is', null)
    .orderBy('projects.created_at')
    .orderBy('projects.id')
    .select(['projects.id', 'projects.name'])
    .limit(projectsMax + 1)

const everyProject = async (visiting: Pick<Visiting, 'store' | 'caller'>): Promise<Account['projects']> =>
  (await projectsOf(visiting).execute()).map(project => ({ ...project, role: 'owner' }))

const ownProjects = (visiting: Pick<Visiting, 'store' | 'caller'>): Promise<Account['projects']> =>
  projectsOf(visiting)
    .innerJoin('project_members', 'project_members.project_id', 'projects.id')
    .select('project_members.role')
    .where('project_members.user_id', '=', visiting.caller.userId ?? '')
    .execute()
