import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fault } from '../../lib/faults.ts'
import type { Timers } from '../../lib/timers.ts'
import type { Queue } from '../../store/queue/index.ts'
import { StaleWrite } from '../../store/store.ts'
import type { Services } from '../execute.ts'
import { batchBytesMax } from '../files/jsonl/index.ts'
import type { Handler } from '../jobs/handler.ts'
import type { Operation } from '../operation.ts'
import { canonical } from './input.ts'
import { removeJournal } from './journal.ts'
import { Lanes, type LanesOptions } from './lanes.ts'
import { principalOf } from './principal.ts'
import { batchOfJob, countOpen, findBatch, listBatches, moving, openStatuses } from './rows.ts'
import type { Batches, BatchRow } from './types.ts'
import { batchAttemptsMax, batchHandler, batchKind } from './work.ts'

export type { Batches, BatchRow, NewBatch } from './types.ts'

export interface BatchesOptions extends LanesOptions {
  /** All there are; those with `batch` can be asked. */
  operations: readonly Operation[]
  /** Where the journals of batches lie that are worked off. */
  folder: string
}

/** What batches need of the product; the services hold the batches themselves, so they are asked for later. */
export interface BatchesServices {
  queue: Queue
  timers: Timers
  services(): Services
}

const windowMs = 86_400_000
const hourMs = 3_600_000
/** Of one project. */
const openMax = 500

export function makeBatches(
  { queue, timers, services }: BatchesServices,
  { operations, folder, widthOf }: BatchesOptions,
): Batches {
  const possible = operations.filter(
    ({ bills, method, ...one }) => bills === 'tokens' && method === 'POST' && 'batch' in one,
  )
  let lanes: Lanes | undefined
  const lanesNow = () => {
    lanes ??= new Lanes({ widthOf }, services().clock)
    return lanes
  }
  const run = (): Handler => batchHandler({ operations: possible, folder, lanes: lanesNow(), services, timers })

  return {
    async create(caller, { inputFileId, endpoint, metadata, outputSeconds }) {
      const { store, files, clock, ids } = services()
      if (!possible.some(operation => operation.path === canonical(endpoint)))
        throw fault.batchEndpoint(
          endpoint.slice(0, 80),
          possible.map(operation => operation.path),
        )
      const file = await files.find(caller, inputFileId)
      if (file.purpose !== 'batch') throw fault.batchFilePurpose(file.id, file.purpose)
      if (file.bytes > batchBytesMax) throw fault.batchFileTooLarge(file.bytes, batchBytesMax)
      if ((await countOpen(store, caller)) >= openMax) throw fault.tooManyBatches(openMax)
      const nowMs = clock.now()
      const row: BatchRow = {
        ...{ id: ids.make('batch'), organization_id: caller.organizationId, project_id: caller.projectId },
        ...{ created_at: nowMs, expires_at: nowMs + windowMs, ...principalOf(caller) },
        ...{ endpoint, model: null, input_file_id: file.id, output_file_id: null, error_file_id: null },
        ...{ status: 'validating', errors: null, total: 0, completed: 0, failed: 0 },
        ...{ input_tokens: 0, cached_tokens: 0, output_tokens: 0, reasoning_tokens: 0 },
        ...{ metadata: metadata === null ? null : JSON.stringify(metadata), output_seconds: outputSeconds },
        ...{ in_progress_at: null, finalizing_at: null, completed_at: null, failed_at: null },
        ...{ expired_at: null, cancelling_at: null, cancelled_at: null },
      }
      const { organizationId } = caller
      const job = { kind: batchKind, subject: row.id, payload: {}, organizationId, attemptsMax: batchAttemptsMax }
      await store.write([store.build.insertInto('batches').values(row), ...queue.enqueuing(job).statements])
      queue.changed()
      return row
    },

    find: (owner, id) => findBatch(services().store, owner, id),
    list: (owner, asked) => listBatches(services().store, owner, asked),

    async cancel(owner, id) {
      const { store, clock } = services()
      const batch = await findBatch(store, owner, id)
      if (batch.status === 'cancelling' || batch.status === 'cancelled') return batch
      const change = { status: 'cancelling', cancelling_at: clock.now() } as const
      const asked = queue.cancelling({ kind: batchKind, subject: id })
      await store
        .write([moving(store, id, ['validating', 'in_progress'], change), ...asked])
        .catch(async (error: unknown) => {
          if (!(error instanceof StaleWrite)) throw error
          throw fault.batchOver((await findBatch(store, owner, id)).status)
        })
      queue.changed()
      return { ...batch, ...change }
    },

    noticed: model => lanesNow().noticed(model),

    get handlers() {
      return [run(), tending({ services, folder })]
    },
  }
}

/** Sees to what nobody works off any more: batches whose job is dead, and journals of batches that have ended. */
function tending({ services, folder }: { services(): Services; folder: string }): Handler {
  return {
    kind: 'batch.tend',
    everyMs: hourMs,
    async run({ write }) {
      const { store, clock } = services()
      const left = await store.read
        .selectFrom('batches')
        .select('id')
        .where('status', 'in', openStatuses)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('jobs')
                .select('jobs.id')
                .where('jobs.kind', '=', batchKind)
                .whereRef('jobs.subject', '=', 'batches.id')
                .where('jobs.open_key', 'is not', null),
            ),
          ),
        )
        .limit(100)
        .execute()
      const problem = { code: 'internal_error', message: 'The batch could not be worked off.', param: null, line: null }
      const change = { status: 'failed', errors: JSON.stringify([problem]), failed_at: clock.now() } as const
      for (const { id } of left) await write([moving(store, id, openStatuses, change)])
      for (const id of await journalsIn(folder)) {
        const batch = await batchOfJob(store, id)
        if (batch === undefined || !openStatuses.includes(batch.status)) await removeJournal(join(folder, id))
      }
    },
  }
}

async function journalsIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(name => /^batch_[0-9a-f]+$/.test(name))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
