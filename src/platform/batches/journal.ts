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

/** Bytes that wait for the disk; whoever adds more waits. */
const waitingBytesMax = 4_194_304

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
  #waiting: { bytes: Buffer; entry: Entry }[] = []
  #waitingBytes = 0
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
    const body = Buffer.from(`${text}\n`)
    const { line, input, cached, output, reasoning } = entry
    const head = `${line} ${letterOf(entry)} ${input} ${cached} ${output} ${reasoning} ${body.length} ${crc32(body)}\n`
    const bytes = Buffer.concat([Buffer.from(head), body])
    this.#waiting.push({ bytes, entry })
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes > waitingBytesMax) return this.flush()
    this.#cancelTimer ??= this.#options.timers.after(this.#options.flushMs ?? 100, () => {
      this.flush().catch(() => {}) // kept, and told to whoever adds or flushes next
    })
  }

  /** Resolves when all that was added is on the disk. @throws Fault 507 and the like; the journal takes nothing more then */
  async flush(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    while (this.#waiting.length > 0 || this.#flushing !== undefined) {
      if (this.#failure !== undefined) throw this.#failure
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined
      })
      await this.#flushing
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The lines of all replies, or of all errors; each once. Read after `flush`. */
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
    const taken = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    try {
      await this.#own.appendFile(Buffer.concat(taken.map(({ bytes }) => bytes)))
      await this.#own.datasync()
    } catch (error) {
      // How much of it was written is not known: the next holder reads what is whole.
      this.#failure = onDisk(error)
      throw this.#failure
    }
    for (const { bytes, entry } of taken) {
      this.#ownBytes += bytes.length
      this.sums.add(entry)
    }
  }
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
