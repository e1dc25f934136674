import type { Route } from '../engines/engine.ts'

/** What a reply's headers say of the way its request went. Nothing where there was nothing to choose. */
export function routeHeaders({ attempts, upstream }: Route): Record<string, string> {
  if (attempts === 0 || upstream === undefined) return {}
  // A name of the settings may hold anything.
  return { 'x-parlance-upstream': encodeURIComponent(upstream), 'x-parlance-attempts': String(attempts) }
}
