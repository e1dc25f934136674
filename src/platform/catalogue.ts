import type { Ability, Engine } from '../engines/engine.ts'
import { fault } from '../lib/faults.ts'
import type { FoundFile, ModelFolder } from './folder.ts'
import { type FoundModels, type Models, makeModels, type Target } from './models.ts'
import type { Origin, Price } from './prices.ts'
import type { Residency } from './residency/index.ts'
import { upstreamsOf } from './routes/checks.ts'
import type { RoutedModelConfig } from './routes/settings.ts'
import { everyAbility, namesThere, originOf, routeTargets } from './routes/targets.ts'
import type { Route, Routes } from './routes/types.ts'
import { exposedModels } from './upstreams/listing/exposed.ts'
import type { Upstreams } from './upstreams/types.ts'

/** What starts the engines; main hands it over, so that this room knows no engine. */
export interface EngineMakers {
  local(model: LocalEntry): Engine
  /** What a model's file is for, without loading it; undefined while it cannot be read. */
  abilitiesOf(file: string): ReadonlySet<Ability> | undefined
  embedded(model: EmbeddedEntry): Engine
  upstream(model: UpstreamEntry): Engine
  routed(model: RoutedEntry): Engine
}

export interface LocalEntry {
  name: string
  file: string
  /** A LoRA adapter for it, and how strongly it works. */
  adapter?: string
  scale?: number
  /** Runs in llama.cpp's own server. */
  engine?: 'llama-server'
  /** The projector for images. */
  mmproj?: string
  /** Adapters that a request may choose. */
  adapters?: string[]
  context?: number
  slots?: number
  threads?: number
  /** How long it stays loaded without requests; 0: for ever. */
  idleMs?: number
}

export interface EmbeddedEntry {
  name: string
  file: string
}

export interface UpstreamEntry {
  name: string
  upstream: string
  /** The model's name at the upstream. */
  target: string
}

/** A model that several upstreams answer for. */
export interface RoutedEntry {
  name: string
  route: RoutedModelConfig
}

/** Names of the models that ship inside. */
export const builtIn = { chat: 'parlance-tiny-1', embedding: 'parlance-embed-1' } as const

/** When the built-in models were made, as `created` of models that have no date of their own. */
const builtInCreated = 1_795_132_800

/** Names that programs written for OpenAI ask for. They lead to the built-in models until the operator maps them. */
export const classicNames: Readonly<Record<string, string>> = Object.fromEntries([
  ...[
    [
      'gpt-3.5-turbo',
      'gpt-3.5-turbo-0125',
      'gpt-3.5-turbo-1106',
      'gpt-3.5-turbo-0613',
      'gpt-3.5-turbo-16k',
      'gpt-35-turbo',
    ],
    [
      'gpt-3.5-turbo-instruct',
      'text-davinci-003',
      'text-davinci-002',
      'text-curie-001',
      'text-babbage-001',
      'text-ada-001',
      'text-davinci-edit-001',
      'code-davinci-edit-001',
    ],
    [
      'davinci-002',
      'babbage-002',
      'gpt-4',
      'gpt-4-0613',
      'gpt-4-turbo',
      'gpt-4o',
      'gpt-4o-mini',
      'gpt-4.1',
      'gpt-4.1-mini',
    ],
  ]
    .flat()
    .map(name => [name, builtIn.chat]),
  ...['text-embedding-ada-002', 'text-embedding-3-small', 'text-embedding-3-large'].map(name => [
    name,
    builtIn.embedding,
  ]),
])

export interface CatalogueOptions {
  local: LocalEntry[]
  embedded: EmbeddedEntry[]
  upstream: UpstreamEntry[]
  routed: RoutedEntry[]
  /** Of the data folder; its models are local. */
  folder: ModelFolder
  /** Those of the running server. */
  routes: Pick<Routes, 'current' | 'changed'>
  upstreams: Pick<Upstreams, 'list' | 'find' | 'changed' | 'findings'>
  /** The operator's own; they win over the classic names. */
  aliases: Readonly<Record<string, string>>
  makers: EngineMakers
  residency: Residency
  /** What a request to this model costs that starts now. */
  priceOf(model: string, origin: Origin): Price | null
  /** Unix seconds: `created` of models from the settings. */
  created: number
}

