import { Fault, fault } from '../../lib/faults.ts'
import { ConstraintFailed, type Statement } from '../../store/store.ts'
import type { Caller } from '../access.ts'
import { type Actor, audited, type Change } from '../audit.ts'
import { ensureHome } from '../home.ts'
import type { Context } from '../operation.ts'
import { checkPassword } from '../passwords.ts'
import { acceptInvite, openInvite } from '../people/accepting.ts'
import { emailOf, explained, missing, plainText } from '../people/acting.ts'
import { type Beginning, beginSession, sessionId, sessionsOf } from './sessions.ts'
import { owners } from './setup.ts'

/** What signing in and out needs of the context of a request. */
export type Visiting = Pick<Context, 'caller' | 'from' | 'store' | 'keys' | 'clock' | 'ids' | 'signIn'>

/** Somebody who has just signed in. */
export interface SignedIn {
  /** For the cookie. */
  secret: string
  caller: Caller
}

/**
 * @throws Fault 401 `invalid_credentials`, in the same words and after the same work whether the address, the password or the account is
 * at fault; 429 for whoever tries too often; 403 `no_organization`
 */
export async function signInWithPassword(
  visiting: Visiting,
  { email, password }: { email: string; password: string },
): Promise<SignedIn> {
  const { store, from, signIn } = visiting
  const address = emailOf('email', email)
  const attempt = signIn.attempts.begin(address, from.ip)
  const user = await store.read
    .selectFrom('users')
    .select(['id', 'password'])
    .where('email', '=', address)
    .where('disabled_at', 'is', null)
    .executeTakeFirst()
  const { matches, outdated } = await signIn.passwords.verify(password, user?.password ?? null)
  const organizationId = user === undefined ? undefined : await firstOrganization(visiting, user.id)
  if (!matches || user === undefined || user.password === null) {
    await recordFailure(visiting, { subjectId: user?.id ?? 'unknown', organizationId })
    throw fault.wrongPassword()
  }
  attempt.succeeded()
  if (organizationId === undefined) throw fault.noOrganization()
  const beginning = { userId: user.id, organizationId, password: user.password }
  const after = outdated ? await renewed(visiting, beginning, password) : []
  return begin(visiting, beginning, { after, stale: fault.wrongPassword })
}

/**
 * Makes the first owner a person with an address and a password.
 * @throws Fault 400 `invalid_setup_token`, `weak_password`, `name_taken`, or for a name or an address that is none
 */
export async function setUpOwner(
  visiting: Visiting,
  asked: { token: string; email: string; name: string; password: string },
): Promise<SignedIn> {
  const { store, signIn } = visiting
  if (!signIn.setup.accepts(asked.token)) throw fault.setupInvalid()
  const email = emailOf('email', asked.email)
  const name = plainText('name', asked.name)
  checkPassword('password', asked.password, email)
  const password = await signIn.passwords.hash(asked.password)
  const { userId, organizationId } = await ensureHome(visiting)
  const statement = store.build
    .updateTable('users')
    .set({ email, name, password })
    .where('id', '=', userId)
    .where(({ exists, not }) => not(exists(owners(store.build, organizationId))))
  const requested = { email, name, password: 'changed' }
  const signedIn = await begin(
    visiting,
    { userId, organizationId, password },
    {
      before: [{ statement, expectChanges: 1 }],
      changes: [{ type: 'user.updated', subjectId: userId, details: { changes_requested: requested } }],
      stale: fault.setupInvalid,
    },
  ).catch((error: unknown) => {
    throw error instanceof ConstraintFailed ? fault.nameTaken('email', email) : error
  })
  signIn.setup.close()
  return signedIn
}

/**
 * Accepts an invite: somebody new with a name and a password, or whoever is signed in with neither.
 * @throws Fault 400 as `acceptInvite` does, for a missing name or password, and for one that is not wanted
 */
