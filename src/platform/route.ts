import type { Route } from '../engines/engine.ts'

/** What a reply's headers say of the way its request went. Nothing where no upstream was asked. */
export function routeHeaders({ tried }: Route): Record<string, string> {
  const last = tried.at(-1)
  if (last === undefined) return {}
  // A name of the settings may hold anything.
  return { 'x-parlance-upstream': encodeURIComponent(last.upstream), 'x-parlance-attempts': String(tried.length) }
}

/** The same for a line of the log: each attempt with what came of it. */
export const attemptsIn = ({ tried }: Route): Record<string, string | number | undefined>[] =>
  tried.map(one => ({ ...one }))
