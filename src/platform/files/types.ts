import type { Blobs, Staged } from '../../store/blobs/blobs.ts'
import type { FilesTable } from '../../store/schema/files.ts'
import type { Statement } from '../../store/store.ts'
import type { FilePurpose } from '../../wire/files.ts'
import type { Page, PageAsked } from '../page.ts'

/** Whose files: a project's, and no others are ever looked at. */
export interface Owner {
  readonly organizationId: string
  readonly projectId: string
}

export type FileRow = FilesTable

/** A file on its way into a project. */
export interface NewFile {
  readonly filename: string
  readonly purpose: FilePurpose
  /** How long it lives; null or absent: for ever, or as long as its purpose says. */
  readonly seconds?: number | null | undefined
  /** Made by the caller where a row of theirs names it. */
  readonly id?: string
}

export interface OpenFile {
  readonly file: FileRow
  /** The content, checked against its checksum: the last bytes come only when all were right. To be read once. */
  readonly bytes: AsyncIterable<Uint8Array>
  /** For whoever does not read to the end, or at all. */
  close(): Promise<void>
}

/** The files of all projects. Everything is asked for by owner; what another project has is not there. */
export interface Files {
  readonly blobs: Blobs
  /** Of one file that comes in one piece. */
  readonly fileBytesMax: number
  /**
   * How many bytes a project may still store.
   * @param neededBytes for what is known to come
   * @throws Fault 400 `storage_quota_exceeded` when there is no room, or not so much
   */
  room(owner: Owner, neededBytes?: number): Promise<number>
  /**
   * Checks what was staged as its purpose demands, keeps it and writes its row. Resolves when the file survives a kill and a power cut.
   * @param beside is written with it or not at all; blobs that it gives up do not count against the quota
   * @throws Fault 400 for lines that are no JSON, 400 for the quota, 507; with something beside it StaleWrite when that, or the
   *   quota, was another
   */
  create(owner: Owner, staged: Staged, file: NewFile, beside?: readonly Statement[]): Promise<FileRow>
  /** @throws Fault 404 */
  find(owner: Owner, id: string): Promise<FileRow>
  /**
   * @param passing the bytes pass through: a piece is good until the next one is asked for, as `ReadOptions` of the blobs say
   * @throws Fault 404; 500 `file_damaged` when its bytes are not there, or not all of them
   */
  open(owner: Owner, id: string, options?: { readonly passing?: boolean }): Promise<OpenFile>
  /** The newest first, unless it is asked for otherwise. @throws Fault 400 for a cursor that is not in the list */
  list(owner: Owner, asked: PageAsked & { purpose?: FilePurpose }): Promise<Page<FileRow>>
  /** @throws Fault 404 */
  remove(owner: Owner, id: string): Promise<void>
  /** Keeps bytes that are no file, such as a part of an upload. @returns what must be written with the row that names them */
  keep(owner: Owner, staged: Staged): Promise<Statement>
  /** For when that was not written. */
  unkept(staged: Staged, error: unknown): Promise<void>
  /** Removes the bytes of blobs that were given up; what cannot be removed now, the sweeper removes later. */
  release(blobIds: readonly string[]): void
  /** Removes what has expired. */
  expire(): Promise<void>
  /** Removes what nobody refers to: what was staged before that time, blobs without rows, rows that were given up. */
  sweep(beforeMs: number): Promise<void>
  /** Sweeps now, for a server that has just started and is alone, then daily; looks for what has expired hourly. */
  start(): void
  /** Ends what is sweeping, and waits for what is being removed. */
  close(): Promise<void>
}
