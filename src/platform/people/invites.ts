import { createHash } from 'node:crypto'
import { fault } from '../../lib/faults.ts'
import type { InvitesTable, OrganizationRole, ProjectRole } from '../../store/schema/accounts.ts'
import type { Store } from '../../store/store.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import { type Acting, checkId, commit, emailOf, holdProject, missing } from './acting.ts'
import { defaultProject, findLiveProject } from './projects.ts'

/** An invite as lists show it: never the secret. */
export type InviteRow = Omit<InvitesTable, 'hash' | 'projects'> & { projects: readonly InvitedTo[] }

/** A project that whoever accepts comes into. */
export interface InvitedTo {
  id: string
  role: ProjectRole
}

const dayMs = 86_400_000
/** How long an invite can be accepted. */
export const inviteLifeMs = 7 * dayMs

/** The oldest first. @throws Fault 400 for a cursor that is not in the list */
export async function listInvites(store: Store, organizationId: string, asked: PageAsked): Promise<Page<InviteRow>> {
  const query = invitesOf(store, organizationId)
  const { rows, hasMore } = await readPage(query, asked, { table: 'invites', order: 'asc', limit: 20 })
  return { rows: rows.map(inviteOf), hasMore }
}

/** @throws Fault 404 */
export async function findInvite(store: Store, organizationId: string, id: string): Promise<InviteRow> {
  checkId('invite', id)
  const found = await invitesOf(store, organizationId).where('id', '=', id).executeTakeFirst()
  if (found === undefined) throw missing('invite', id)
  return inviteOf(found)
}

/**
 * Invites an address into the organisation. Nothing is sent: the secret is for whoever invites to pass on, and is shown this once.
 * @param asked without `projects`: into the default project as a member
 * @throws Fault 404 for a project that is not of the organisation; 400 for an address that is none, or of a member or a pending
 * invite, and `project_archived`
 */
export async function createInvite(
  acting: Acting,
  asked: { email: string; role: OrganizationRole; projects?: readonly InvitedTo[] },
): Promise<{ invite: InviteRow; secret: string }> {
  const { store, caller, clock, ids } = acting
  const { organizationId } = caller
  const email = emailOf('email', asked.email)
  const projects = await invitedTo(acting, asked.projects)
  await checkNew(acting, email)
  const created_at = clock.now()
  const invite: InviteRow = {
    id: ids.make('invite'),
    organization_id: organizationId,
    email,
    role: asked.role,
    projects,
    created_at,
    expires_at: created_at + inviteLifeMs,
    accepted_at: null,
    user_id: null,
  }
  const secret = ids.make('inviteSecret')
  const row: InvitesTable = { ...invite, projects: JSON.stringify(projects), hash: hashOf(secret) }
  await commit(
    acting,
    [
      ...projects.map(({ id }) => holdProject(store, organizationId, id)),
      store.build.insertInto('invites').values(row),
    ],
    [{ type: 'invite.sent', subjectId: invite.id, details: { data: { email, role: asked.role } } }],
    async () => {
      await invitedTo(acting, projects) // says which of the projects is gone or archived by now
      return missing('project', projects[0]?.id ?? '')
    },
  )
  return { invite, secret }
}

/** @throws Fault 404; 400 `invite_accepted` */
export async function removeInvite(acting: Acting, id: string): Promise<void> {
  const { store, caller } = acting
  const invite = await findInvite(store, caller.organizationId, id)
  if (invite.accepted_at !== null) throw fault.inviteAccepted()
  const statement = store.build
    .deleteFrom('invites')
    .where('id', '=', id)
    .where('organization_id', '=', caller.organizationId)
    .where('accepted_at', 'is', null)
  await commit(acting, [{ statement, expectChanges: 1 }], [{ type: 'invite.deleted', subjectId: id }], async () =>
    missing('invite', id),
  )
}

export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** A stored row as the rest of the product sees it. */
export const inviteOf = ({ projects, ...row }: Omit<InvitesTable, 'hash'>): InviteRow => ({
  ...row,
  projects: JSON.parse(projects) as InvitedTo[],
})

export const inviteColumns = [
  ...(['id', 'organization_id', 'email', 'role', 'projects', 'created_at'] as const),
  ...(['expires_at', 'accepted_at', 'user_id'] as const),
]

const invitesOf = (store: Store, organizationId: string) =>
  store.read.selectFrom('invites').select(inviteColumns).where('organization_id', '=', organizationId)

async function invitedTo({ store, caller }: Acting, asked?: readonly InvitedTo[]): Promise<readonly InvitedTo[]> {
  const { organizationId } = caller
  if (asked === undefined) return [{ id: (await defaultProject(store, organizationId)).id, role: 'member' }]
  for (const { id } of asked) await findLiveProject(store, organizationId, id)
  return [...new Map(asked.map(({ id, role }) => [id, { id, role }])).values()] // of two for one project the last counts
}

/** @throws Fault 400 for somebody who is there, or is invited already */
async function checkNew({ store, caller, clock }: Acting, email: string): Promise<void> {
  const member = await store.read
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select('users.id')
    .where('members.organization_id', '=', caller.organizationId)
    .where('users.email', '=', email)
    .executeTakeFirst()
  if (member !== undefined) throw fault.alreadyMember('email', 'organization')
  const pending = await invitesOf(store, caller.organizationId)
    .where('email', '=', email)
    .where('accepted_at', 'is', null)
    .where('expires_at', '>', clock.now())
    .executeTakeFirst()
  if (pending !== undefined) throw fault.alreadyInvited(pending.id)
}
