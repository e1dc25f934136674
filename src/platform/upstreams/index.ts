import type { UpstreamConfig } from '../../engines/upstream/settings.ts'
import { UpstreamSettings } from '../../engines/upstream/settings.ts'
import type { Clock } from '../../lib/clock.ts'
import { fault } from '../../lib/faults.ts'
import type { Log } from '../../lib/log.ts'
import type { UpstreamsTable } from '../../store/schema/upstreams.ts'
import { ConstraintFailed, StaleWrite, type Store } from '../../store/store.ts'
import { audited } from '../audit.ts'
import { watchRows } from '../changes.ts'
import { missing } from '../people/acting.ts'
import { checkSettings } from '../vault/checks.ts'
import { parted } from '../vault/fields.ts'
import type { Vault } from '../vault/index.ts'
import { changedSettings, kept, readKept, type Shown } from '../vault/kept.ts'
import { Shelf } from '../vault/shelf.ts'
import { checkUpstream } from './checks.ts'
import { Listeners } from './listeners.ts'
import {
  deleteUpstream,
  hasUpstream,
  insertUpstream,
  markOf,
  placeOf,
  readUpstreams,
  routesOn,
  updateUpstream,
} from './rows.ts'
import type { Findings, Line, Upstream, UpstreamBook } from './types.ts'

export type {
  Findings,
  Health,
  HealthState,
  Line,
  Upstream,
  UpstreamBook,
  UpstreamChanges,
  Upstreams,
} from './types.ts'

/** Of the store; a bound for whoever adds them by a program that has lost its way. */
const upstreamsMax = 1000

const nobodyLooked: Findings = {
  health: { state: 'unknown', checkedAt: null, latencyMs: null, detail: null },
  models: null,
}

export interface UpstreamsOptions {
  /** Those of parlance.yaml. */
  file: Readonly<Record<string, UpstreamConfig>>
  /** How one is reached. @throws Error in words for the operator, for settings that cannot be used */
  connect(upstream: Upstream): Line
}

