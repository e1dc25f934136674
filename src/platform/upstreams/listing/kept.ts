import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type Log } from '../../../lib/log.ts'
import { isRecord } from '../../../wire/walk.ts'
import type { Upstream, Upstreams } from '../types.ts'
import { namesMax } from './names.ts'

/** The lists of models as they were last read: exposed models are there from the first moment of a start. A cache: nothing is lost with it. */
export interface KeptLists {
  /** Tells what is known from before of upstreams that are still where they were. */
  restore(upstreams: Pick<Upstreams, 'list' | 'note'>): void
  keep(upstream: Upstream, models: readonly string[]): void
}

const fileBytesMax = 67_108_864
const version = 1

export function keptLists({ dataDir, log }: { dataDir: string; log: Log }): KeptLists {
  const file = join(dataDir, 'upstream-models.json')
  const lists = new Map<string, { where: string; models: readonly string[] }>()
  return {
    restore(upstreams) {
      const found = read(file, log)
      for (const upstream of upstreams.list()) {
        const known = found.get(upstream.name)
        if (known?.where !== whereOf(upstream) || !exposes(upstream)) continue
        lists.set(upstream.name, known)
        upstreams.note(upstream, { models: known.models })
      }
    },
    keep(upstream, models) {
      if (!exposes(upstream)) return
      lists.set(upstream.name, { where: whereOf(upstream), models })
      try {
        writeFileSync(`${file}.part`, JSON.stringify({ version, lists: Object.fromEntries(lists) }), { mode: 0o600 })
        renameSync(`${file}.part`, file)
      } catch (error) {
        log.warn('upstream.lists_unwritable', { cause: describe(error) })
      }
    },
  }
}

/** Nobody needs the names of the others before they are read again. */
const exposes = ({ settings: { expose = 'none' } }: Upstream): boolean => expose !== 'none'

/** Another address is another server. */
export const whereOf = ({ settings: { kind, base_url: baseUrl } }: Upstream): string => `${kind ?? ''} ${baseUrl ?? ''}`

function read(file: string, log: Log): Map<string, { where: string; models: string[] }> {
  const lists = new Map<string, { where: string; models: string[] }>()
  try {
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY) > fileBytesMax) return lists
    const kept: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (!isRecord(kept) || kept.version !== version || !isRecord(kept.lists)) return lists
    for (const [name, list] of Object.entries(kept.lists))
      if (isRecord(list) && typeof list.where === 'string' && isNames(list.models))
        lists.set(name, { where: list.where, models: list.models })
  } catch (error) {
    log.warn('upstream.lists_unreadable', { cause: describe(error) }) // they are read anew from the upstreams
  }
  return lists
}

const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= namesMax && value.every(name => typeof name === 'string')
