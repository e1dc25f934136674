import { sql } from 'kysely'
import { fault } from '../../lib/faults.ts'
import type { Staged } from '../../store/blobs/blobs.ts'
import { StaleWrite, type Statement, type Store } from '../../store/store.ts'
import type { FilePurpose } from '../../wire/files.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import type { FileRow, Owner } from './types.ts'

/** The bytes that a project has stored, parts of uploads included. */
export async function usedBytes(store: Store, { projectId }: Owner): Promise<number> {
  const { used } = await store.read
    .selectFrom('blobs')
    .select(({ fn }) => fn.coalesce(fn.sum<number>('bytes'), sql<number>`0`).as('used'))
    .where('project_id', '=', projectId)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(used)
}

/** A row for a blob, if it is within the quota; otherwise the call that it is part of rejects with StaleWrite. */
export function blobInsertion(
  store: Store,
  { organizationId, projectId }: Owner,
  { id, sizeBytes, sha256 }: Staged,
  { quotaBytes, nowMs }: { quotaBytes: number; nowMs: number },
): Statement {
  const { build } = store
  const used = build
    .selectFrom('blobs')
    .select(({ fn }) => fn.coalesce(fn.sum<number>('bytes'), sql<number>`0`).as('used'))
    .where('project_id', '=', projectId)
    .where('deleted_at', 'is', null)
  const row = build
    .selectNoFrom(({ val, cast }) => [
      val(id).as('id'),
      val(organizationId).as('organization_id'),
      val(projectId).as('project_id'),
      cast<number>(val(sizeBytes), 'bigint').as('bytes'),
      val(sha256).as('sha256'),
      cast<number>(val(nowMs), 'bigint').as('created_at'),
    ])
    .where(sql<boolean>`(${used}) + ${sizeBytes} <= ${quotaBytes}`)
  const statement = build
    .insertInto('blobs')
    .columns(['id', 'organization_id', 'project_id', 'bytes', 'sha256', 'created_at'])
    .expression(row)
  return { statement, expectChanges: 1 }
}

/** @throws Fault 404, the same for one of another project, one that has expired, and one that is not */
export async function findFile(store: Store, owner: Owner, id: string, nowMs: number): Promise<FileRow> {
  checkForm(id)
  const row = await ofOwner(store, owner, nowMs).selectAll().where('files.id', '=', id).executeTakeFirst()
  if (row === undefined) throw missing(id)
  return row
}

/** @throws Fault 400 for a cursor that is not in the list */
export function listFiles(
  store: Store,
  owner: Owner,
  { purpose, ...asked }: PageAsked & { purpose?: FilePurpose },
  nowMs: number,
): Promise<Page<FileRow>> {
  const all = ofOwner(store, owner, nowMs).selectAll()
  const some = purpose === undefined ? all : all.where('purpose', '=', purpose)
  return readPage(some, asked, { table: 'files', order: 'desc', limit: 10_000 })
}

/** Removes a file and gives its blob up. @throws Fault 404 */
export async function removeFile(
  store: Store,
  { projectId }: Owner,
  { id, blobId }: { id: string; blobId: string },
  nowMs: number,
): Promise<void> {
  const removal = store.build.deleteFrom('files').where('id', '=', id).where('project_id', '=', projectId)
  const givingUp = store.build
    .updateTable('blobs')
    .set({ deleted_at: nowMs })
    .where('id', '=', blobId)
    .where('project_id', '=', projectId)
  await store.write([{ statement: removal, expectChanges: 1 }, givingUp]).catch((error: unknown) => {
    throw error instanceof StaleWrite ? missing(id) : error
  })
}

/** What is known of the blob of a file. */
export async function blobOf(store: Store, { projectId }: Owner, id: string): Promise<{ sha256: string }> {
  return store.read
    .selectFrom('blobs')
    .select('sha256')
    .where('id', '=', id)
    .where('project_id', '=', projectId)
    .executeTakeFirstOrThrow()
}

/** Its bytes are gone. */
export async function forgetBlob(store: Store, id: string): Promise<void> {
  await store.write(store.build.deleteFrom('blobs').where('id', '=', id).where('deleted_at', 'is not', null))
}

function ofOwner(store: Store, { projectId }: Owner, nowMs: number) {
  return store.read
    .selectFrom('files')
    .where('project_id', '=', projectId)
    .where(({ eb, or }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]))
}

/** Anything else is not asked for: not every database takes every text. */
function checkForm(id: string): void {
  if (!/^[\w-]{1,100}$/.test(id)) throw missing(id)
}

const missing = (id: string) => fault.fileNotFound(id.slice(0, 100))
