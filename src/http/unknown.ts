import { type Fault, fault } from '../lib/faults.ts'
import type { Operation } from '../platform/operation.ts'
import { azurePaths } from './azure/paths.ts'

/** Why a URL leads nowhere: a wrong method, a common slip with the base URL, or simply nothing there. */
export function unknownRoute(method: string, url: string, operations: readonly Operation[]): Fault {
  const path = (url.split('?', 1)[0] ?? '/').slice(0, 200)
  const allowed = operations
    .filter(operation => pathsOf(operation).some(template => matches(template, path)))
    .map(operation => operation.method)
  if (allowed.length > 0) return fault.wrongMethod(method, path, [...new Set(allowed)].join(', '))
  return fault.unknownUrl(method, path, hint(path, operations))
}

/** Wherever clients look for an operation: OpenAI's path, older ones, Azure's. */
export const pathsOf = (operation: Operation): string[] => [
  operation.path,
  ...(operation.aliases ?? []),
  ...azurePaths(operation),
]

function hint(path: string, operations: readonly Operation[]): string {
  const known = (candidate: string) => operations.some(operation => matches(operation.path, candidate))
  if (path.startsWith('/v1/v1/') || path === '/v1/v1')
    return 'The path holds /v1 twice: the client adds /v1 itself, or the base URL does; keep one.'
  if (path.length > 1 && path.endsWith('/') && known(path.slice(0, -1))) return 'Remove the slash at the end.'
  if (!path.startsWith('/v1') && known(`/v1${path}`))
    return `The base URL ends in /v1 here: perhaps you meant /v1${path}.`
  if (path.includes('//') && known(path.replaceAll(/\/{2,}/g, '/')))
    return 'The path holds two slashes in a row: check the base URL.'
  if (/^\/v1\/models\/[^/]+\/./.test(path)) return "Write a slash in a model's name as %2F."
  return ''
}

function matches(template: string, path: string): boolean {
  const steps = template.split('/')
  const given = path.split('/')
  return (
    steps.length === given.length &&
    steps.every((step, index) => (step.startsWith('{') ? given[index] !== '' : step === given[index]))
  )
}
