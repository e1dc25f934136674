import type { Clock } from '../../lib/clock.ts'
import { type Fault, fault } from '../../lib/faults.ts'
import type { Ids } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { systemTimers, type Timers } from '../../lib/timers.ts'
import { type Store, usualSoonRows } from '../../store/store.ts'
import { type Lowered, loweredBy, usualBatchDiscount } from '../prices/batch.ts'
import { covers, type Price } from '../prices.ts'
import type { Book, Hold, Purse } from './account.ts'
import { Books } from './books.ts'
import { Bill, type Fit } from './fit.ts'
import { Held } from './held.ts'
import { Journal } from './journal.ts'
import { Notices } from './notices.ts'
import { reconcile } from './reconcile.ts'
import { refusal } from './refusal.ts'
import { sortable } from './row-ids.ts'
import type { Intent, Notice, OpenLedger, Outcome, Reservation, Standing, Worst } from './types.ts'

export interface LedgerServices {
  store: Store
  clock: Clock
  ids: Ids
  log: Log
  timers?: Timers
}

export interface LedgerOptions {
  /** `strict`: what is reserved is on the disk before a request starts, and what it cost before it ends. */
  mode: 'grouped' | 'strict'
  /** What a process before this one left open is settled. Only for the one that serves the data folder: others have nothing to say. */
  reconcile: boolean
  /** Told when somebody has spent more than a soft limit. */
  notify?(notice: Notice): void
  /** What is taken off the price for lines of batches, 0 to 1. Default 0.5. */
  batchDiscount?: number
  /** How long a row waits before it is written, and a request before it gets a row while it runs. Default 15: a commit costs the process as much as some hundred requests. */
  periodMs?: number
  /** So many rows may wait for the store; beyond that new work is refused. Default: as many as the store takes before it holds others back. */
  maxWaitingRows?: number
  /** So many end users of each organisation are kept in mind; whoever pauses is looked up again. Default 20,000. */
  endUsersMax?: number
}

/**
 * Who may spend what: one row of `usage` for each request, and in memory what the month of everybody has come to whose money is
 * limited, so that check and reservation are one step in one turn of the event loop and the database is never waited for.
 *
 * A month is a calendar month (UTC). A request counts in the month in which it ends, because that is when it is known what it cost.
 * A limit holds for requests that start after it is known; what a request costs is what its price said when it started.
 * @throws Error when the tables cannot be read, or what was left open cannot be settled
 */
export async function makeLedger(services: LedgerServices, options: LedgerOptions): Promise<OpenLedger> {
  const { store, clock, log, timers = systemTimers } = services
  if (options.reconcile) await reconcile({ store, log })
  const { periodMs = 15, maxWaitingRows = usualSoonRows, endUsersMax = 20_000 } = options
  const journal = new Journal({ store, timers, log, periodMs, maxWaitingRows })
  const books = await Books.open({ store, journal, clock, log, endUsersMax })
  return new RunningLedger({ ...services, journal, books }, options)
}

type Parts = LedgerServices & { journal: Journal; books: Books }

/** A request on its way to a reservation. */
interface Asked {
  readonly intent: Intent
  readonly price: Price
  readonly book: Book
  readonly worst?: Worst
}

class RunningLedger implements OpenLedger {
  readonly #parts: Parts
  readonly strict: boolean
  readonly #notices: Notices | undefined
  readonly #lowered: Lowered
  readonly #nextId: (nowMs: number) => string
  readonly #end = (held: Held, outcome: Outcome) => this.#settle(held, outcome)
  #running = 0
  #waiting: (() => void)[] = []

  constructor(parts: Parts, { mode, notify, batchDiscount = usualBatchDiscount }: LedgerOptions) {
    const { store, clock, log, ids } = parts
    this.#parts = parts
    this.strict = mode === 'strict'
    this.#lowered = loweredBy(batchDiscount)
    this.#notices = notify === undefined ? undefined : new Notices({ store, clock, log, notify })
    this.#nextId = sortable(ids.make('usage'))
    parts.books.whenRead = () => this.#tellAll()
    this.#tellAll()
  }

  reserve(intent: Intent): Reservation | Promise<Reservation> {
    this.#parts.journal.admit()
    const { price: whole, name } = intent.target
    if (whole === null || !covers(whole, intent.billed ?? null)) throw fault.modelNotPriced(name)
    const price = intent.batch ? this.#lowered(whole) : whole
    const book = intent.isRepeat ? undefined : this.#parts.books.of(intent.caller.organizationId)
    return book === undefined ? this.#begin(intent, price) : this.#attempt({ intent, price, book })
  }

