import { createHash } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import { Fault, fault } from '../../lib/faults.ts'
import type { Ids } from '../../lib/ids.ts'
import { describe, type Log } from '../../lib/log.ts'
import type { Timers } from '../../lib/timers.ts'
import type { BlobBytes, Blobs } from '../../store/blobs/blobs.ts'
import { StaleWrite, type Store } from '../../store/store.ts'
import { checkJsonl } from './jsonl/index.ts'
import * as rows from './rows.ts'
import { makeSweeper } from './sweeper.ts'
import type { Files, NewFile } from './types.ts'

export type { FileRow, Files, NewFile, OpenFile, Owner } from './types.ts'

export interface FilesOptions {
  /** What the files of one project may take together. */
  readonly quotaBytes: number
  /** Of one file. Default: 512 MiB, as OpenAI has it. */
  readonly fileBytesMax?: number
}

interface Parts {
  store: Store
  blobs: Blobs
  clock: Clock
  ids: Ids
  log: Log
  timers: Timers
}

/** OpenAI's bound of one file. */
export const usualFileBytesMax = 536_870_912
/** OpenAI's API description: files with the purpose `batch` expire after 30 days. */
const batchSeconds = 2_592_000
/** Purposes whose files are JSON lines. */
const jsonl: ReadonlySet<string> = new Set(['fine-tune', 'batch'])

export function makeFiles(parts: Parts, { quotaBytes, fileBytesMax = usualFileBytesMax }: FilesOptions): Files {
  const { store, blobs, clock, ids, log } = parts
  const release = async (blobIds: readonly string[]) => {
    for (const id of blobIds) {
      await blobs.remove(id)
      await rows.forgetBlob(store, id)
    }
  }
  const sweeper = makeSweeper(parts, release)
  const room: Files['room'] = async (owner, neededBytes = 1) => {
    const leftBytes = Math.max(0, quotaBytes - (await rows.usedBytes(store, owner)))
    if (leftBytes < neededBytes) throw fault.storageQuotaExceeded(quotaBytes, leftBytes)
    return leftBytes
  }
  const releasing = new Set<Promise<void>>()
  const releaseLater: Files['release'] = blobIds => {
    const work = release(blobIds)
      .catch((error: unknown) => log.error('files.not_released', { cause: describe(error) }))
      .finally(() => releasing.delete(work))
    releasing.add(work)
  }
  const keep: Files['keep'] = async (owner, staged) => {
    await staged.keep()
    return rows.blobInsertion(store, owner, staged, { quotaBytes, nowMs: clock.now() })
  }
  const unkept: Files['unkept'] = async ({ id }, error) => {
    // Nobody knows whether a failing store has written the row: then the sweeper decides after the next start.
    if (!(error instanceof Fault) || error.code !== 'store_failed') await blobs.remove(id)
  }

  return {
    ...{ blobs, fileBytesMax, room, keep, unkept },

    async create(owner, staged, file, beside = []) {
      await checkLines(staged.read(), file)
      const now = clock.now()
      const seconds = file.seconds ?? (file.purpose === 'batch' ? batchSeconds : undefined)
      const row = {
        ...{ id: file.id ?? ids.make('file'), organization_id: owner.organizationId, project_id: owner.projectId },
        ...{ blob_id: staged.id, filename: file.filename, purpose: file.purpose, bytes: staged.sizeBytes },
        ...{ created_at: now, expires_at: seconds === undefined ? null : now + seconds * 1000 },
      }
      const kept = await keep(owner, staged)
      const written = [...beside, kept, store.build.insertInto('files').values(row)]
      await store.write(written).catch(async (error: unknown) => {
        await unkept(staged, error)
        if (!(error instanceof StaleWrite) || beside.length > 0) throw error
        await room(owner, staged.sizeBytes)
        throw fault.storeBusy(error) // there is room again
      })
      return row
    },

    find: (owner, id) => rows.findFile(store, owner, id, clock.now()),

    async open(owner, id, options) {
      const file = await rows.findFile(store, owner, id, clock.now())
      const found = await blobs.read(file.blob_id, options)
      if (found === undefined || found.sizeBytes !== file.bytes) {
        await found?.close()
        log.error('files.damaged', { file: id, bytes: file.bytes, found: found?.sizeBytes ?? null })
        throw fault.fileDamaged(id)
      }
      const { sha256 } = await rows.blobOf(store, owner, file.blob_id)
      const damaged = () => {
        log.error('files.damaged', { file: id, bytes: file.bytes })
        return fault.fileDamaged(id)
      }
      return { file, bytes: verified(found, sha256, damaged), close: found.close }
    },

    list: (owner, asked) => rows.listFiles(store, owner, asked, clock.now()),

    async remove(owner, id) {
      const now = clock.now()
      const { blob_id: blobId } = await rows.findFile(store, owner, id, now)
      await rows.removeFile(store, owner, { id, blobId }, now)
      releaseLater([blobId])
    },

    release: releaseLater,
    expire: sweeper.expire,
    sweep: sweeper.sweep,
    start: sweeper.start,
    async close() {
      await Promise.all([sweeper.close(), ...releasing])
    },
  }
}

/** @throws Fault 400 naming the first line that is no JSON object */
async function checkLines(bytes: AsyncIterable<Uint8Array>, { purpose }: NewFile): Promise<void> {
  if (!jsonl.has(purpose)) return
  const [problem] = (await checkJsonl(bytes)).problems
  if (problem !== undefined) throw fault.invalidJsonl(problem.line, problem.message)
}

/** The same bytes; what comes last is held back until the checksum is known, so that a wrong file never ends well. */
async function* verified({ bytes }: BlobBytes, sha256: string, damaged: () => Fault): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let held: Uint8Array | undefined
  for await (const piece of bytes) {
    if (held !== undefined) yield held
    hash.update(piece)
    held = piece
  }
  if (hash.digest('hex') !== sha256) throw damaged()
  if (held !== undefined) yield held
}
