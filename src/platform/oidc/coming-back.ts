import { Fault, fault } from '../../lib/faults.ts'
import { describe } from '../../lib/log.ts'
import type { Context } from '../operation.ts'
import { type CookieKind, readCookie, setCookie } from '../sign-in/cookies.ts'
import { recordFailure, type SignedIn } from '../sign-in/signing-in.ts'
import { signInAs } from './people.ts'
import { tripLifeMs } from './trips.ts'

/** Where the browser comes back to; the provider must know it. */
const callbackPath = '/v1/parlance/oidc/callback'
/** `Lax`, because it is the provider's page that leads back. */
const tripCookie: CookieKind = { name: 'parlance_oidc', sameSite: 'Lax', path: '/v1/parlance/oidc' }

/** @returns where the browser goes, with what it must bring back. @throws Fault 404 `oidc_not_configured`; 503 `oidc_unavailable` */
export async function sendOut({ signIn, visit }: Context): Promise<{ location: string; cookie: readonly string[] }> {
  const { oidc } = signIn
  if (oidc === undefined || visit === undefined) throw fault.oidcOff()
  const { trip, challenge, cookie } = oidc.trips.begin(visit.origin + callbackPath)
  const location = await oidc.provider.authorizeAt(trip, challenge)
  return { location, cookie: setCookie(tripCookie, cookie, { secure: isSecure(visit.origin), lifeMs: tripLifeMs }) }
}

/**
 * @returns whoever the provider says it is, and the end of what the browser brought back
 * @throws Fault 400 `oidc_failed`; 403 `sign_in_refused`, `no_organization`; 404; 429; 503
 */
export async function comeBack(context: Context): Promise<SignedIn & { cookie: readonly string[] }> {
  const { signIn, visit, from, log } = context
  const { oidc } = signIn
  if (oidc === undefined || visit === undefined) throw fault.oidcOff()
  const parameters = new URLSearchParams(visit.url.split('?').slice(1).join('?'))
  const trip = oidc.trips.end(readCookie(visit.cookies, tripCookie.name), parameters.get('state'))
  if (trip === undefined)
    throw fault.oidcFailed('it was not begun in this browser within the last ten minutes, or is over')
  const attempt = signIn.attempts.begin(null, from.ip)
  const identity = await oidc.provider.redeem(parameters, trip).catch(async (error: unknown) => {
    log.warn('oidc.failed', { requestId: from.requestId, cause: describe(error) })
    const details = { error_code: error instanceof Fault ? error.code : 'oidc_failed' }
    await recordFailure(context, { subjectId: 'unknown', organizationId: undefined, details })
    throw error
  })
  const signedIn = await signInAs(context, identity, oidc.joining)
  attempt.succeeded()
  return { ...signedIn, cookie: setCookie(tripCookie, null, { secure: isSecure(visit.origin), lifeMs: 0 }) }
}

const isSecure = (origin: string): boolean => origin.startsWith('https:')
