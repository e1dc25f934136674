import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Timers } from '../../lib/timers.ts'
import { errorOf, failureOf } from '../../store/failure.ts'
import { LineSet } from './line-set.ts'
import { type Entry, type Found, readEntries, type Sums, sumsOf } from './records.ts'

export interface JournalOptions {
  /** Of this batch alone. */
  folder: string
  /** Of the job: each holder of the batch writes a file of its own. */
  fence: number
  timers: Timers
  /** So many lines there are at most. */
  linesMax: number
  /** How long what was added may wait for the disk. Default: 100. */
  flushMs?: number
}

/** Bytes that wait for the disk; whoever adds more waits. There are two blocks of so many: one is filled while the other is written. */
const blockBytes = 1_048_576
/** A head is shorter. */
const headBytesMax = 128

/**
 * What the lines of a batch have come to, one record for each, in files that only grow; written together and then flushed, so that
 * the disk and not the number of lines sets the pace. A record that was cut by a kill is not read, and its line runs again.
 *
 * Whoever holds the batch writes a file of its own and takes over what the ones before it hold: what somebody adds to theirs after
 * that, who has lost the batch and does not know it yet, counts no more.
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #own: FileHandle
  readonly #older: readonly Found[]
  readonly #done: LineSet
  /** What is on the disk. */
  readonly sums: Sums
  #filling = new Block()
  #spare = new Block()
  #ownBytes = 0
  #flushing: Promise<void> | undefined
  #failure: Error | undefined
  #cancelTimer: (() => void) | undefined

  static async open(options: JournalOptions): Promise<Journal> {
    const { folder, fence, linesMax } = options
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const done = new LineSet(linesMax)
      const sums = sumsOf()
      const older: Found[] = []
      for (const { path } of await olderFiles(folder, fence)) older.push(await taken(path, done, sums))
      const own = await open(join(folder, nameOf(fence)), 'ax', 0o600)
      return new Journal(options, { own, older, done, sums })
    } catch (error) {
      throw onDisk(error)
    }
  }

  private constructor(
    options: JournalOptions,
    { own, older, done, sums }: { own: FileHandle; older: readonly Found[]; done: LineSet; sums: Sums },
  ) {
    this.#options = options
    this.#own = own
    this.#older = older
    this.#done = done
    this.sums = sums
  }

  /** Whether this line has been added. */
  has(line: number): boolean {
    return this.#done.has(line)
  }

  /** Resolves when there is room for more; the record is on the disk after the next flush. @throws Fault 507 and the like: of an earlier one */
  async add(entry: Entry, text: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (!this.#done.add(entry.line)) throw new Error(`Line ${entry.line} of a batch was answered twice.`)
    this.#filling.add(entry, `${text}\n`)
    if (this.#filling.bytes > blockBytes) return this.flush()
    this.#cancelTimer ??= this.#options.timers.after(this.#options.flushMs ?? 100, () => {
      this.flush().catch(() => {}) // kept, and told to whoever adds or flushes next
    })
  }

  /** Resolves when all that was added is on the disk. @throws Fault 507 and the like; the journal takes nothing more then */
  async flush(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    while (this.#filling.entries.length > 0 || this.#flushing !== undefined) {
      if (this.#failure !== undefined) throw this.#failure
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined
      })
      await this.#flushing
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The lines of all replies, or of all errors; each once, and there until the next is asked for. Read after `flush`. */
  async *lines(ok: boolean): AsyncGenerator<Buffer> {
    const seen = new LineSet(this.#options.linesMax)
    const own = { path: join(this.#options.folder, nameOf(this.#options.fence)), bytes: this.#ownBytes }
    for (const { path, bytes } of [...this.#older, own])
      for await (const { entry, body } of readEntries(path, bytes))
        if (seen.add(entry.line) && entry.ok === ok) yield body
  }

  /** Flushes what it can. */
  async close(): Promise<void> {
    await this.flush().catch(() => {}) // whoever needs to know has asked before
    await this.#own.close()
  }

  async #flush(): Promise<void> {
    const full = this.#filling
    this.#filling = this.#spare
    this.#spare = full
    try {
      for (const piece of full.pieces()) await this.#own.appendFile(piece)
      await this.#own.datasync()
    } catch (error) {
      // How much of it was written is not known: the next holder reads what is whole.
      this.#failure = onDisk(error)
      throw this.#failure
    }
    for (const entry of full.entries) this.sums.add(entry)
    this.#ownBytes += full.bytes
    full.clear()
  }
}

/**
 * Records that wait for the disk, as the bytes they will be there: what was a text until now is garbage at once, and the memory of a
 * block is used again and again. Only what is longer than a block is kept by itself.
 */
class Block {
  readonly #bytes = Buffer.allocUnsafeSlow(blockBytes)
  #used = 0
  #beyond: Buffer[] = []
  #beyondBytes = 0
  entries: Entry[] = []

  get bytes(): number {
    return this.#used + this.#beyondBytes
  }

  add(entry: Entry, text: string): void {
    this.entries.push(entry)
    const bodyBytes = Buffer.byteLength(text)
    if (this.#beyond.length > 0 || this.#used + headBytesMax + bodyBytes > blockBytes) {
      const body = Buffer.from(text)
      const record = Buffer.concat([Buffer.from(headOf(entry, body)), body])
      this.#beyond.push(record)
      this.#beyondBytes += record.length
      return
    }
    // The head tells of the body, and stands in front of it: the body goes where it does not yet stand in the way.
    const at = this.#used + headBytesMax
    this.#bytes.write(text, at)
    const head = headOf(entry, this.#bytes.subarray(at, at + bodyBytes))
    this.#used += this.#bytes.write(head, this.#used, 'latin1')
    this.#bytes.copyWithin(this.#used, at, at + bodyBytes)
    this.#used += bodyBytes
  }

  *pieces(): Generator<Buffer> {
    yield this.#bytes.subarray(0, this.#used)
    yield* this.#beyond
  }

  clear(): void {
    this.#used = 0
    this.#beyond = []
    this.#beyondBytes = 0
    this.entries = []
  }
}

function headOf(entry: Entry, body: Buffer): string {
  const { line, input, cached, output, reasoning } = entry
  return `${line} ${letterOf(entry)} ${input} ${cached} ${output} ${reasoning} ${body.length} ${crc32(body)}\n`
}

/** Removes what the journal of a batch has left. */
export const removeJournal = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true })

const letterOf = ({ ok, isUnasked }: Entry): string => (ok ? 'o' : isUnasked ? 'x' : 'e')

const nameOf = (fence: number): string => `${String(fence).padStart(10, '0')}.journal`

/** Those of earlier holders, the oldest first. */
async function olderFiles(folder: string, fence: number): Promise<{ path: string }[]> {
  const names = (await readdir(folder)).filter(
    name => /^\d{10}\.journal$/.test(name) && Number.parseInt(name, 10) < fence,
  )
  return names.sort().map(name => ({ path: join(folder, name) }))
}

async function taken(path: string, done: LineSet, sums: Sums): Promise<Found> {
  let bytes = 0
  for await (const { entry, end } of readEntries(path)) {
    bytes = end
    if (done.add(entry.line)) sums.add(entry)
  }
  return { path, bytes }
}

function onDisk(error: unknown): Error {
  return errorOf(failureOf(error))
}