/** All models of this server. @throws Error for an alias that leads nowhere */
export function makeCatalogue(options: CatalogueOptions): Models {
  const { folder, aliases, residency, created, routes, upstreams, makers, priceOf, ...fixed } = options
  const local = (model: LocalEntry) => {
    const { idleMs } = model
    return residency.hold(makers.local(model), idleMs === undefined ? {} : { idleMs })
  }
  const target = (name: string, ownedBy: string, origin: Origin, does: Does, maxOutputTokens?: number): Target => ({
    name,
    ownedBy,
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    created: name === builtIn.chat || name === builtIn.embedding ? builtInCreated : created,
    get price() {
      return priceOf(name, origin)
    },
    get abilities() {
      return does.abilities()
    },
    open: does.open,
  })
  const embeds = new Set<Ability>(['embed'])
  return makeModels(
    [
      ...fixed.local.map(model =>
        target(
          model.name,
          'parlance',
          here,
          { abilities: lookedUp(() => makers.abilitiesOf(model.file)), open: () => local(model) },
          model.context ?? usualContextMax,
        ),
      ),
      ...fixed.embedded.map(model =>
        target(model.name, 'parlance', here, { abilities: () => embeds, open: () => makers.embedded(model) }),
      ),
      ...fixed.upstream.map(model =>
        target(
          model.name,
          model.upstream,
          { nameThere: model.target },
          {
            abilities: () => everyAbility,
            open: () => makers.upstream(model),
          },
        ),
      ),
      ...fixed.routed.map(model =>
        target(model.name, upstreamsOf(model.route).join(', '), originOf(namesThere(model.name, model.route)), {
          abilities: () => everyAbility,
          open: () => makers.routed(model),
        }),
      ),
    ],
    aliases,
    {
      added: routeTargets({ routes, upstreams, open: route => opened(route, makers), priceOf }),
      found: either(
        foundIn(folder, { ...makers, local }, priceOf),
        exposedModels({ upstreams, open: makers.upstream, priceOf, created }),
      ),
      usual: classicNames,
      watch(look) {
        routes.changed(look)
        upstreams.changed(look)
      },
      residency,
    },
  )
}

const here: Origin = { local: true }

/** Tokens of a request to a model that runs here, where the settings say nothing; a smaller model has less. */
const usualContextMax = 8192

/** @throws Fault 503 for what cannot be used */
function opened({ model: name, settings, problem }: Route, makers: EngineMakers): Engine {
  if (problem !== undefined) throw fault.upstreamUnusable(upstreamsOf(settings).join(', '), new Error(problem))
  if ('targets' in settings) return makers.routed({ name, route: settings })
  return makers.upstream({ name, upstream: settings.upstream, target: settings.name ?? name })
}

/** The models of both; those of the first win. */
function either(first: FoundModels, second: FoundModels): FoundModels {
  let seen: readonly unknown[] = []
  let both: ReadonlyMap<string, Target> = new Map()
  return {
    current() {
      const [one, other] = [first.current(), second.current()]
      if (one === seen[0] && other === seen[1]) return both
      seen = [one, other]
      both = other.size === 0 ? one : new Map([...other, ...one])
      return both
    },
    remove: (target, before) => (first.current().has(target.name) ? first : second).remove(target, before),
  }
}

interface Does {
  abilities(): ReadonlySet<Ability>
  open(): Engine
}

/** What a file that cannot be read is asked for like: its engine then tells what is wrong with it. */
const hoped: ReadonlySet<Ability> = new Set<Ability>(['chat', 'complete'])

/** Looks when it is first asked, so that a start reads no model, and until there is something to see. */
function lookedUp(look: () => ReadonlySet<Ability> | undefined): () => ReadonlySet<Ability> {
  let found: ReadonlySet<Ability> | undefined
  return () => {
    found ??= look()
    return found ?? hoped
  }
}

/** The models of a folder, one target for each file. */
function foundIn(folder: ModelFolder, makers: EngineMakers, priceOf: CatalogueOptions['priceOf']): FoundModels {
  let files: ReadonlyMap<string, FoundFile> | undefined
  let targets: ReadonlyMap<string, Target> = new Map()
  const known = new WeakMap<FoundFile, Target>()
  const targetOf = (found: FoundFile): Target => {
    const { name, file, created } = found
    const look = lookedUp(() => makers.abilitiesOf(file))
    const target = known.get(found) ?? {
      name,
      ownedBy: 'local',
      created,
      maxOutputTokens: usualContextMax,
      get price() {
        return priceOf(name, here)
      },
      get abilities() {
        return look()
      },
      open: () => makers.local({ name, file }),
    }
    known.set(found, target)
    return target
  }
  return {
    current() {
      const current = folder.current()
      if (current !== files) targets = new Map([...current].map(([name, found]) => [name, targetOf(found)]))
      files = current
      return targets
    },
    async remove({ name }, first) {
      const found = folder.current().get(name)
      if (found !== undefined) await folder.remove(found, first)
    },
  }
}
