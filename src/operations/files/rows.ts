import type { FileRow } from '../../platform/files/index.ts'
import type { FileObject, FilePurpose } from '../../wire/files.ts'

/** A file as clients see it. */
export function shownFile({ id, bytes, filename, purpose, created_at, expires_at }: FileRow): FileObject {
  return {
    ...{ id, object: 'file', bytes, created_at: Math.floor(created_at / 1000) },
    ...(expires_at !== null && { expires_at: Math.floor(expires_at / 1000) }),
    ...{ filename, purpose: purpose as FilePurpose, status: 'processed', status_details: null }, // only these are ever written
  }
}
