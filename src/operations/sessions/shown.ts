import type { Context, Reply } from '../../platform/operation.ts'
import { type Account, accountOf } from '../../platform/sign-in/account.ts'
import { csrfHeader, sessionCookie, setCookie } from '../../platform/sign-in/cookies.ts'
import { sessionId, sessionLifeMs } from '../../platform/sign-in/sessions.ts'
import type { SignedIn } from '../../platform/sign-in/signing-in.ts'
import type { SessionsTable } from '../../store/schema/accounts.ts'
import { unixSeconds } from '../../wire/organization/common.ts'
import type { CurrentSession, Session } from '../../wire/sessions.ts'

/** Nothing between a browser and this server keeps what belongs to one person. */
export const unkept = ['cache-control', 'no-store'] as const

/** Whoever has just signed in, with their cookie. */
export async function signedIn(context: Context, { secret, caller }: SignedIn): Promise<Reply> {
  const value = current({ ...context, caller }, await accountOf({ ...context, caller }))
  return { kind: 'json', value, headers: [...unkept, ...cookie(context, secret)] }
}

/** The cookie of a sign-in; null: of none any more. */
export const cookie = ({ visit }: Pick<Context, 'visit'>, secret: string | null) =>
  setCookie({ name: sessionCookie, sameSite: 'Strict', path: '/' }, secret, {
    secure: visit?.origin.startsWith('https:') ?? false,
    lifeMs: sessionLifeMs,
  })

export function current({ caller }: Pick<Context, 'caller'>, account: Account): CurrentSession {
  const { session, user, organizations, projects, moreProjects } = account
  return {
    ...shown(session, caller.sessionHash),
    user: {
      object: 'parlance.user',
      id: user.id,
      email: user.email,
      name: user.name,
      has_password: user.password !== null,
      created_at: unixSeconds(user.created_at),
    },
    organization_id: caller.organizationId,
    organizations,
    project_id: caller.projectId === '' ? null : caller.projectId,
    projects,
    more_projects: moreProjects,
    csrf_header: csrfHeader,
  }
}

export const shown = (session: SessionsTable, currentHash: string | undefined): Session => ({
  object: 'parlance.session',
  id: sessionId(session.hash),
  created_at: unixSeconds(session.created_at),
  expires_at: unixSeconds(session.expires_at),
  ip_address: session.ip,
  user_agent: session.user_agent,
  current: session.hash === currentHash,
})
