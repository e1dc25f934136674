/** Files, uploads and the blobs that hold their bytes. Times are unix milliseconds. */

export interface BlobsTable {
  /** `blob_…`: under which the bytes lie, and nothing that a client knows. */
  id: string
  organization_id: string
  project_id: string
  bytes: number
  /** Hexadecimal. */
  sha256: string
  created_at: number
  /** Nothing refers to it any more: the bytes are about to be removed, and the row after them. */
  deleted_at: number | null
}

export interface FilesTable {
  /** As clients know it: `file-…`. */
  id: string
  organization_id: string
  project_id: string
  blob_id: string
  /** As it was uploaded, without folders. Never used as a path. */
  filename: string
  purpose: string
  bytes: number
  created_at: number
  /** From then on it is as if it were not there. */
  expires_at: number | null
}

export interface UploadsTable {
  /** `upload_…` */
  id: string
  organization_id: string
  project_id: string
  filename: string
  purpose: string
  /** That the parts are to come to. */
  bytes: number
  mime_type: string
  /** One that is pending after `expires_at` is expired, whether the row says so yet or not. */
  status: 'pending' | 'completed' | 'cancelled' | 'expired'
  created_at: number
  expires_at: number
  /** How long the file is to live; null: for ever, or as long as its purpose says. */
  file_seconds: number | null
  /** Of the file that was made; it may be deleted since. */
  file_id: string | null
}

export interface UploadPartsTable {
  /** `part_…` */
  id: string
  upload_id: string
  project_id: string
  blob_id: string
  bytes: number
  created_at: number
}
