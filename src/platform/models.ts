import type { Ability, Engine } from '../engines/engine.ts'
import type { Tokenizer } from '../engines/tokenizer.ts'
import { fault } from '../lib/faults.ts'
import { leased } from './leased.ts'
import type { Price } from './prices.ts'
import type { Residency, ResidentState } from './residency/index.ts'

/** A model that can answer: how it is named, priced and started. */
export interface Target {
  /** What clients call it; unique among models. */
  readonly name: string
  readonly ownedBy: string
  /** Unix seconds. */
  readonly created: number
  /** Of what starts now; null: it has none, and cannot be called. */
  readonly price: Price | null
  /** At most so many tokens are generated for each choice, whatever is asked; absent: not known. */
  readonly maxOutputTokens?: number
  /** What it can do, known before it is started. */
  readonly abilities: ReadonlySet<Ability>
  /** Made on first use, kept until `close`. */
  open(): Engine
  /** It may be replaced while requests run on it: they end on its engine, and those that have not begun go on to the next one of its name. */
  readonly drains?: true
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
  /** Opens the engine and asks whether it can do this. @throws Fault 400 when it cannot, 404 when the model has gone */
  engineFor(target: Target, ability: Ability): Engine
  /** Opens the engine, but loads no model. @throws Fault 400 when it has no tokenizer, 404 when the model has gone */
  tokenizerOf(target: Target): Tokenizer
  list(): Listed[]
  /**
   * Ends the engine, with an error for the requests that run on it, and removes the model.
   * @throws Fault 404; 403 for everything but a model that was found
   */
  remove(name: string): Promise<void>
  /** The models that run here and were asked for, and what they take of the memory for all of them. */
  memory(): ReturnType<Residency['memory']>
  /**
   * Loads a model that runs here; ends early when the signal is aborted.
   * @throws Fault 404; 400 for a model that takes no memory here; what loading throws
   */
  load(name: string, signal: AbortSignal): Promise<ResidentState>
  /** Gives its memory back. @throws Fault 404; 400 as `load`; 409 `model_busy` while something needs it */
  unload(name: string): Promise<ResidentState>
  /** Engines that were opened, for the doctor and for draining. */
  opened(): Engine[]
  close(): Promise<void>
}

/** Models that come and go while the server runs. */
export interface FoundModels {
  /** The same map as long as nothing has changed. */
  current(): ReadonlyMap<string, Target>
  /** Takes the model out of `current` at once, and away for good when `first` is done. @throws when it could not; it is there again then */
  remove(target: Target, first: () => Promise<void>): Promise<void>
}

export interface MoreModels {
  /** Those that were added to the running server. They give way to nothing: whoever adds them sees to it that no name is taken. */
  added?: Pick<FoundModels, 'current'>
  /** They give way to models and aliases of the settings. */
  found?: FoundModels
  /** Aliases that give way to everything else. */
  usual?: Readonly<Record<string, string>>
  /** Is handed what looks whether models have come or gone, to be called when one may have; otherwise the next request looks. */
  watch?(look: () => void): void
  /** Under which `open` of the targets puts its engines. */
  residency?: Residency
}

/** @throws Error for an alias that leads nowhere or in a circle, with the name */
export function makeModels(
  targets: readonly Target[],
  aliases: Readonly<Record<string, string>>,
  { added = nothingFound, found = nothingFound, usual = {}, watch, residency }: MoreModels = {},
): Models {
  const fixed = new Map(targets.map(target => [target.name, target]))
  let more = added.current()
  let own: ReadonlyMap<string, Target> = new Map([...fixed, ...more])
  let seen = found.current()
  let names = namesOf(own, aliases, seen, usual)
  for (const alias of [...Object.keys(aliases), ...Object.keys(usual)])
    if (!names.has(alias))
      throw new Error(leadsNowhere(alias, { ...usual, ...aliases }, [...own.keys(), ...seen.keys()]))
  const engines = new Engines()
  const isCurrent = (target: Target) =>
    [own.get(target.name), fixed.get(target.name), seen.get(target.name)].includes(target)
  /** Looks whether models have come or gone; engines of those that have gone end. */
  const now = () => {
    const [added_, found_] = [added.current(), found.current()]
    if (added_ !== more || found_ !== seen) {
      more = added_
      own = new Map([...fixed, ...more])
      seen = found_
      names = namesOf(own, aliases, seen, usual)
      for (const target of engines.targets()) if (!isCurrent(target)) void engines.end(target)
    }
    return names
  }
  watch?.(now)
  const resolve = (name: string): Target => {
    const target = now().get(name)
    if (target === undefined) throw fault.modelNotFound(name.slice(0, 200))
    return target
  }
  const opened = (target: Target): Engine => {
    const known = engines.get(target)
    if (known !== undefined) return known
    const next = now().get(target.name)
    if (isCurrent(target)) return engines.open(target)
    // It was replaced between two steps of the request.
    if (target.drains !== true || next?.drains !== true) throw fault.modelNotFound(target.name)
    return engines.get(next) ?? engines.open(next)
  }
  const stateOf = (engine: Engine): ResidentState => {
    const state = residency?.stateOf(engine)
    if (state === undefined) throw fault.wrongAbility(engine.name, 'load')
    return state
  }

  return {
    resolve,
    engineFor(target, ability) {
      if (!target.abilities.has(ability)) throw fault.wrongAbility(target.name, ability)
      return opened(target)
    },
    tokenizerOf(target) {
      const { tokenizer } = opened(target)
      if (tokenizer === undefined) throw fault.wrongAbility(target.name, 'tokenize')
      return tokenizer
    },
    list: () => [...now()].map(([name, target]) => ({ name, target })),
    async remove(name) {
      const target = resolve(name)
      if (target.name !== name) throw fault.modelKept(name, `it is another name of \`${target.name}\``)
      if (more.has(name)) throw fault.modelKept(name, 'it is a route, which its operator deletes with `parlance route`')
      if (fixed.has(name)) throw fault.modelKept(name, 'it is built in or named by the settings of this server')
      const alias = Object.keys(aliases).find(other => names.get(other) === target)
      if (alias !== undefined) throw fault.modelKept(name, `the alias \`${alias}\` of the settings leads to it`)
      await found.remove(target, () => engines.end(target))
      now()
    },
    memory: () => residency?.memory() ?? { budgetBytes: 0, usedBytes: 0, models: [] },
    async load(name, signal) {
      const engine = opened(resolve(name))
      await residency?.load(engine, signal)
      return stateOf(engine)
    },
    async unload(name) {
      const engine = opened(resolve(name))
      await residency?.unload(engine)
      return stateOf(engine)
    },
    opened: () => engines.all(),
    close: () => engines.close(),
  }
}

