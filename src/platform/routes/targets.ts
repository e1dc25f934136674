import type { Ability, Engine } from '../../engines/engine.ts'
import type { Target } from '../models.ts'
import type { Origin, Price } from '../prices.ts'
import type { Upstream, Upstreams } from '../upstreams/index.ts'
import { upstreamsOf } from './checks.ts'
import type { Route, Routes } from './types.ts'

/** What is asked of a model that an upstream answers for is the upstream's to refuse. */
export const everyAbility: ReadonlySet<Ability> = new Set<Ability>(['chat', 'complete', 'embed'])

export interface RouteTargetsOptions {
  routes: Pick<Routes, 'current' | 'changed'>
  upstreams: Pick<Upstreams, 'find' | 'changed'>
  open(route: Route): Engine
  priceOf(model: string, origin: Origin): Price | null
}

/**
 * The models of the routes that were added to the running server. A model is another target after its route or an upstream that it
 * stands on has changed: what has begun ends on the engine of the target before.
 */
export function routeTargets({ routes, upstreams, open, priceOf }: RouteTargetsOptions): {
  /** The same map as long as nothing has changed. */
  current(): ReadonlyMap<string, Target>
} {
  let made: ReadonlyMap<string, Made> = new Map()
  let targets: ReadonlyMap<string, Target> = new Map()
  const refresh = () => {
    const next = new Map<string, Made>()
    for (const [model, route] of routes.current()) {
      const stands = upstreamsOf(route.settings).map(name => upstreams.find(name))
      const before = made.get(model)
      const same = before?.route === route && before.stands.every((upstream, place) => upstream === stands[place])
      next.set(model, same ? before : { route, stands, target: targetOf(route, open, priceOf) })
    }
    made = next
    targets = new Map([...next].map(([model, { target }]) => [model, target]))
  }
  refresh()
  // Both end with what tells them.
  routes.changed(refresh)
  upstreams.changed(names => {
    if ([...made.values()].some(({ route }) => upstreamsOf(route.settings).some(name => names.has(name)))) refresh()
  })
  return { current: () => targets }
}

interface Made {
  readonly route: Route
  readonly stands: readonly (Upstream | undefined)[]
  readonly target: Target
}

function targetOf(route: Route, open: RouteTargetsOptions['open'], priceOf: RouteTargetsOptions['priceOf']): Target {
  const { model, settings, createdAt } = route
  const origin = originOf(namesThere(model, settings))
  return {
    name: model,
    ownedBy: upstreamsOf(settings).join(', '),
    created: Math.floor((createdAt ?? 0) / 1000),
    get price() {
      return priceOf(model, origin)
    },
    abilities: everyAbility,
    drains: true,
    open: () => open(route),
  }
}

/** What it is called at each upstream. */
export const namesThere = (model: string, settings: Route['settings']): string[] =>
  'targets' in settings ? settings.targets.map(({ name = model }) => name) : [settings.name ?? model]

/** A preset knows a name there only where all mean the same by it. */
export function originOf(names: readonly string[]): Origin {
  const [nameThere, ...others] = new Set(names)
  return nameThere === undefined || others.length > 0 ? {} : { nameThere }
}
