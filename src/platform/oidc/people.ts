import { Fault, fault } from '../../lib/faults.ts'
import type { Log } from '../../lib/log.ts'
import type { OrganizationRole, UsersTable } from '../../store/schema/accounts.ts'
import { ConstraintFailed, type Statement } from '../../store/store.ts'
import { type Actor, audited, type Change } from '../audit.ts'
import { ensureHome } from '../home.ts'
import { acceptOpenInvite, pendingInvite } from '../people/accepting.ts'
import { emailOf } from '../people/acting.ts'
import { defaultProject } from '../people/projects.ts'
import { begin, firstOrganization, recordFailure, type SignedIn, type Visiting } from '../sign-in/signing-in.ts'
import type { Identity } from './provider.ts'

/** Who may come in through a provider without having been invited, and as what. */
export interface Joining {
  allowedDomains: readonly string[]
  /** A name or an id; undefined: the first organisation. */
  organization: string | undefined
  role: OrganizationRole
}

type Accepting = Visiting & { log: Log }

/**
 * Signs in whom a provider vouches for: whoever has this identity; or has its e-mail address, which from then on has this identity; or
 * was invited under it; or has one of a domain whose people may come. For all but the first the provider must have verified the address.
 * @throws Fault 403 `sign_in_refused`, `no_organization`
 */
export async function signInAs(visiting: Accepting, identity: Identity, joining: Joining): Promise<SignedIn> {
  const known = await userWhere(visiting, 'identity', identity.id)
  if (known !== undefined) return enter(visiting, known)
  const email = addressOf(identity)
  if (email === undefined) throw await refused(visiting, 'the provider has not verified the e-mail address')
  const account = await userWhere(visiting, 'email', email)
  if (account !== undefined) return link(visiting, account, identity)
  const name = identity.name?.replaceAll(/\p{Cc}/gu, ' ').trim() || email
  try {
    const invite = await pendingInvite(visiting, email)
    if (invite !== undefined) {
      const who = { name, password: null, identity: identity.id }
      return await begin(visiting, await acceptOpenInvite(visiting, invite, who))
    }
    if (joining.allowedDomains.includes(email.slice(email.lastIndexOf('@') + 1)))
      return await join(visiting, { email, name, identity: identity.id }, joining)
  } catch (error) {
    if (!(error instanceof ConstraintFailed)) throw error
    throw fault.oidcFailed('somebody with this address came in at the same moment', error)
  }
  throw await refused(visiting, 'there is no account, no invite, and the domain is not allowed')
}

async function enter(visiting: Accepting, user: UsersTable, linking: readonly Statement[] = []): Promise<SignedIn> {
  if (user.disabled_at !== null) throw await refused(visiting, 'the account is disabled', user.id)
  const organizationId = await firstOrganization(visiting, user.id)
  if (organizationId === undefined) throw fault.noOrganization()
  const changes: Change[] =
    linking.length === 0
      ? []
      : [{ type: 'user.updated', subjectId: user.id, details: { changes_requested: { identity: 'linked' } } }]
  const stale = () => fault.identityRefused(refusal)
  return begin(visiting, { userId: user.id, organizationId }, { before: linking, changes, stale })
}

/** An account has one identity: a second one with the same address may be somebody else, to whom the address went on. */
async function link(visiting: Accepting, user: UsersTable, { id }: Identity): Promise<SignedIn> {
  if (user.identity !== null) throw await refused(visiting, 'the account has another identity', user.id)
  const statement = visiting.store.build
    .updateTable('users')
    .set({ identity: id })
    .where('id', '=', user.id)
    .where('identity', 'is', null)
  return enter(visiting, user, [{ statement, expectChanges: 1 }])
}

/** Makes an account, a member of the organisation and of its default project. */
async function join(
  visiting: Accepting,
  who: { email: string; name: string; identity: string },
  { organization, role }: Joining,
): Promise<SignedIn> {
  const { store, clock, ids } = visiting
  const organizationId = await organizationNamed(visiting, organization)
  if (organizationId === undefined) {
    visiting.log.error('oidc.no_organization', { organization: organization ?? null })
    throw await refused(visiting, 'there is no organization of the name in the settings')
  }
  const { id: project_id } = await defaultProject(store, organizationId)
  const userId = ids.make('user')
  const created_at = clock.now()
  const member = { organization_id: organizationId, user_id: userId, created_at }
  const actor: Actor = { kind: 'session', keyId: 'session', userId, organizationId }
  await store.write([
    store.build.insertInto('users').values({ id: userId, ...who, password: null, created_at, disabled_at: null }),
    store.build.insertInto('members').values({ ...member, role }),
    store.build.insertInto('project_members').values({ ...member, project_id, role: 'member' }),
    audited({ type: 'user.added', subjectId: userId, details: { data: { role } } }, { ...visiting, caller: actor }),
  ])
  return begin(visiting, { userId, organizationId })
}

const refusal = 'Nobody with this identity may sign in here. Ask an owner of your organization for an invite.'

/** @param reason for the audit log; whoever is refused is not told */
async function refused(visiting: Accepting, reason: string, userId?: string): Promise<Fault> {
  const organizationId = userId === undefined ? undefined : await firstOrganization(visiting, userId)
  const details = { error_code: 'sign_in_refused', error_message: reason }
  await recordFailure(visiting, { subjectId: userId ?? 'unknown', organizationId, details })
  return fault.identityRefused(refusal)
}

function addressOf({ email, emailVerified }: Identity): string | undefined {
  if (email === undefined || !emailVerified || email.length > 320) return undefined
  try {
    return emailOf('email', email)
  } catch (error) {
    if (error instanceof Fault) return undefined // no address at all: as good as none
    throw error
  }
}

const userWhere = ({ store }: Visiting, column: 'identity' | 'email', value: string): Promise<UsersTable | undefined> =>
  store.read.selectFrom('users').selectAll().where(column, '=', value).executeTakeFirst()

async function organizationNamed(visiting: Visiting, name: string | undefined): Promise<string | undefined> {
  if (name === undefined) return (await ensureHome(visiting)).organizationId
  const found = await visiting.store.read
    .selectFrom('organizations')
    .select('id')
    .where(eb => eb.or([eb('id', '=', name), eb('name', '=', name)]))
    .executeTakeFirst()
  return found?.id
}