/** The engines that were opened, and those that are ending. */
class Engines {
  readonly #open = new Map<Target, { engine: Engine; retire?: () => Promise<void> }>()
  readonly #ending = new Map<Engine, Promise<void>>()

  get(target: Target): Engine | undefined {
    return this.#open.get(target)?.engine
  }

  open(target: Target): Engine {
    const made = target.open()
    const opened = target.drains === true ? leased(made) : { engine: made }
    this.#open.set(target, opened)
    return opened.engine
  }

  /** Ends the engine of a model that has gone. @throws what closing throws */
  end(target: Target): Promise<void> {
    const opened = this.#open.get(target)
    if (opened === undefined) return Promise.resolve()
    this.#open.delete(target)
    const { engine, retire } = opened
    const ended = retire?.() ?? engine.close()
    this.#ending.set(engine, ended)
    ended.then(
      () => this.#ending.delete(engine),
      () => undefined, // `close` tells it
    )
    return ended
  }

  targets(): readonly Target[] {
    return [...this.#open.keys()]
  }

  all(): Engine[] {
    return [...this.#open.values()].map(({ engine }) => engine)
  }

  /** Ends them all at once, with an error for what runs on them. */
  async close(): Promise<void> {
    const engines = [...this.all(), ...this.#ending.keys()]
    await Promise.all([...this.#ending.values(), ...engines.map(engine => engine.close())])
    this.#open.clear()
  }
}

const nothing: ReadonlyMap<string, Target> = new Map()
const nothingFound: FoundModels = {
  current: () => nothing,
  remove: target => Promise.reject(new Error(`${target.name} was not found, it is fixed`)),
}

/** Every name in the order of the list. Aliases that lead nowhere are left out: the model of such a one has gone. */
function namesOf(
  fixed: ReadonlyMap<string, Target>,
  aliases: Readonly<Record<string, string>>,
  found: ReadonlyMap<string, Target>,
  usual: Readonly<Record<string, string>>,
): Map<string, Target> {
  const steps = new Map(Object.entries(aliases))
  const lastSteps = new Map(Object.entries(usual))
  const follow = (first: string): Target | undefined => {
    const passed = new Set<string>()
    for (let name: string | undefined = first; name !== undefined && !passed.has(name); ) {
      passed.add(name)
      const step: string | undefined = steps.get(name)
      const target = fixed.get(name) ?? (step === undefined ? found.get(name) : undefined)
      if (target !== undefined) return target
      name = step ?? lastSteps.get(name)
    }
    return undefined
  }
  const names = new Map<string, Target>()
  for (const name of [...fixed.keys(), ...found.keys(), ...lastSteps.keys(), ...steps.keys()]) {
    const target = follow(name)
    if (target !== undefined) names.set(name, target)
  }
  return names
}

function leadsNowhere(alias: string, aliases: Readonly<Record<string, string>>, models: readonly string[]): string {
  const path = [alias]
  for (let name = aliases[alias]; name !== undefined; name = aliases[name]) {
    const circle = path.includes(name)
    path.push(name)
    if (circle) return `The aliases ${path.join(' → ')} lead in a circle.`
  }
  return `The alias ${path.join(' → ')} leads to no model. Known models: ${models.join(', ')}.`
}
