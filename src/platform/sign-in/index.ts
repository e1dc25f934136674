import type { Clock } from '../../lib/clock.ts'
import { lines, type Proxies } from '../../lib/connections/index.ts'
import type { Ids } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import type { Store } from '../../store/store.ts'
import { makeOidc, type Oidc, type OidcSettings } from '../oidc/index.ts'
import { type Cost, makePasswords, type Passwords } from '../passwords.ts'
import { type Attempts, makeAttempts } from './attempts.ts'
import { makeSessions, type Sessions } from './sessions.ts'
import { makeSetup, type Setup } from './setup.ts'

/** To the provider of identities. */
const connectionsMax = 4

/** Everything by which people come in. */
export interface SignIn {
  readonly sessions: Sessions
  readonly passwords: Passwords
  readonly attempts: Attempts
  readonly setup: Setup
  /** Where it is configured. */
  readonly oidc: Oidc | undefined
  close(): Promise<void>
}

export interface SignInServices {
  store: Store
  clock: Clock
  ids: Ids
  random: Random
  log: Log
}

export interface SignInOptions {
  oidc?: OidcSettings
  /** On the way to its provider. */
  proxies?: Proxies
  /** Of a password, for tests that have no time. */
  cost?: Cost
}

export function makeSignIn(services: SignInServices, { cost, oidc, proxies = {} }: SignInOptions = {}): SignIn {
  const { random, clock } = services
  const dispatcher = oidc === undefined ? undefined : lines(proxies, { connections: connectionsMax })
  const sessions = makeSessions(services)
  return {
    sessions,
    passwords: makePasswords({ random, ...(cost !== undefined && { cost }) }),
    attempts: makeAttempts({ clock }),
    setup: makeSetup(services),
    oidc: oidc === undefined || dispatcher === undefined ? undefined : makeOidc(oidc, { ...services, dispatcher }),
    async close() {
      sessions.close()
      await dispatcher?.close()
    },
  }
}
