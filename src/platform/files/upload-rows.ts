import { fault } from '../../lib/faults.ts'
import type { Staged } from '../../store/blobs/blobs.ts'
import type { UploadPartsTable, UploadsTable } from '../../store/schema/files.ts'
import type { Statement, Store } from '../../store/store.ts'
import type { Owner } from './types.ts'

export type UploadRow = UploadsTable
export type PartRow = UploadPartsTable

/** @throws Fault 404, the same for one of another project and one that is not */
export async function findUpload(store: Store, { projectId }: Owner, id: string): Promise<UploadRow> {
  const missing = () => fault.objectNotFound('upload', id.slice(0, 100))
  if (!/^[\w-]{1,100}$/.test(id)) throw missing() // not every database takes every text
  const row = await store.read
    .selectFrom('uploads')
    .selectAll()
    .where('id', '=', id)
    .where('project_id', '=', projectId)
    .executeTakeFirst()
  if (row === undefined) throw missing()
  return row
}

/** As it is now: nobody may have noticed yet that its time is over. */
export const statusOf = ({ status, expires_at }: UploadRow, nowMs: number): UploadRow['status'] =>
  status === 'pending' && expires_at <= nowMs ? 'expired' : status

/** @throws Fault 400 for one that has ended */
export function demandPending(upload: UploadRow, nowMs: number): void {
  const status = statusOf(upload, nowMs)
  if (status !== 'pending')
    throw fault.uploadConflict(`The upload '${upload.id}' is ${status}: nothing can be done with it.`)
}

export function partsOf(store: Store, { projectId }: Owner, uploadId: string): Promise<PartRow[]> {
  return store.read
    .selectFrom('upload_parts')
    .selectAll()
    .where('upload_id', '=', uploadId)
    .where('project_id', '=', projectId)
    .execute()
}

export async function countParts(store: Store, { projectId }: Owner, uploadId: string): Promise<number> {
  const { parts } = await store.read
    .selectFrom('upload_parts')
    .select(({ fn }) => fn.countAll<number>().as('parts'))
    .where('upload_id', '=', uploadId)
    .where('project_id', '=', projectId)
    .executeTakeFirstOrThrow()
  return Number(parts)
}

/** Adds a part while the upload is pending; otherwise the call rejects with StaleWrite. */
export function partInsertion(
  store: Store,
  { projectId }: Owner,
  { id, uploadId }: { id: string; uploadId: string },
  { id: blobId, sizeBytes }: Staged,
  nowMs: number,
): Statement {
  const { build } = store
  const row = build
    .selectFrom('uploads')
    .select(({ val, cast }) => [
      val(id).as('id'),
      'uploads.id as upload_id',
      'uploads.project_id as project_id',
      val(blobId).as('blob_id'),
      cast<number>(val(sizeBytes), 'bigint').as('bytes'),
      cast<number>(val(nowMs), 'bigint').as('created_at'),
    ])
    .where('uploads.id', '=', uploadId)
    .where('uploads.project_id', '=', projectId)
    .where('uploads.status', '=', 'pending')
    .where('uploads.expires_at', '>', nowMs)
  const statement = build
    .insertInto('upload_parts')
    .columns(['id', 'upload_id', 'project_id', 'blob_id', 'bytes', 'created_at'])
    .expression(row)
  return { statement, expectChanges: 1 }
}

/** Ends a pending upload and gives up its parts; rejects with StaleWrite when it has ended already. */
export function endUpload(
  store: Store,
  { projectId }: Owner,
  id: string,
  end: { status: 'completed'; file_id: string } | { status: 'cancelled' | 'expired' },
  nowMs: number,
): Statement[] {
  const { build } = store
  const ending = build
    .updateTable('uploads')
    .set(end)
    .where('id', '=', id)
    .where('project_id', '=', projectId)
    .where('status', '=', 'pending')
  const givingUp = build
    .updateTable('blobs')
    .set({ deleted_at: nowMs })
    .where('project_id', '=', projectId)
    .where('id', 'in', ({ selectFrom }) =>
      selectFrom('upload_parts').select('blob_id').where('upload_id', '=', id).where('project_id', '=', projectId),
    )
  const removal = build.deleteFrom('upload_parts').where('upload_id', '=', id).where('project_id', '=', projectId)
  return [{ statement: ending, expectChanges: 1 }, givingUp, removal]
}

/** Some of those whose time is over, with the blobs of their parts. */
export async function expiredUploads(
  store: Store,
  nowMs: number,
  limit: number,
): Promise<{ id: string; owner: Owner; blobIds: string[] }[]> {
  const due = await store.read
    .selectFrom('uploads')
    .select(['id', 'organization_id', 'project_id'])
    .where('status', '=', 'pending')
    .where('expires_at', '<=', nowMs)
    .limit(limit)
    .execute()
  return Promise.all(
    due.map(async ({ id, organization_id: organizationId, project_id: projectId }) => {
      const owner = { organizationId, projectId }
      const parts = await partsOf(store, owner, id)
      return { id, owner, blobIds: parts.map(part => part.blob_id) }
    }),
  )
}
