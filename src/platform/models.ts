import type { Ability, Engine } from '../engines/engine.ts'
import type { Tokenizer } from '../engines/tokenizer.ts'
import { fault } from '../lib/faults.ts'
import type { Price } from './prices.ts'

/** A model that can answer: how it is named, priced and started. */
export interface Target {
  /** What clients call it; unique among models. */
  readonly name: string
  readonly ownedBy: string
  /** Unix seconds. */
  readonly created: number
  readonly price: Price
  /** What it can do, known before it is started. */
  readonly abilities: ReadonlySet<Ability>
  /** Made on first use, kept until `close`. */
  open(): Engine
}

/** One line of `GET /v1/models`: a model, or another name of one. */
export interface Listed {
  name: string
  target: Target
}

/** Names to models. Aliases may point to aliases, not in circles (checked when they are read). */
export interface Models {
  /** @throws Fault 404 `model_not_found` */
  resolve(name: string): Target
  /** Opens the engine and asks whether it can do this. @throws Fault 400 when it cannot */
  engineFor(target: Target, ability: Ability): Engine
  /** Opens the engine, but loads no model. @throws Fault 400 when it has no tokenizer */
  tokenizerOf(target: Target): Tokenizer
  list(): Listed[]
  /** Engines that were opened, for the doctor and for draining. */
  opened(): Engine[]
  close(): Promise<void>
}

/** @throws Error for an alias that leads nowhere or in a circle, with the name */
export function makeModels(targets: readonly Target[], aliases: Readonly<Record<string, string>>): Models {
  const byName = new Map(targets.map(target => [target.name, target]))
  const listed: Listed[] = targets.map(target => ({ name: target.name, target }))
  for (const alias of Object.keys(aliases)) {
    if (byName.has(alias)) continue // a model of that name wins over the alias
    listed.push({ name: alias, target: follow(alias, aliases, byName) })
  }
  const byAnyName = new Map(listed.map(line => [line.name, line.target]))
  const engines = new Map<Target, Engine>()
  const opened = (target: Target): Engine => {
    const engine = engines.get(target) ?? target.open()
    engines.set(target, engine)
    return engine
  }

  return {
    resolve(name) {
      const target = byAnyName.get(name)
      if (target === undefined) throw fault.modelNotFound(name.slice(0, 200))
      return target
    },
    engineFor(target, ability) {
      if (!target.abilities.has(ability)) throw fault.wrongAbility(target.name, ability)
      return opened(target)
    },
    tokenizerOf(target) {
      const { tokenizer } = opened(target)
      if (tokenizer === undefined) throw fault.wrongAbility(target.name, 'tokenize')
      return tokenizer
    },
    list: () => listed,
    opened: () => [...engines.values()],
    async close() {
      await Promise.all([...engines.values()].map(engine => engine.close()))
      engines.clear()
    },
  }
}

function follow(alias: string, aliases: Readonly<Record<string, string>>, models: ReadonlyMap<string, Target>): Target {
  const seen = [alias]
  for (let name = aliases[alias]; name !== undefined; name = aliases[name]) {
    const target = models.get(name)
    if (target !== undefined) return target
    if (seen.includes(name)) throw new Error(`The aliases ${[...seen, name].join(' → ')} lead in a circle.`)
    seen.push(name)
  }
  throw new Error(`The alias ${seen.join(' → ')} leads to no model. Known models: ${[...models.keys()].join(', ')}.`)
}
