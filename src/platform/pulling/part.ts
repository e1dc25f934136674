import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { isRecord } from '../../wire/walk.ts'

/** What is known of the file that comes; kept beside the part, so that a later run knows whether it is the same. */
export interface Known {
  /** Of whence the file comes; nothing else is kept of an address. */
  source: string
  etag: string | undefined
  sha256: string | undefined
  sizeBytes: number | undefined
}

const readBytes = 1024 * 1024

/**
 * The bytes of a download so far: `<file>.part`, with `<file>.part.json` about where they came from. What is there of the same
 * source is taken up. The checksum runs along.
 */
export class Part {
  readonly path: string
  readonly #handle: FileHandle
  readonly known: Known
  #hash: Hash
  haveBytes: number

  private constructor(path: string, handle: FileHandle, known: Known) {
    this.path = path
    this.#handle = handle
    this.known = known
    this.#hash = createHash('sha256')
    this.haveBytes = 0
  }

  /**
   * @param pid of this process, which alone writes the part from now on
   * @throws Error when another process does
   */
  static async open(path: string, wanted: Known, pid: number): Promise<Part> {
    const memo = await readMemo(path)
    if (memo?.pid !== undefined && memo.pid !== pid && isAlive(memo.pid))
      throw new Error(`Process ${memo.pid} is pulling this file already. If that is wrong, remove ${path}.json.`)
    const same = memo !== undefined && agrees(memo.known, wanted)
    const part = new Part(path, await open(path, 'a+', 0o600), same ? { ...memo.known, ...defined(wanted) } : wanted)
    try {
      if (same) await part.#takeUp()
      else await part.startOver()
      await part.remember(pid)
      return part
    } catch (error) {
      await part.#handle.close()
      throw error
    }
  }

  /** Keeps what is known; without a process id when this one lets go of the part. */
  async remember(pid: number | undefined): Promise<void> {
    const next = `${this.path}.json.next`
    await writeFile(next, JSON.stringify({ ...this.known, pid }))
    await rename(next, `${this.path}.json`)
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, at)
      at += bytesWritten
    }
    this.#hash.update(bytes)
    this.haveBytes += bytes.length
  }

  async startOver(): Promise<void> {
    await this.#handle.truncate(0)
    this.#hash = createHash('sha256')
    this.haveBytes = 0
  }

  /** The first bytes, at most so many. */
  async start(mostBytes: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(Math.min(mostBytes, this.haveBytes))
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await this.#handle.read(bytes, at, bytes.length - at, at)
      if (bytesRead === 0) throw new Error(`${this.path} became shorter while it was written.`)
      at += bytesRead
    }
    return bytes
  }

  /** SHA-256 of all bytes, in hex; nothing can be written after. */
  digest(): string {
    return this.#hash.digest('hex')
  }

  async sync(): Promise<void> {
    await this.#handle.sync()
  }

  /** The bytes stay for a later run. */
  async keep(): Promise<void> {
    await this.#handle.close()
    await this.remember(undefined)
  }

  /** @param to the file they become; without it they are removed */
  async end(to?: string): Promise<void> {
    await this.#handle.close()
    if (to === undefined) await rm(this.path, { force: true })
    else await rename(this.path, to)
    await rm(`${this.path}.json`, { force: true })
  }

  async #takeUp(): Promise<void> {
    const bytes = Buffer.allocUnsafe(readBytes)
    for (;;) {
      const { bytesRead } = await this.#handle.read(bytes, 0, bytes.length, this.haveBytes)
      if (bytesRead === 0) return
      this.#hash.update(bytes.subarray(0, bytesRead))
      this.haveBytes += bytesRead
    }
  }
}

/** The same source, and nothing that speaks against it. */
function agrees(before: Known, wanted: Known): boolean {
  const mayBe = (one: unknown, other: unknown) => one === undefined || other === undefined || one === other
  return (
    before.source === wanted.source &&
    mayBe(before.sha256, wanted.sha256) &&
    mayBe(before.sizeBytes, wanted.sizeBytes) &&
    (before.sha256 !== undefined || before.etag !== undefined)
  )
}

function defined(known: Known): Partial<Known> {
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined))
}

/** A memo that cannot be read is none: the download starts over. */
async function readMemo(path: string): Promise<{ known: Known; pid: number | undefined } | undefined> {
  const text = await readFile(`${path}.json`, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  })
  let memo: unknown
  try {
    memo = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(memo) || typeof memo.source !== 'string') return undefined
  const { source, etag, sha256, sizeBytes, pid } = memo
  return {
    known: {
      source,
      etag: typeof etag === 'string' ? etag : undefined,
      sha256: typeof sha256 === 'string' ? sha256 : undefined,
      sizeBytes: typeof sizeBytes === 'number' ? sizeBytes : undefined,
    },
    pid: typeof pid === 'number' && pid > 0 ? pid : undefined,
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
