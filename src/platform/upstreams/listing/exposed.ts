import type { Ability, Engine } from '../../../engines/engine.ts'
import { fault } from '../../../lib/faults.ts'
import type { FoundModels, Target } from '../../models.ts'
import { type Origin, type Price, priceOf } from '../../prices.ts'
import type { Upstream, Upstreams } from '../types.ts'

export interface ExposedOptions {
  upstreams: Pick<Upstreams, 'list' | 'changed' | 'findings'>
  /** An engine for one model of an upstream. */
  open(model: { name: string; upstream: string; target: string }): Engine
  priceOf(model: string, origin: Origin): Price | null
  /** Unix seconds: `created` of its models, where nobody knows when they were made. */
  created: number
}

/** What can be asked is not known before. */
const every: ReadonlySet<Ability> = new Set<Ability>(['chat', 'complete', 'embed'])

/** Models that upstreams have, under their own names: those of `expose: all`, and those that `expose` names. */
export function exposedModels(options: ExposedOptions): FoundModels {
  const { upstreams } = options
  let exposing = exposingOf(upstreams.list())
  let seen: readonly unknown[] = []
  let targets: ReadonlyMap<string, Target> = new Map()
  let known: ReadonlyMap<Upstream, ReadonlyMap<string, Target>> = new Map()
  // Ends with the upstreams, which tell nobody any more then.
  upstreams.changed(() => {
    exposing = exposingOf(upstreams.list())
  })
  /** The same ones as before, as long as they stay: their engines stay with them. */
  const targetsOf = (upstream: Upstream) => {
    const before = known.get(upstream)
    const names = exposedNames(upstream, upstreams.findings(upstream.name).models)
    return new Map(names.map(name => [name, before?.get(name) ?? exposedTarget(upstream, name, options)]))
  }
  return {
    current() {
      const lists = exposing.flatMap(upstream => [upstream, upstreams.findings(upstream.name).models])
      if (lists.length === seen.length && lists.every((list, place) => list === seen[place])) return targets
      seen = lists
      const each = new Map(exposing.map(upstream => [upstream, targetsOf(upstream)]))
      known = each
      // The first upstream that has a name keeps it.
      targets = new Map([...each.values()].reverse().flatMap(found => [...found]))
      return targets
    },
    remove: async ({ name, ownedBy }) => {
      throw fault.modelKept(name, `the upstream \`${ownedBy}\` has it; its setting \`expose\` says which are shown`)
    },
  }
}

const exposingOf = (all: readonly Upstream[]): Upstream[] =>
  all.filter(({ settings: { expose = 'none' } }) => expose !== 'none')

/** Named models stay until a list says that they are not there: some servers have no list. */
export function exposedNames(
  { settings: { expose = 'none' } }: Upstream,
  listed: readonly string[] | null,
): readonly string[] {
  if (expose === 'none') return []
  if (expose === 'all') return listed ?? []
  if (listed === null) return expose
  const there = new Set(listed)
  return expose.filter(name => there.has(name))
}

function exposedTarget(upstream: Upstream, name: string, { open, priceOf: priced, created }: ExposedOptions): Target {
  const { price } = upstream.settings
  const origin: Origin = { nameThere: name, ...(price !== undefined && { price: priceOf(price) }) }
  return {
    name,
    ownedBy: upstream.name,
    created: upstream.createdAt === null ? created : Math.floor(upstream.createdAt / 1000),
    get price() {
      return priced(name, origin)
    },
    abilities: every,
    drains: true,
    open: () => open({ name, upstream: upstream.name, target: name }),
  }
}
