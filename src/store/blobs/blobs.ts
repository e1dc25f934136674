/**
 * Where bytes lie that are too many for the database: files, parts of uploads. One contract over a folder (here) and S3 (later); the
 * suite in `blobs.contract.ts` says what it promises and runs over every backend.
 *
 * A blob is known by an id that this server has made, and by nothing that a client says. It is written once and never changed:
 * `stage` takes the bytes, `keep` makes them durable under the id, and then its owner writes a row that names it. What has no row is
 * an orphan, which a sweeper finds with `list`.
 *
 * Errors of the medium are the store's faults: `storeFull` 507, `storeFailed` 500. Errors of the source pass as they are.
 */
export interface Blobs {
  /**
   * Takes bytes in at the pace of the medium; memory stays flat. Nobody sees them yet. When it rejects, nothing is left of them.
   * @param bytes of which each piece may be used for something else as soon as the next one is asked for
   */
  stage(bytes: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Staged>

  /**
   * The bytes of a blob; undefined when there is none. Whoever has begun to read reads on when it is removed.
   */
  read(id: string, options?: ReadOptions): Promise<BlobBytes | undefined>

  /** Removes a blob; nothing happens when there is none. */
  remove(id: string): Promise<void>

  /** Every blob that was kept, in no order. */
  list(): AsyncIterable<{ id: string; modifiedAtMs: number }>

  /** Removes what was staged before that time and never kept. @returns how many */
  sweep(beforeMs: number): Promise<number>
}

export interface StageOptions {
  readonly bytesMax: number
  /** What is thrown when more come. */
  tooLarge(): Error
  /** Counts MD5 as well. */
  readonly md5?: boolean
}

export interface ReadOptions {
  /** From `start` to before `end`; all of it if absent. */
  readonly range?: { readonly start: number; readonly end: number }
  /**
   * For bytes that pass through, such as a download: two buffers take turns, so that memory stays flat. A piece is good until the next
   * but one is asked for, and all but the last have at least 64 KiB: what is written to a stream with regard to its pressure is gone then.
   */
  readonly passing?: boolean
}

/** Bytes that are on the medium, and not yet a blob. */
export interface Staged {
  /** Of the blob that `keep` makes of it. */
  readonly id: string
  readonly sizeBytes: number
  /** In hexadecimal digits. */
  readonly sha256: string
  /** In hexadecimal digits; undefined unless it was asked for. */
  readonly md5: string | undefined
  read(): AsyncIterable<Buffer>
  /** Resolves when the blob is there and survives a power cut. */
  keep(): Promise<void>
  /** Removes what was not kept; after `keep` nothing happens. */
  discard(): Promise<void>
}

export interface BlobBytes {
  /** Of the whole blob, whatever the range. */
  readonly sizeBytes: number
  /** To be read once. Ends early with an error when the medium fails. */
  readonly bytes: AsyncIterable<Buffer>
  /** For whoever does not read to the end, or at all. */
  close(): Promise<void>
}
