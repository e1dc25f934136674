import { routeProblem } from '../../engines/routed/settings.ts'
import { fault } from '../../lib/faults.ts'
import { usdProblem } from '../prices/usd.ts'
import type { Upstreams } from '../upstreams/index.ts'
import { checkSettings } from '../vault/checks.ts'
import { type RouteConfig, RoutedModel, UpstreamModel } from './settings.ts'

/** Which of the two forms it is. */
export const schemaOf = (settings: object) => ('targets' in settings ? RoutedModel : UpstreamModel)

export const upstreamsOf = (settings: RouteConfig): string[] =>
  'targets' in settings ? [...new Set(settings.targets.map(({ upstream }) => upstream))] : [settings.upstream]

/**
 * @returns the settings, which can be used
 * @throws Fault 400 for what cannot be: neither or both of `upstream` and `targets`, an unknown upstream, no price …
 */
export function checkedRoute(settings: Readonly<Record<string, unknown>>, upstreams: Upstreams): RouteConfig {
  if (settings.targets === undefined && settings.upstream === undefined) throw fault.missingParameter('upstream')
  if (settings.targets !== undefined && settings.upstream !== undefined)
    throw fault.invalidValue('upstream', "Invalid 'upstream': a route has either `upstream` or `targets`.")
  const route = fitting(settings)
  for (const [place, name] of namedBy(route)) if (upstreams.find(name) === undefined) throw unknown(place, name)
  if (route.price !== undefined) {
    const problem = usdProblem(route.price)
    if (problem !== undefined) throw fault.invalidValue('price', `Invalid 'price': it ${problem}.`)
  }
  if (!('targets' in route)) return route
  const problem = routeProblem(route, Object.fromEntries(upstreams.list().map(({ name }) => [name, true])))
  if (problem === undefined) return route
  const param = problem.path
    .map(step => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`))
    .join('')
    .slice(1)
  throw fault.invalidValue(param, `Invalid '${param}': \`${param}\` ${problem.message}.`)
}

function fitting(settings: Readonly<Record<string, unknown>>): RouteConfig {
  if ('targets' in settings) {
    checkSettings(RoutedModel, settings)
    return settings
  }
  checkSettings(UpstreamModel, settings)
  return settings
}

/** Upstreams, and where each is named. */
const namedBy = (route: RouteConfig): readonly [string, string][] =>
  'targets' in route
    ? route.targets.map(({ upstream }, place) => [`targets[${place}].upstream`, upstream])
    : [['upstream', route.upstream]]

const unknown = (param: string, name: string) =>
  fault.invalidValue(param, `Invalid '${param}': there is no upstream '${name.slice(0, 100)}'.`)
