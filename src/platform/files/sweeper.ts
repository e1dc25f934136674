import type { Clock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { describe, type Log } from '../../lib/log.ts'
import type { Timers } from '../../lib/timers.ts'
import type { Blobs } from '../../store/blobs/blobs.ts'
import { StaleWrite, type Store } from '../../store/store.ts'
import { removeFile } from './rows.ts'
import type { Files } from './types.ts'
import { endUpload, expiredUploads } from './upload-rows.ts'

interface Parts {
  store: Store
  blobs: Blobs
  clock: Clock
  log: Log
  timers: Timers
}

const dayMs = 86_400_000
const hourMs = 3_600_000
/** Whatever is younger may belong to a request that still runs. */
const runningMs = dayMs
/** Rows that are looked at in one go. */
const some = 500

/** Removes what has expired and what nobody refers to. */
export function makeSweeper(
  { store, blobs, clock, log, timers }: Parts,
  release: (blobIds: readonly string[]) => Promise<void>,
): Pick<Files, 'expire' | 'sweep' | 'start' | 'close'> {
  const stopping = new AbortController()
  const stopped = () => stopping.signal.aborted
  let running: Promise<void> = Promise.resolve()
  const cancels = new Set<() => void>()

  async function expireFiles(now: number): Promise<void> {
    for (;;) {
      const due = await store.read
        .selectFrom('files')
        .select(['id', 'blob_id', 'organization_id', 'project_id'])
        .where('expires_at', '<=', now)
        .limit(some)
        .execute()
      for (const { id, blob_id: blobId, organization_id: organizationId, project_id: projectId } of due) {
        if (stopped()) return
        await removeFile(store, { organizationId, projectId }, { id, blobId }, now).catch(unless(Fault))
        await release([blobId])
      }
      if (due.length < some) return
    }
  }

  async function expireUploads(now: number): Promise<void> {
    for (;;) {
      const due = await expiredUploads(store, now, some)
      for (const { id, owner, blobIds } of due) {
        if (stopped()) return
        // Completed or cancelled at this very moment: then its parts are given up already.
        await store.write(endUpload(store, owner, id, { status: 'expired' }, now)).catch(unless(StaleWrite))
        await release(blobIds)
      }
      if (due.length < some) return
    }
  }

  async function expire(): Promise<void> {
    const now = clock.now()
    await expireFiles(now)
    await expireUploads(now)
  }

  async function sweep(beforeMs: number): Promise<void> {
    let removed = await blobs.sweep(beforeMs)
    let found: string[] = []
    const drop = async () => {
      const known = await store.read.selectFrom('blobs').select('id').where('id', 'in', found).execute()
      const ids = new Set(known.map(({ id }) => id))
      for (const id of found) {
        if (ids.has(id)) continue
        await blobs.remove(id)
        removed++
      }
      found = []
    }
    for await (const { id, modifiedAtMs } of blobs.list()) {
      if (stopped()) return
      if (modifiedAtMs >= beforeMs) continue
      if (found.push(id) === some) await drop()
    }
    if (found.length > 0) await drop()
    removed += await sweepGivenUp()
    if (removed > 0) log.info('files.swept', { removed })
  }

  async function sweepGivenUp(): Promise<number> {
    let removed = 0
    for (;;) {
      const left = await store.read
        .selectFrom('blobs')
        .select('id')
        .where('deleted_at', 'is not', null)
        .limit(some)
        .execute()
      if (left.length === 0 || stopped()) return removed
      await release(left.map(({ id }) => id))
      removed += left.length
    }
  }

  /** One after another, and never so that somebody has to hear of a failure. */
  const soon = (work: () => Promise<void>): void => {
    running = running.then(async () => {
      if (stopped()) return
      await work().catch((error: unknown) => log.error('files.sweep_failed', { cause: describe(error) }))
    })
  }
  const every = (delayMs: number, work: () => Promise<void>): void => {
    const cancel = timers.after(delayMs, () => {
      cancels.delete(cancel)
      soon(work)
      every(delayMs, work)
    })
    cancels.add(cancel)
  }

  return {
    expire,
    sweep,
    start() {
      soon(() => sweep(clock.now()))
      soon(expire)
      every(hourMs, expire)
      every(dayMs, () => sweep(clock.now() - runningMs))
    },
    async close() {
      stopping.abort()
      for (const cancel of cancels) cancel()
      await running
    },
  }
}

/** For `catch`: what was done by somebody else meanwhile need not be done again. */
const unless = (kind: typeof Fault | typeof StaleWrite) => (error: unknown) => {
  if (!(error instanceof kind)) throw error
}