  changed(): Promise<void> {
    return this.#parts.books.changed()
  }

  look(): Promise<void> {
    return this.#parts.books.look()
  }

  standing(organizationId: string, subject: Notice['subject'], id: string): Standing | undefined {
    const { books, clock } = this.#parts
    const nowMs = clock.now()
    books.turn(nowMs)
    return books.of(organizationId)?.standing(subject, id, nowMs)
  }

  async settled(withinMs: number): Promise<number> {
    if (this.#running > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      const timer = setTimeout(resolve, withinMs)
      await promise
      clearTimeout(timer)
    }
    return this.#running
  }

  close(): void {
    this.#parts.books.close()
    this.#parts.journal.close()
  }

  /** Check and reservation without a pause between them; pauses only before. */
  #attempt(asked: Asked): Reservation | Promise<Reservation> {
    const { intent, price, book } = asked
    const { books, clock } = this.#parts
    const nowMs = clock.now()
    books.turn(nowMs)
    const missing = books.missing(book, intent.endUser)
    if (missing !== undefined) return missing.then(() => this.#attempt(asked))
    const purse = book.purseOf(intent.caller, intent.endUser)
    if (purse === undefined) return this.#begin(intent, price)

    const worst = asked.worst ?? intent.worst()
    const bill = new Bill(price, worst, intent.target)
    const leftNano = purse.leftNano(nowMs)
    const whole = bill.whole(leftNano)
    if (whole !== undefined) return this.#begin(intent, price, whole, purse.hold(whole, nowMs))
    if (worst.count !== undefined && !bill.hopeless(leftNano))
      return worst.count().then(inputTokens => this.#attempt({ ...asked, worst: counted(worst, inputTokens) }))
    const clamped = bill.clamped(leftNano)
    if (clamped !== undefined) return this.#begin(intent, price, clamped, purse.hold(clamped, nowMs))
    throw this.#refused(asked, purse, bill)
  }

  #refused({ intent, book }: Asked, purse: Purse, bill: Bill): Fault {
    const { books, clock } = this.#parts
    const { account, leftNano } = purse.narrowest(clock.now())
    if (account === undefined) this.#notices?.credit(book, books.month, true)
    return refusal({ operation: intent.operation, account, leftNano, neededNano: bill.leastNano(), month: books.month })
  }

  #begin(intent: Intent, price: Price, fit?: Fit, hold?: Hold): Reservation | Promise<Reservation> {
    const { journal, clock } = this.#parts
    const held = new Held(
      { intent, price, hold, outputMax: fit?.outputMax ?? null, clock, nextId: this.#nextId },
      this.#end,
    )
    this.#running++
    if (!this.strict) {
      journal.began(held)
      return held
    }
    return journal.commitOpen(held.openRow()).then(
      () => held,
      (error: unknown) => {
        hold?.release()
        this.#ended()
        throw error
      },
    )
  }

  #settle(held: Held, outcome: Outcome): Promise<void> | undefined {
    const { books, clock, journal } = this.#parts
    const nowMs = clock.now()
    books.turn(nowMs)
    const row = held.finalRow(outcome, nowMs)
    held.hold?.release()
    const book = books.of(row.organization_id)
    const taken = book?.takeCredit(row.cost_nano, held.hold?.atMs ?? nowMs) ?? []
    const accounts = book?.accountsOf(held.caller, row.end_user) ?? []
    for (const account of accounts) account.spentNano += row.cost_nano
    const committed = this.strict ? journal.commit(row, held.journalled, taken) : undefined
    if (committed === undefined) journal.soon(row, held.journalled, taken)
    if (this.#notices !== undefined && book !== undefined) {
      for (const account of accounts) this.#notices.spent(account, books.month)
      this.#notices.credit(book, books.month)
    }
    this.#ended()
    // Nobody is told that a request which failed or was left is done.
    return outcome.status === 'ok' ? committed : committed?.catch(() => {})
  }

  #ended(): void {
    if (--this.#running > 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** A limit that was lowered may have been passed already. */
  #tellAll(): void {
    const { books } = this.#parts
    if (this.#notices === undefined) return
    for (const book of books.all()) {
      for (const account of book.all()) this.#notices.spent(account, books.month)
      this.#notices.credit(book, books.month)
    }
  }
}

/** With the input as it was counted; never more than the bound that was told before, which is a bound, too. */
function counted({ count, ...worst }: Worst, inputTokens: number): Worst {
  return { ...worst, inputTokens: Math.min(worst.inputTokens, inputTokens) }
}
