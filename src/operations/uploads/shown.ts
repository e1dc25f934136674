import { statusOf, type UploadRow } from '../../platform/files/upload-rows.ts'
import type { FileObject, UploadPurpose } from '../../wire/files.ts'
import type { UploadObject } from '../../wire/uploads.ts'

/** An upload as clients see it. @param file that was made of it */
export function shownUpload(row: UploadRow, nowMs: number, file?: FileObject): UploadObject {
  const { id, bytes, filename, created_at, expires_at } = row
  const purpose = row.purpose as UploadPurpose // only these are ever written
  return {
    ...{ id, object: 'upload', bytes, created_at: Math.floor(created_at / 1000), filename, purpose },
    ...{ status: statusOf(row, nowMs), expires_at: Math.floor(expires_at / 1000) },
    ...(file !== undefined && { file }),
  }
}
