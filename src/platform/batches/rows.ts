import { fault } from '../../lib/faults.ts'
import type { BatchStatus } from '../../store/schema/batches.ts'
import type { Statement, Store } from '../../store/store.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import type { BatchRow, Owner } from './types.ts'

/** Batches that are still going on. */
export const openStatuses: readonly BatchStatus[] = ['validating', 'in_progress', 'finalizing', 'cancelling']

/** @throws Fault 404, the same for one of another project and one that is not */
export async function findBatch(store: Store, owner: Owner, id: string): Promise<BatchRow> {
  const row = await ofOwner(store, owner).selectAll().where('id', '=', checked(id)).executeTakeFirst()
  if (row === undefined) throw missing(id)
  return row
}

/** @throws Fault 400 for a cursor that is not in the list */
export function listBatches(store: Store, owner: Owner, asked: PageAsked): Promise<Page<BatchRow>> {
  return readPage(ofOwner(store, owner).selectAll(), asked, { table: 'batches', order: 'desc', limit: 20 })
}

export async function countOpen(store: Store, owner: Owner): Promise<number> {
  const row = await ofOwner(store, owner)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('status', 'in', openStatuses)
    .executeTakeFirstOrThrow()
  return row.count
}

/** For the worker, which has the id from its own job. */
export const batchOfJob = (store: Store, id: string): Promise<BatchRow | undefined> =>
  store.read.selectFrom('batches').selectAll().where('id', '=', id).executeTakeFirst()

/** Counts and the like: whatever its status is. */
export const updating = (store: Store, id: string, change: Partial<BatchRow>): Statement =>
  store.build.updateTable('batches').set(change).where('id', '=', id)

/** A change of status, from one of these alone. */
export function moving(
  store: Store,
  id: string,
  from: readonly BatchStatus[],
  change: Partial<BatchRow> & { status: BatchStatus },
): Statement {
  const statement = store.build.updateTable('batches').set(change).where('id', '=', id).where('status', 'in', from)
  return { statement, expectChanges: 1 }
}

const ofOwner = (store: Store, { organizationId, projectId }: Owner) =>
  store.read
    .selectFrom('batches')
    .where('batches.project_id', '=', projectId)
    .where('batches.organization_id', '=', organizationId)

/** Anything else is not asked for: not every database takes every text. */
function checked(id: string): string {
  if (!/^[\w-]{1,100}$/.test(id)) throw missing(id)
  return id
}

const missing = (id: string) => fault.objectNotFound('batch', id.slice(0, 100))
