import { createHash, type Hash } from 'node:crypto'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import type { Ids } from '../../lib/ids.ts'
import { errorOf, failureOf } from '../failure.ts'
import type { BlobBytes, Blobs, Staged, StageOptions } from './blobs.ts'

/** What is used of `node:fs/promises`, so that a test can fill the disk. */
export type Disk = Pick<typeof fs, 'mkdir' | 'open' | 'opendir' | 'rename' | 'rm' | 'stat'>

export interface DiskBlobsOptions {
  /** Made when it is missing, for this user alone. */
  readonly folder: string
  readonly ids: Ids
  readonly disk?: Disk
}

/** Of one piece. More than streams hold before they ask for patience. */
const readBytes = 262_144
const isId = /^blob_[A-Za-z0-9]{32}$/

/**
 * Blobs as files in one folder: `incoming/` for what is being written, and folders of two characters for what is kept. Both are on one
 * volume, so that a rename is one step: a file under its id is whole.
 */
export function diskBlobs({ folder, ids, disk = fs }: DiskBlobsOptions): Blobs {
  const incoming = join(folder, 'incoming')
  /** The end of an id, in small letters for file systems that do not tell cases apart. */
  const shelfOf = (id: string) => join(folder, id.slice(-2).toLowerCase())
  const pathOf = (id: string) => {
    if (!isId.test(id)) throw new Error('This is no id of a blob.')
    return join(shelfOf(id), id)
  }
  const made = new Set<string>()
  /** Makes a folder that lasts. */
  const makeFolder = async (path: string, parent: string) => {
    if (made.has(path)) return
    const first = await disk.mkdir(path, { recursive: true, mode: 0o700 })
    if (first !== undefined) await sync(disk, parent)
    made.add(path)
  }

  return {
    async stage(bytes, options) {
      const id = ids.make('blob')
      const path = join(incoming, id)
      const written = await onDisk(async () => {
        await makeFolder(incoming, folder)
        return disk.open(path, 'wx', 0o600)
      })
      try {
        const facts = await writeAll(written, bytes, options).finally(() => written.close())
        return staged({ id, path, ...facts })
      } catch (error) {
        await disk.rm(path, { force: true })
        throw error
      }
    },

    async read(id, { range, passing = false } = {}) {
      const path = pathOf(id)
      const found = await disk.open(path, 'r').catch(absent)
      if (found === undefined) return undefined
      try {
        const { size } = await found.stat()
        const close = closing(found)
        const bytes = bytesOf(found, { ...(range ?? { start: 0, end: size }), passing }, close)
        return { sizeBytes: size, bytes, close } satisfies BlobBytes
      } catch (error) {
        await found.close()
        throw errorOf(failureOf(error))
      }
    },

    remove: id => onDisk(() => disk.rm(pathOf(id), { force: true })),

    async *list() {
      for await (const shelf of entries(disk, folder)) {
        if (!/^[a-z0-9]{2}$/.test(shelf)) continue
        for await (const id of entries(disk, join(folder, shelf))) {
          const found = isId.test(id) ? await disk.stat(join(folder, shelf, id)).catch(absent) : undefined
          if (found !== undefined) yield { id, modifiedAtMs: found.mtimeMs }
        }
      }
    },

    async sweep(beforeMs) {
      let removed = 0
      for await (const name of entries(disk, incoming)) {
        const path = join(incoming, name)
        const found = await disk.stat(path).catch(absent)
        if (found === undefined || found.mtimeMs >= beforeMs) continue
        await onDisk(() => disk.rm(path, { force: true }))
        removed++
      }
      return removed
    },
  }

  function staged({ id, path, sizeBytes, sha256, md5 }: Facts & { id: string; path: string }): Staged {
    let kept = false
    return {
      ...{ id, sizeBytes, sha256, md5 },
      async *read() {
        const file = await onDisk(() => disk.open(path, 'r'))
        yield* bytesOf(file, { start: 0, end: sizeBytes, passing: false }, closing(file))
      },
      async keep() {
        await onDisk(async () => {
          await makeFolder(shelfOf(id), folder)
          await disk.rename(path, pathOf(id))
          kept = true
          await sync(disk, shelfOf(id))
        })
      },
      async discard() {
        if (!kept) await disk.rm(path, { force: true })
      },
    }
  }
}

interface Facts {
  sizeBytes: number
  sha256: string
  md5: string | undefined
}

/** Resolves when all bytes are on the disk. */
async function writeAll(
  file: fs.FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  { bytesMax, tooLarge, md5 = false }: StageOptions,
): Promise<Facts> {
  const sha = createHash('sha256')
  const hashes: Hash[] = md5 ? [sha, createHash('md5')] : [sha]
  let sizeBytes = 0
  for await (const chunk of bytes) {
    sizeBytes += chunk.length
    if (sizeBytes > bytesMax) throw tooLarge()
    for (const hash of hashes) hash.update(chunk)
    await onDisk(() => file.writeFile(chunk)) // writes on where it is, and all of it
  }
  await onDisk(() => file.sync())
  return { sizeBytes, sha256: sha.digest('hex'), md5: hashes[1]?.digest('hex') }
}

/** Closes the file at the end, or when the reader leaves. */
async function* bytesOf(
  file: fs.FileHandle,
  { start, end, passing }: { start: number; end: number; passing: boolean },
  close: () => Promise<void>,
): AsyncGenerator<Buffer> {
  const turns: Buffer[] = []
  try {
    for (let at = start; at < end; ) {
      const free =
        passing && turns.length === 2 ? turns.shift()! : Buffer.allocUnsafeSlow(Math.min(readBytes, end - at))
      if (passing) turns.push(free)
      const piece = free.subarray(0, end - at)
      await onDisk(() => fill(file, piece, at))
      yield piece
      at += piece.length
    }
  } finally {
    await close()
  }
}

/** @throws the store's fault for a file that ends before */
async function fill(file: fs.FileHandle, piece: Buffer, from: number): Promise<void> {
  for (let at = 0; at < piece.length; ) {
    const { bytesRead } = await file.read(piece, at, piece.length - at, from + at)
    if (bytesRead === 0) throw Object.assign(new Error('A blob is shorter than it was.'), { code: 'EIO' })
    at += bytesRead
  }
}

/** Closes it once, however often it is asked to. */
function closing(file: fs.FileHandle): () => Promise<void> {
  let open = true
  return async () => {
    if (!open) return
    open = false
    await file.close()
  }
}

/** Names in a folder; none where there is no folder. */
async function* entries(disk: Disk, folder: string): AsyncGenerator<string> {
  const opened = await disk.opendir(folder).catch(absent)
  if (opened !== undefined) for await (const { name } of opened) yield name
}

/** What a folder holds survives a power cut from then on. */
async function sync(disk: Disk, folder: string): Promise<void> {
  if (process.platform === 'win32') return // Windows cannot open a folder
  const opened = await disk.open(folder, 'r')
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}

function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw errorOf(failureOf(error))
}

/** @throws the store's faults for what the file system says */
async function onDisk<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw errorOf(failureOf(error))
  }
}