/** All upstreams of this server: those of the file, and those of the store, which change while it runs. */
export async function makeUpstreams(
  parts: { store: Store; clock: Clock; log: Log; vault: Vault },
  { file, connect }: UpstreamsOptions,
): Promise<UpstreamBook> {
  const { store, clock, log, vault } = parts
  const fixed = new Map(Object.entries(file).map(([name, settings]) => [name, ofFile(name, settings)]))
  const shelf = new Shelf<UpstreamsTable, Upstream>(
    ({ name }) => name,
    row => ofStore(row, vault, file, log),
  )
  const listeners = new Listeners()
  const found = new WeakMap<Upstream, Findings>()
  const rows = await watchRows({
    name: 'upstreams',
    mark: () => markOf(store),
    read: async () => {
      const changed = shelf.fill(await readUpstreams(store))
      if (changed.size > 0) listeners.tell(changed)
    },
    log,
  })
  const find = (name: string) => fixed.get(name) ?? shelf.items.get(name)
  const get = (name: string): Upstream => {
    const upstream = find(name)
    if (upstream === undefined) throw missing('upstream', name)
    return upstream
  }
  /** @throws Fault 404; 409 for one of the file */
  const changeable = (name: string) => {
    const { source } = get(name)
    if (source === 'file') throw fault.setByFile('upstream', name)
    return { upstream: get(name), row: shelf.rows.get(name)! }
  }
  const line = (name: string): Line => {
    const upstream = get(name)
    if (upstream.problem !== undefined) throw fault.upstreamUnusable(name, new Error(upstream.problem))
    try {
      return connect(upstream)
    } catch (error) {
      throw fault.upstreamUnusable(name, error)
    }
  }

  return {
    list: () => [...fixed.values(), ...shelf.items.values()],
    find,
    get,
    changed: listener => listeners.add(listener),
    line,
    findings(name) {
      const upstream = find(name)
      if (upstream === undefined) return nobodyLooked
      const findings = found.get(upstream) ?? nobodyLooked
      if (upstream.problem === undefined) return findings
      return { ...findings, health: { ...findings.health, state: 'failed', detail: upstream.problem } }
    },
    note(upstream, news) {
      if (find(upstream.name) === upstream) found.set(upstream, { ...(found.get(upstream) ?? nobodyLooked), ...news })
    },
    async create(acting, name, settings) {
      if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name))
        throw fault.invalidValue('name', "Invalid 'name': expected up to 64 letters, digits, '.', '_' and '-'.")
      checkSettings(UpstreamSettings, settings)
      if (fixed.has(name)) throw fault.nameInUse('name', name, 'parlance.yaml has an upstream of that name')
      if (shelf.rows.size >= upstreamsMax) throw fault.badRequest(`There are ${upstreamsMax} upstreams already.`)
      await checkUpstream(name, settings, connect)
      const now = clock.now()
      const row = { name, ...kept(vault, placeOf(name), UpstreamSettings, settings), created_at: now, updated_at: now }
      const change = { type: 'upstream.created', subjectId: name, details: { data: shownOf(row) } }
      await store
        .write([insertUpstream(store, row), audited(change, acting)])
        .catch(constrained(store, name, 'there is an upstream of that name already'))
      await rows.changed()
      return get(name)
    },
    async update(acting, name, changes) {
      const { upstream, row } = changeable(name)
      const { settings, lacksSecrets } = changedSettings(UpstreamSettings, upstream, changes)
      if (lacksSecrets) throw fault.secretsLost('upstream', name, upstream.problem ?? '')
      checkSettings(UpstreamSettings, settings)
      await checkUpstream(name, settings, connect)
      const packed = kept(vault, placeOf(name), UpstreamSettings, settings)
      const next = { name, ...packed, updated_at: Math.max(clock.now(), row.updated_at + 1) }
      const details = { changes_requested: parted(UpstreamSettings, changes).shown }
      const change = { type: 'upstream.updated', subjectId: name, details: details }
      await store
        .write([updateUpstream(store, next, row.updated_at), audited(change, acting)])
        .catch(lostRace('upstream', name))
      await rows.changed()
      return get(name)
    },
    async remove(acting, name) {
      changeable(name)
      const change = { type: 'upstream.deleted', subjectId: name }
      await store.write([deleteUpstream(store, name), audited(change, acting)]).catch(async (error: unknown) => {
        const used = error instanceof ConstraintFailed ? await routesOn(store, name) : []
        if (used.length > 0) throw fault.upstreamInUse(name, used)
        throw error instanceof StaleWrite ? missing('upstream', name) : error
      })
      await rows.changed()
    },
    look: rows.look,
    close: rows.close,
  }
}

function ofFile(name: string, settings: UpstreamConfig): Upstream {
  const { shown } = parted(UpstreamSettings, settings)
  return { name, source: 'file', settings, shown: shown as Shown, createdAt: null }
}

const shownOf = (row: Pick<UpstreamsTable, 'settings'>): unknown => JSON.parse(row.settings)

/** For `catch`: a row of that name is there already. */
const constrained = (store: Store, name: string, why: string) => async (error: unknown) => {
  const isTaken = error instanceof ConstraintFailed && (await hasUpstream(store, name))
  throw isTaken ? fault.nameInUse('name', name, why) : error
}

/** For `catch`: somebody else was faster. */
export const lostRace = (kind: string, name: string) => (error: unknown) => {
  throw error instanceof StaleWrite ? fault.changedMeanwhile(kind, name) : error
}

/** Undefined: there is one of the file, or nobody understands it. */
function ofStore(row: UpstreamsTable, vault: Vault, file: object, log: Log): Upstream | undefined {
  const { name, created_at: createdAt } = row
  if (Object.hasOwn(file, name)) {
    log.warn('upstreams.hidden', { upstream: name, by: 'parlance.yaml' })
    return undefined
  }
  const read = readKept(vault, placeOf(name), UpstreamSettings, row)
  const problem = read === undefined ? 'its settings are not understood' : read.problem
  if (problem !== undefined) log.error('upstreams.unreadable', { upstream: name, detail: problem })
  return read && { name, source: 'store', ...read, createdAt }
}
