import type { Clock } from '../../lib/clock.ts'
import { fault } from '../../lib/faults.ts'
import type { Log } from '../../lib/log.ts'
import type { RoutesTable } from '../../store/schema/upstreams.ts'
import { ConstraintFailed, StaleWrite, type Store } from '../../store/store.ts'
import { isRecord } from '../../wire/walk.ts'
import { audited } from '../audit.ts'
import { watchRows } from '../changes.ts'
import { missing } from '../people/acting.ts'
import { lostRace, type UpstreamBook, type Upstreams } from '../upstreams/index.ts'
import { Listeners } from '../upstreams/listeners.ts'
import { parted } from '../vault/fields.ts'
import type { Vault } from '../vault/index.ts'
import { changedSettings, kept, parsed, readKept, type Shown } from '../vault/kept.ts'
import { Shelf } from '../vault/shelf.ts'
import { checkedRoute, schemaOf, upstreamsOf } from './checks.ts'
import { deleteRoute, insertRoute, markOf, placeOf, readRoutes, updateRoute } from './rows.ts'
import type { RouteConfig } from './settings.ts'
import type { Route, RouteBook } from './types.ts'

export type { Route, RouteBook, RouteChanges, Routes } from './types.ts'

/** Of the store; a bound for whoever adds them by a program that has lost its way. */
const routesMax = 10_000

export interface RoutesOptions {
  /** The models of parlance.yaml that upstreams answer for. */
  file: Readonly<Record<string, RouteConfig>>
  /** Why no route can have this name, however it came to be: parlance.yaml has it; undefined: it can. */
  taken(model: string): string | undefined
  /** Why no new route can have this name; undefined: it can. */
  found(model: string): string | undefined
  /** An alias of parlance.yaml that leads nowhere else. */
  aliasOf(model: string): string | undefined
}

const takenHere = 'there is a route of that name already'

