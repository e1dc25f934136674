import { fault } from '../lib/faults.ts'
import { recordsMax } from '../lib/memory.ts'
import type { Condition } from './condition.ts'
import { errorOf, type Failure, mayPass } from './failure.ts'
import type { Call } from './group-commit.ts'
import type { Outcome } from './writer-messages.ts'

export interface WriteBehindOptions {
  submit(calls: readonly Call[]): Promise<readonly Outcome[]>
  readonly condition: Condition
  /** How long a row may wait before it is written. */
  readonly flushMs: number
  /** So many rows wait freely; with more, the returned promises hold their callers back; with twice as many, rows are refused. */
  readonly maxRows: number
  /** A row that can never be stored, for example because its id exists. It leaves the queue. */
  onRefused(failure: Failure): void
}

const maxBatch = 500

/** A row of usage, in the ledger and here, is a kilobyte. While the database is locked for half a minute, requests go on. */
export const usualSoonRows = recordsMax(1024)

interface Waiter {
  /** Resolved when so many rows have left the queue since the start. */
  readonly at: number
  resolve(): void
  reject(error: Error): void
}

/** Rows that need not be on the disk when their request ends, written soon and together. In order; never dropped in silence. */
export class WriteBehind {
  readonly #options: WriteBehindOptions
  readonly counts = { stored: 0, refused: 0 }
  #queue: Call[] = []
  #left = 0
  #waiters: Waiter[] = []
  #timer: NodeJS.Timeout | undefined
  /** How many rows shall have left before the draining ends. */
  #target = 0
  #draining = false
  #closed = false

  constructor(options: WriteBehindOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#queue.length
  }

  /** Resolves when there is room for the next row (mostly at once); the row itself is queued in any case unless it rejects. */
  add(call: Call): Promise<void> {
    const { maxRows, condition } = this.#options
    if (this.#closed) return Promise.reject(fault.draining())
    if (condition.state === 'failed') return Promise.reject(fault.storeFailed(new Error(condition.reason ?? 'failed')))
    if (this.#queue.length >= 2 * maxRows)
      return Promise.reject(fault.storeBusy(new Error(`${this.#queue.length} rows wait for the store`)))
    this.#queue.push(call)
    if (this.#queue.length >= maxBatch) this.#drain()
    else this.#timer ??= setTimeout(() => this.#drain(), this.#options.flushMs)
    return this.#queue.length <= maxRows ? roomy : this.#until(this.#left + this.#queue.length - maxRows)
  }

  /** Resolves when every row of this moment is stored (or was refused). While the store is failing it waits; rejects when it has failed. */
  flush(): Promise<void> {
    if (this.#queue.length === 0) return roomy
    const done = this.#until(this.#left + this.#queue.length)
    this.#drain()
    return done
  }

  /** Takes no more rows, and tries to store those that wait for at most so long. Returns how many could not be stored. */
  async close(maxMs: number): Promise<number> {
    this.#closed = true
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<void>(resolve => {
      timer = setTimeout(resolve, maxMs)
    })
    const flushed = this.flush().catch(() => {}) // what is left is counted below
    await Promise.race([flushed, deadline])
    clearTimeout(timer)
    clearTimeout(this.#timer)
    return this.#queue.length
  }

  #until(at: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ at, resolve, reject }))
  }

  /** Writes what waits now; rows that come meanwhile wait for their own turn, so that they share a commit as well. */
  #drain(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#target = this.#left + this.#queue.length
    if (this.#draining) return
    this.#draining = true
    this.#empty().catch(error => this.#giveUp(error))
  }

  async #empty(): Promise<void> {
    try {
      while (this.#left < this.#target) {
        const batch = this.#queue.slice(0, maxBatch)
        const outcomes = await this.#options.submit(batch)
        const kept = batch.filter((_, index) => this.#stays(outcomes[index]))
        this.#queue.splice(0, batch.length, ...kept)
        this.#leave(batch.length - kept.length)
        if (kept.length > 0) await this.#options.condition.recovered()
      }
    } finally {
      this.#draining = false
    }
  }

  #stays(outcome: Outcome | undefined): boolean {
    if (outcome?.ok) {
      this.counts.stored++
      return false
    }
    if (outcome === undefined || mayPass(outcome.failure)) return true
    if (outcome.failure.kind === 'sync' || outcome.failure.kind === 'closed') throw errorOf(outcome.failure)
    this.counts.refused++
    this.#options.onRefused(outcome.failure)
    return false
  }

  #leave(rows: number): void {
    this.#left += rows
    const ready = this.#waiters.filter(waiter => waiter.at <= this.#left)
    if (ready.length === 0) return
    this.#waiters = this.#waiters.filter(waiter => waiter.at > this.#left)
    for (const waiter of ready) waiter.resolve()
  }

  /** The store has failed for good: whoever waits hears it. The rows stay, so that `close` can count them. */
  #giveUp(error: unknown): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(fault.storeFailed(error))
  }
}

const roomy: Promise<void> = Promise.resolve()
