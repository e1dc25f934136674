import { administrative } from '../../platform/access.ts'
import type { Operation } from '../../platform/operation.ts'

/** Scopes of what Azure's clients have nothing to do with: signing in, and the administration of this server. */
const foreign: ReadonlySet<string> = new Set(['anyone', 'person', 'operator', 'usage.read', ...administrative])
/** Ours alone, and OpenAI's from before Azure had it. */
const unknownToAzure = /^\/v1\/(?:parlance|engines)(?:\/|$)/
const deployments = '/openai/deployments/'

/**
 * Where Azure's clients look for an operation, after one rule for all (wire.md section 10): `/openai/X` and `/openai/v1/X`, and for
 * what asks a model `/openai/deployments/{deployment}/X` as well. In our form, with parameters in braces.
 */
export function azurePaths({ path, scope, bills }: Operation): string[] {
  if (foreign.has(scope) || unknownToAzure.test(path)) return []
  const rest = path.slice('/v1/'.length)
  const stateful = [`/openai/${rest}`, `/openai/v1/${rest}`]
  return bills === 'nothing' || rest.includes('{') ? stateful : [...stateful, `${deployments}{deployment}/${rest}`]
}

/** Whether whoever asks for this, as `azureUrl` has left it, expects Azure's forms. */
export const isAzure = (url: string): boolean => url.startsWith('/openai/')

/**
 * The URL without what Azure's clients add that makes no difference here: whatever their endpoint has before
 * `/openai/deployments/`, and the `api-version`. Other URLs are left as they are.
 */
export function azureUrl(url: string): string {
  if (!url.includes('/openai/')) return url
  const [path = '', query] = split(url)
  const own = path.slice(Math.max(0, path.lastIndexOf(deployments)))
  if (!isAzure(own)) return url
  const pairs = query?.split('&').filter(pair => !/^api-version(?:=|$)/i.test(pair)) ?? []
  return pairs.length === 0 ? own : `${own}?${pairs.join('&')}`
}

function split(url: string): [path: string, query?: string] {
  const at = url.indexOf('?')
  return at === -1 ? [url] : [url.slice(0, at), url.slice(at + 1)]
}