export async function acceptAndSignIn(
  visiting: Visiting,
  { token, name, password }: { token: string; name?: string; password?: string },
): Promise<SignedIn> {
  const { caller, signIn } = visiting
  if (caller.kind === 'session' && caller.userId !== null) {
    for (const [param, value] of Object.entries({ name, password }))
      if (value !== undefined)
        throw fault.invalidValue(
          param,
          `You are signed in, and accept the invite as who you are: leave out '${param}'.`,
        )
    return begin(visiting, await acceptInvite(visiting, token, { userId: caller.userId }))
  }
  const { email } = await openInvite(visiting, token)
  if (name === undefined) throw fault.missingParameter('name')
  if (password === undefined) throw fault.missingParameter('password')
  checkPassword('password', password, email)
  const stored = await signIn.passwords.hash(password)
  return begin(visiting, await acceptInvite(visiting, token, { name, password: stored }))
}

/** Ends the sign-in that asks. */
export const signOut = (visiting: Visiting): Promise<void> => endHash(visiting, visiting.caller.sessionHash ?? '')

/** Ends one of one's own sign-ins. @throws Fault 404 */
export async function endSession(visiting: Visiting, id: string): Promise<void> {
  const { store, caller, clock } = visiting
  const own = await sessionsOf(store, caller.userId ?? '', clock.now())
  const found = own.find(({ hash }) => sessionId(hash) === id)
  if (found === undefined) throw missing('session', id)
  await endHash(visiting, found.hash)
}

async function endHash(visiting: Visiting, hash: string): Promise<void> {
  const { store, signIn } = visiting
  await store.write([
    store.build.deleteFrom('sessions').where('hash', '=', hash),
    audited({ type: 'logout.succeeded', subjectId: sessionId(hash) }, visiting),
  ])
  signIn.sessions.changed()
}

interface Around {
  /** Written before the sign-in begins, and after it. */
  before?: readonly Statement[]
  after?: readonly Statement[]
  changes?: readonly Change[]
  /** What it means that an expectation was missed. */
  stale?(): Fault
}

/** Begins a sign-in, in place of the one that asks. */
export async function begin(visiting: Visiting, beginning: Beginning, around: Around = {}): Promise<SignedIn> {
  const { store, caller, from, clock, ids, signIn } = visiting
  const { before = [], after = [], changes = [], stale = fault.wrongPassword } = around
  const { userId, organizationId } = beginning
  const secret = ids.make('session')
  const actor: Actor = { kind: 'session', keyId: 'session', userId, organizationId }
  const replaced = store.build.deleteFrom('sessions').where('hash', '=', caller.sessionHash ?? '')
  const all: Change[] = [...changes, { type: 'login.succeeded', subjectId: userId }]
  await store
    .write([
      ...before,
      ...beginSession(store, secret, beginning, { from, nowMs: clock.now() }),
      ...after,
      replaced,
      ...all.map(change => audited(change, { ...visiting, caller: actor })),
    ])
    .catch(explained(async () => stale()))
  signIn.sessions.changed()
  return { secret, caller: await signIn.sessions.find(secret) }
}

/** Where somebody came in first. */
export async function firstOrganization(
  { store }: Pick<Visiting, 'store'>,
  userId: string,
): Promise<string | undefined> {
  const found = await store.read
    .selectFrom('members')
    .select('organization_id')
    .where('user_id', '=', userId)
    .orderBy('created_at')
    .orderBy('organization_id')
    .executeTakeFirst()
  return found?.organization_id
}

/**
 * Writes down that somebody did not get in, without waiting: the time that it takes would tell who has an account. Where there is no
 * organisation whose log it belongs into, it is the first one's.
 */
export async function recordFailure(
  visiting: Visiting,
  { subjectId, organizationId, details }: { subjectId: string; organizationId: string | undefined; details?: object },
): Promise<void> {
  const { store } = visiting
  const place = organizationId ?? (await ensureHome(visiting)).organizationId
  const actor: Actor = { kind: 'nobody', keyId: '', userId: null, organizationId: place }
  const change = { type: 'login.failed', subjectId, details: { error_code: 'invalid_credentials', ...details } }
  await store.writeSoon(audited(change, { ...visiting, caller: actor }))
}

/** The same password at today's cost; nothing while too many sign in, for then the next time will do. */
async function renewed(
  { store, signIn }: Visiting,
  { userId, password: old }: { userId: string; password: string },
  password: string,
): Promise<Statement[]> {
  try {
    const stored = await signIn.passwords.hash(password)
    const users = store.build.updateTable('users').set({ password: stored })
    return [users.where('id', '=', userId).where('password', '=', old)]
  } catch (error) {
    if (error instanceof Fault) return []
    throw error
  }
}
