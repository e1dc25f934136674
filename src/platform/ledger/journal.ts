import type { Compilable } from 'kysely'
import { Fault, fault } from '../../lib/faults.ts'
import { describe, type Log } from '../../lib/log.ts'
import type { Timers } from '../../lib/timers.ts'
import type { UsageTable } from '../../store/schema/money.ts'
import { preparedAddition, preparedInsert, type Store } from '../../store/store.ts'
import type { Taken } from './credit.ts'

/** A request that is running. */
export interface Running {
  readonly ended: boolean
  /** Its row for the time being. Asked for once. */
  openRow(): UsageTable
}

/** A final row on its way to the disk. */
interface Entry {
  readonly row: UsageTable
  readonly statements: Compilable | readonly Compilable[]
  /** `refused`: the store's queue is full. `committing`: not in the queue, somebody waits for it. */
  state: 'queued' | 'refused' | 'committing' | 'stored'
}

export interface JournalOptions {
  store: Store
  timers: Timers
  log: Log
  /** Rows are written, and requests that go on get a row of their own, after one to two times so long. */
  periodMs: number
  /** So many rows may wait for the store before new work is refused. */
  maxWaitingRows: number
}

/** How long the store is left alone when it takes no more rows. */
const retryMs = 250

/**
 * The way of rows to the disk. What is written does not depend on the order in which rows arrive: the row of a running request never
 * replaces a final one, and a final row replaces whatever is there.
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #insertFinal: (row: UsageTable) => Compilable
  readonly #insertOpen: (row: UsageTable) => Compilable
  readonly #replaceOpen: (row: UsageTable) => Compilable
  readonly #addUsed: (grantId: string, nano: number) => Compilable
  /** Given away and not known to be stored; while somebody reads sums, also those that were stored meanwhile. */
  #entries: Entry[] = []
  #readers = 0
  /** Entries in the state `refused`. */
  #refusedRows = 0
  /** Final rows so far. */
  #given = 0
  /** At least as many rows wait as the store says when it is asked. */
  #waiting = 0
  /** Running requests that came since the last tick, and in the one before. */
  #younger: Running[] = []
  #older: Running[] = []
  #unflushed = false
  #flushing = false
  #ticking = false
  #retrying = false
  #closed = false

  constructor(options: JournalOptions) {
    this.#options = options
    const { build } = options.store
    this.#insertFinal = preparedInsert(build, 'usage', columns)
    this.#insertOpen = preparedInsert(build, 'usage', columns, { key: 'id', keep: 'old' })
    this.#replaceOpen = preparedInsert(build, 'usage', columns, { key: 'id', keep: 'new' })
    this.#addUsed = preparedAddition(build, 'credit_grants', 'used_nano', 'id')
  }

  /** @throws Fault 503 `store_busy` when so many rows wait that those of new work might not be taken; 500 when the store has failed */
  admit(): void {
    if (this.#waiting < this.#options.maxWaitingRows) return
    const { state, reason, soon } = this.#options.store.health()
    if (state === 'failed') throw fault.storeFailed(new Error(reason ?? 'the store has failed'))
    if (state === 'closed') throw fault.draining()
    this.#waiting = soon.waiting + this.#refusedRows
    if (this.#waiting >= this.#options.maxWaitingRows)
      throw fault.storeBusy(new Error(`${this.#waiting} rows of the ledger wait for the store`))
  }

  /** From now on the request has a row, if it runs for more than a moment. */
  began(running: Running): void {
    this.#younger.push(running)
    this.#tickSoon()
  }

  /** The row of a request that is about to start. Resolves when it is on the disk. */
  async commitOpen(row: UsageTable): Promise<void> {
    await this.#options.store.write(this.#insertOpen(row))
  }

  /** The final row, with what the request took from credit, some milliseconds from now. */
  soon(row: UsageTable, journalled: boolean, taken: readonly Taken[]): void {
    const entry = this.#entryOf(row, journalled, taken)
    this.#send(entry)
    this.#tickSoon()
  }

  /** The same, and resolves when it is on the disk. When that fails it is tried again in the background. @throws Fault of the store */
  async commit(row: UsageTable, journalled: boolean, taken: readonly Taken[]): Promise<void> {
    const entry = this.#entryOf(row, journalled, taken)
    const { statements } = entry
    entry.state = 'committing'
    try {
      if (isList(statements)) await this.#options.store.write(statements)
      else await this.#options.store.write(statements)
      entry.state = 'stored'
      this.#forget()
    } catch (error) {
      entry.state = 'queued'
      this.#send(entry)
      this.#tickSoon()
      throw error
    }
  }

  /** Final rows that the database may not show yet. */
  get underWay(): readonly UsageTable[] {
    return this.#entries.map(({ row }) => row)
  }

  /** Grows with every final row. */
  get given(): number {
    return this.#given
  }

  /** Until the returned function is called, `underWay` keeps every row that it has now or that comes. */
  remember(): () => void {
    this.#readers++
    return () => {
      this.#readers--
      this.#forget()
    }
  }

  /** The store is about to close: what waits here goes there now, and what it does not take is told to the log. */
  close(): void {
    this.#closed = true
    this.#sendRefused()
  }

  #entryOf(row: UsageTable, journalled: boolean, taken: readonly Taken[]): Entry {
    const insert = journalled ? this.#replaceOpen(row) : this.#insertFinal(row)
    const statements = taken.length === 0 ? insert : [insert, ...taken.map(({ id, nano }) => this.#addUsed(id, nano))]
    const entry: Entry = { row, statements, state: 'queued' }
    this.#entries.push(entry)
    this.#given++
    return entry
  }

  #send(entry: Entry): void {
    this.#waiting++
    this.#unflushed = true
    this.#options.store.writeSoon(entry.statements).catch((error: unknown) => this.#refused(entry, error))
  }

  /** The store takes no more: the row waits here. There are never more of them than requests were running when the queue was full. */
  #refused(entry: Entry, error: unknown): void {
    this.#waiting = this.#options.maxWaitingRows // ask the store before anything new begins
    if (error instanceof Fault && error.code === 'store_busy' && !this.#closed) {
      entry.state = 'refused'
      this.#refusedRows++
      this.#retryLater()
      return
    }
    this.#entries = this.#entries.filter(other => other !== entry)
    this.#options.log.error('ledger.row_lost', { ...entry.row, cause: describe(error) })
  }

  #retryLater(): void {
    if (this.#retrying) return
    this.#retrying = true
    this.#options.timers.after(retryMs, () => {
      this.#retrying = false
      this.#sendRefused()
      this.#tickSoon()
    })
  }

  #sendRefused(): void {
    if (this.#refusedRows === 0) return
    this.#refusedRows = 0
    for (const entry of this.#entries)
      if (entry.state === 'refused') {
        entry.state = 'queued'
        this.#send(entry)
      }
  }

  #tickSoon(): void {
    if (this.#ticking) return
    this.#ticking = true
    this.#options.timers.after(this.#options.periodMs, () => this.#tick())
  }

  #tick(): void {
    this.#ticking = false
    for (const running of this.#older) if (!running.ended) this.#open(running)
    this.#older = this.#younger
    this.#younger = []
    if (this.#unflushed) this.#flush()
    if (this.#older.length > 0) this.#tickSoon()
  }

  #open(running: Running): void {
    this.#waiting++
    this.#unflushed = true
    this.#options.store.writeSoon(this.#insertOpen(running.openRow())).catch((error: unknown) => {
      // Its final row is what counts; this one would only have told of it after a kill.
      this.#waiting = this.#options.maxWaitingRows
      this.#options.log.warn('ledger.open_row_lost', { cause: describe(error) })
    })
  }

  /** One at a time: while the store is failing, the first goes on until it is well again. */
  #flush(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#unflushed = false
    const queued = this.#entries.filter(entry => entry.state === 'queued')
    this.#options.store.flush().then(
      () => {
        this.#flushing = false
        for (const entry of queued) if (entry.state === 'queued') entry.state = 'stored'
        this.#waiting = this.#options.store.health().soon.waiting
        this.#forget()
        if (this.#unflushed) this.#tickSoon()
      },
      (error: unknown) => {
        this.#flushing = false
        this.#waiting = this.#options.maxWaitingRows
        this.#options.log.error('ledger.flush_failed', { cause: describe(error) })
      },
    )
  }

  #forget(): void {
    if (this.#readers === 0) this.#entries = this.#entries.filter(entry => entry.state !== 'stored')
  }
}

const isList = (given: Compilable | readonly Compilable[]): given is readonly Compilable[] => Array.isArray(given)

const columns = [
  ...(['id', 'organization_id', 'project_id', 'key_id', 'user_id', 'operation', 'model', 'requested_model'] as const),
  ...(['end_user', 'input_tokens', 'cached_tokens', 'output_tokens', 'requests', 'quantity', 'unit'] as const),
  ...(['variant', 'batch', 'cost_nano', 'reserved_nano', 'status', 'duration_ms', 'created_at'] as const),
]