/** All routes of this server: those of the file, and those of the store, which change while it runs. */
export async function makeRoutes(
  parts: { store: Store; clock: Clock; log: Log; vault: Vault; upstreams: UpstreamBook },
  { file, taken, found, aliasOf }: RoutesOptions,
): Promise<RouteBook> {
  const { store, clock, log, vault, upstreams } = parts
  const fixed = new Map(Object.entries(file).map(([model, settings]) => [model, ofFile(model, settings)]))
  const listeners = new Listeners()
  const shelf = new Shelf<RoutesTable, Route>(
    ({ model }) => model,
    row => ofStore(row, vault, log),
  )
  /** Without those that the file has a model or an alias for: it may have been written later. */
  let current: ReadonlyMap<string, Route> = new Map()
  const rows = await watchRows({
    name: 'routes',
    mark: () => markOf(store),
    read: async () => {
      const changed = shelf.fill(await readRoutes(store))
      if (changed.size === 0) return
      const [shown, hidden] = splitBy(shelf.items, ({ model }) => taken(model) === undefined)
      for (const model of hidden.keys()) if (changed.has(model)) log.warn('routes.hidden', { model, by: taken(model) })
      current = shown
      listeners.tell(changed)
    },
    log,
  })
  const find = (model: string) => fixed.get(model) ?? current.get(model)
  const get = (model: string): Route => {
    const route = find(model)
    if (route === undefined) throw missing('route', model)
    return route
  }
  /** @throws Fault 404; 409 for one of the file */
  const changeable = (model: string) => {
    const route = get(model)
    if (route.source === 'file') throw fault.setByFile('route', model)
    return { route, row: shelf.rows.get(model)! }
  }
  const ofThisStore = (route: RouteConfig) =>
    upstreamsOf(route).filter(name => upstreams.find(name)?.source === 'store')
  /** For `catch`: another process has deleted an upstream, or taken the name. */
  const constrained = (model: string, stands: readonly string[], isNew: boolean) => async (error: unknown) => {
    if (!(error instanceof ConstraintFailed)) throw error
    await upstreams.look()
    const gone = stands.find(name => upstreams.find(name) === undefined)
    if (gone !== undefined) throw fault.badRequest(`The upstream '${gone}' was deleted meanwhile.`)
    await rows.look()
    throw isNew && shelf.rows.has(model) ? fault.nameInUse('model', model, takenHere) : error
  }

  return {
    list: () => [...fixed.values(), ...current.values()],
    find,
    get,
    current: () => current,
    changed: listener => listeners.add(listener),
    problemOf: route => route.problem ?? problemAmong(upstreams, upstreamsOf(route.settings)),
    async create(acting, model, asked) {
      checkName(model)
      const settings = checkedRoute(asked, upstreams)
      const mine = shelf.rows.has(model) ? takenHere : undefined
      const why = taken(model) ?? mine ?? found(model)
      if (why !== undefined) throw fault.nameInUse('model', model, why)
      if (shelf.rows.size >= routesMax) throw fault.badRequest(`There are ${routesMax} routes already.`)
      const now = clock.now()
      const row = { model, ...kept(vault, placeOf(model), schemaOf(settings), settings) }
      const change = { type: 'route.created', subjectId: model, details: { data: JSON.parse(row.settings) } }
      const stands = ofThisStore(settings)
      const statements = insertRoute(store, { ...row, created_at: now, updated_at: now }, stands)
      await store.write([...statements, audited(change, acting)]).catch(constrained(model, stands, true))
      await rows.changed()
      return get(model)
    },
    async update(acting, model, changes) {
      const { route, row } = changeable(model)
      const schema = schemaOf(route.settings)
      const { settings: asked, lacksSecrets } = changedSettings(schema, route, changes)
      if (lacksSecrets) throw fault.secretsLost('route', model, route.problem ?? '')
      const settings = checkedRoute(asked, upstreams)
      const next = { model, ...kept(vault, placeOf(model), schemaOf(settings), settings) }
      const updated_at = Math.max(clock.now(), row.updated_at + 1)
      const details = { changes_requested: parted(schemaOf(changes), changes).shown }
      const change = { type: 'route.updated', subjectId: model, details }
      const stands = ofThisStore(settings)
      const statements = updateRoute(store, { ...next, updated_at }, row.updated_at, stands)
      await store
        .write([...statements, audited(change, acting)])
        .catch(constrained(model, stands, false))
        .catch(lostRace('route', model))
      await rows.changed()
      return get(model)
    },
    async remove(acting, model) {
      changeable(model)
      const alias = aliasOf(model)
      if (alias !== undefined) throw fault.aliasLeadsThere(model, alias)
      const change = { type: 'route.deleted', subjectId: model }
      await store.write([...deleteRoute(store, model), audited(change, acting)]).catch((error: unknown) => {
        throw error instanceof StaleWrite ? missing('route', model) : error
      })
      await rows.changed()
    },
    look: rows.look,
    close: rows.close,
  }
}

function ofFile(model: string, settings: RouteConfig): Route {
  const { shown } = parted(schemaOf(settings), settings)
  return { model, source: 'file', settings, shown: shown as Shown, createdAt: null }
}

/** Undefined: nobody understands it. */
function ofStore(row: RoutesTable, vault: Vault, log: Log): Route | undefined {
  const { model, created_at: createdAt } = row
  const shown = parsed(row.settings)
  const read = isRecord(shown) ? readKept(vault, placeOf(model), schemaOf(shown), row) : undefined
  const problem = read === undefined ? 'its settings are not understood' : read.problem
  if (problem !== undefined) log.error('routes.unreadable', { model, detail: problem })
  return read && { model, source: 'store', ...read, createdAt }
}

/** @throws Fault 400 */
function checkName(model: string): void {
  if (!/^[^\s\p{C}]{1,256}$/u.test(model))
    throw fault.invalidValue('model', "Invalid 'model': expected up to 256 characters without spaces.")
}

function problemAmong(upstreams: Upstreams, names: readonly string[]): string | undefined {
  for (const name of names) {
    const upstream = upstreams.find(name)
    if (upstream === undefined) return `the upstream '${name}' is not there any more`
    if (upstream.problem !== undefined) return `the upstream '${name}' cannot be used: ${upstream.problem}`
  }
  return undefined
}

function splitBy<Item>(items: ReadonlyMap<string, Item>, belongs: (item: Item) => boolean) {
  const [yes, no] = [new Map<string, Item>(), new Map<string, Item>()]
  for (const [name, item] of items) (belongs(item) ? yes : no).set(name, item)
  return [yes, no] as const
}
