import type { Dispatcher } from 'undici'
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/random.ts'
import type { Joining } from './people.ts'
import { makeProvider, type Provider, type ProviderSettings } from './provider.ts'
import { makeTrips, type Trips } from './trips.ts'

/** Signing in through a provider of identities. */
export interface Oidc {
  readonly provider: Provider
  readonly trips: Trips
  readonly joining: Joining
}

export type OidcSettings = ProviderSettings & Joining

export function makeOidc(
  settings: OidcSettings,
  services: { clock: Clock; random: Random; dispatcher: Dispatcher },
): Oidc {
  return { provider: makeProvider(settings, services), trips: makeTrips(services), joining: settings }
}
