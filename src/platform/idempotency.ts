import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { fault } from '../lib/faults.ts'
import { describe, type Log } from '../lib/log.ts'
import { ConstraintFailed, type Store } from '../store/store.ts'
import type { Caller } from './access.ts'

/** A reply as it went out. */
export interface Kept {
  status: number
  /** Names and values by turns. */
  headers: readonly string[]
  body: string
}

/** A request that carries an `Idempotency-Key`. */
export interface Once {
  caller: Caller
  /** The header, as the client wrote it. */
  name: string
  operation: string
  /** Method, URL and body: the same key with another request is a mistake. */
  request: readonly (string | Uint8Array)[]
  /** A good reply is not kept, because it holds what must not be stored. The name is, so that nothing happens twice. */
  showsSecret?: boolean
}

export interface Idempotency {
  /**
   * The first request with a name runs; later ones get its reply, errors included, for 24 hours (Stripe's rules).
   * @param run its `keep` is false for replies of requests that never began, and for those that ask to be tried again
   * @throws Fault 400 for a name that is no name, or that belongs to another request; 409 while the first one runs
   */
  once(asked: Once, run: () => Promise<Kept & { keep: boolean }>): Promise<Kept & { replayed: boolean }>
  /** Forgets what is older than 24 hours. */
  sweep(): Promise<void>
  close(): void
}

const keptMs = 86_400_000
const sweepMs = 3_600_000
const nameLengthMax = 255
/** Larger replies are not kept; their keys are. */
const bodyLengthMax = 4_194_304

export function makeIdempotency({ store, clock, log }: { store: Store; clock: Clock; log: Log }): Idempotency {
  // What this process runs. A row without a reply that is not here was left by one that was killed.
  const running = new Set<string>()
  const sweep = async () => {
    await store.write(store.build.deleteFrom('idempotency').where('created_at', '<', clock.now() - keptMs))
  }
  const timer = setInterval(() => {
    sweep().catch((error: unknown) => log.error('idempotency.sweep_failed', { cause: describe(error) }))
  }, sweepMs)
  timer.unref()

  const remove = (place: Place) => store.write(of(store.build.deleteFrom('idempotency'), place))

  /** @returns the reply that is there already, or undefined when the place is now ours */
  const take = async (place: Place, row: { operation: string; hash: string }): Promise<Kept | undefined> => {
    const created_at = clock.now()
    try {
      const { operation, hash: request_hash } = row
      const reply = { status: null, headers: null, body: null }
      await store.write(
        store.build.insertInto('idempotency').values({ ...place, operation, request_hash, ...reply, created_at }),
      )
      return undefined
    } catch (error) {
      if (!(error instanceof ConstraintFailed)) throw error
    }
    const found = await of(store.read.selectFrom('idempotency').selectAll(), place).executeTakeFirst()
    if (found !== undefined && found.created_at >= created_at - keptMs) {
      if (found.request_hash !== row.hash) throw fault.idempotencyMismatch(place.name)
      if (found.status !== null) return replyOf(found)
    }
    await remove(place)
    return take(place, row)
  }

  return {
    sweep,
    close: () => clearInterval(timer),

    async once({ caller, name, operation, request, showsSecret = false }, run) {
      if (name === '' || name.length > nameLengthMax || !/^[\x21-\x7e]+$/.test(name)) throw fault.idempotencyName()
      const key_id = caller.kind === 'session' ? `session ${caller.userId}` : caller.keyId
      const place = { project_id: caller.projectId, key_id, name }
      const id = JSON.stringify(place)
      if (running.has(id)) throw fault.idempotencyInUse(name)
      running.add(id)
      try {
        const known = await take(place, { operation, hash: hashOf(operation, request) })
        if (known !== undefined) return { ...known, replayed: true }
        const { keep, ...reply } = await run().catch(async (error: unknown) => {
          await remove(place)
          throw error
        })
        const row = stored(reply, showsSecret)
        if (keep) await store.write(of(store.build.updateTable('idempotency').set(row), place))
        else await remove(place)
        return { ...reply, replayed: false }
      } finally {
        running.delete(id)
      }
    },
  }
}

interface Place {
  project_id: string
  key_id: string
  name: string
}

/** The one row of a place. */
function of<Query extends { where(column: keyof Place, operator: '=', value: string): Query }>(
  query: Query,
  { project_id, key_id, name }: Place,
): Query {
  return query.where('project_id', '=', project_id).where('key_id', '=', key_id).where('name', '=', name)
}

const stored = ({ status, headers, body }: Kept, showsSecret: boolean) => ({
  status,
  headers: JSON.stringify(headers),
  body: body.length <= bodyLengthMax && !(showsSecret && status < 400) ? body : null,
})

/** @throws Fault 400 for a reply that was too large to be kept, or showed a secret */
function replyOf({
  status,
  headers,
  body,
  name,
}: {
  status: number | null
  headers: string | null
  body: string | null
  name: string
}): Kept {
  if (status === null || body === null) throw fault.idempotencyNotKept(name)
  return { status, headers: JSON.parse(headers ?? '[]') as string[], body }
}

function hashOf(operation: string, parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256').update(operation)
  for (const part of parts) hash.update('\0').update(part)
  return hash.digest('hex')
}
