import { fault } from '../../lib/faults.ts'
import { ConstraintFailed, type Statement } from '../../store/store.ts'
import { type Actor, audited } from '../audit.ts'
import { type Acting, explained, plainText } from './acting.ts'
import { hashOf, type InviteRow, inviteColumns, inviteOf } from './invites.ts'

/** Who accepts: somebody new, or somebody who is signed in. */
export type Accepting =
  | {
      name: string
      /** As `users.password` holds it, never the password itself; null for somebody who signs in elsewhere. */
      password: string | null
      /** As `users.identity` holds it: whom a provider of identities has vouched for. */
      identity?: string | null
    }
  | { userId: string }

/** An invite that can be accepted, by its secret. @throws Fault 400 `invalid_invite` */
export async function openInvite(
  { store, clock }: Pick<Acting, 'store' | 'clock'>,
  secret: string,
): Promise<InviteRow> {
  const found = await store.read
    .selectFrom('invites')
    .select(inviteColumns)
    .where('hash', '=', hashOf(secret))
    .where('accepted_at', 'is', null)
    .where('expires_at', '>', clock.now())
    .executeTakeFirst()
  if (found === undefined) throw fault.inviteInvalid()
  return inviteOf(found)
}

/**
 * Turns an invite into a membership of the organisation and of the projects in it that are still open.
 *
 * The secret alone makes a new account. It gives no rights over one that is there, whoever has the address: an inviter knows the secret
 * too. So the holder of an account accepts signed in, under the address that was invited.
 * @returns who is in the organisation now
 * @throws Fault 400 `invalid_invite`, `account_exists`, `invite_of_another`, `already_member`, or for a name that is none
 */
export async function acceptInvite(
  acting: Omit<Acting, 'caller'>,
  secret: string,
  who: Accepting,
): Promise<{ userId: string; organizationId: string }> {
  return acceptOpenInvite(acting, await openInvite(acting, secret), who)
}

/** The oldest invite of an address that can be accepted; for somebody whom a provider of identities has vouched for. */
export async function pendingInvite(
  { store, clock }: Pick<Acting, 'store' | 'clock'>,
  email: string,
): Promise<InviteRow | undefined> {
  const found = await store.read
    .selectFrom('invites')
    .select(inviteColumns)
    .where('email', '=', email)
    .where('accepted_at', 'is', null)
    .where('expires_at', '>', clock.now())
    .orderBy('created_at')
    .orderBy('id')
    .executeTakeFirst()
  return found === undefined ? undefined : inviteOf(found)
}

/** As `acceptInvite`, without the secret. */
export async function acceptOpenInvite(
  acting: Omit<Acting, 'caller'>,
  invite: InviteRow,
  who: Accepting,
): Promise<{ userId: string; organizationId: string }> {
  const { store, clock, ids, keys } = acting
  const { organization_id: organizationId, email, role } = invite
  const account = await store.read.selectFrom('users').select('id').where('email', '=', email).executeTakeFirst()
  const isNew = !('userId' in who)
  if (isNew && account !== undefined) throw fault.accountExists()
  if (!isNew && account?.id !== who.userId) throw fault.inviteOfAnother()
  const userId = isNew ? ids.make('user') : who.userId
  const created_at = clock.now()
  const accept = store.build
    .updateTable('invites')
    .set({ accepted_at: created_at, user_id: userId })
    .where('id', '=', invite.id)
    .where('accepted_at', 'is', null)
    .where('expires_at', '>', created_at)
  const statements: Statement[] = [{ statement: accept, expectChanges: 1 }]
  if (isNew) {
    const { password, identity = null } = who
    const row = { id: userId, email, name: plainText('name', who.name), password, identity, created_at }
    statements.push(store.build.insertInto('users').values({ ...row, disabled_at: null }))
  }
  const member = { organization_id: organizationId, user_id: userId, role, created_at }
  statements.push(store.build.insertInto('members').values(member), ...joining(acting, invite, userId))
  const actor: Actor = { kind: 'session', keyId: '', userId, organizationId }
  const audit = { ...acting, caller: actor }
  await store
    .write([
      ...statements,
      audited({ type: 'invite.accepted', subjectId: invite.id }, audit),
      audited({ type: 'user.added', subjectId: userId, details: { data: { role } } }, audit),
    ])
    .catch(explained(async () => fault.inviteInvalid()))
    .catch((error: unknown) => {
      if (!(error instanceof ConstraintFailed)) throw error
      throw isNew ? fault.accountExists() : fault.alreadyMember('token', 'organization')
    })
  keys.changed()
  return { userId, organizationId }
}

/** Into each project of the invite, unless it was archived since. */
const joining = ({ store, clock }: Omit<Acting, 'caller'>, invite: InviteRow, userId: string): Statement[] =>
  invite.projects.map(({ id, role }) =>
    store.build
      .insertInto('project_members')
      .columns(['project_id', 'organization_id', 'user_id', 'role', 'created_at'])
      .expression(({ selectFrom, val }) =>
        selectFrom('projects')
          .select([
            'projects.id',
            'projects.organization_id',
            val(userId).as('user_id'),
            val(role).as('role'),
            val(clock.now()).as('created_at'),
          ])
          .where('projects.id', '=', id)
          .where('projects.organization_id', '=', invite.organization_id)
          .where('projects.archived_at', 'is', null),
      ),
  )
