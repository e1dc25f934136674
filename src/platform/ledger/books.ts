import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { SpendLimitsTable } from '../../store/schema/money.ts'
import type { Store } from '../../store/store.ts'
import { type WatchedRows, watchRows } from '../changes.ts'
import { Account, Book, isLimit, type Limit, noLimit } from './account.ts'
import type { Journal } from './journal.ts'
import { type Month, monthOf } from './month.ts'
import { spentBefore } from './sums.ts'
import { creditRows, fingerprint, limitPages } from './tables.ts'

interface BookParts {
  store: Store
  journal: Journal
  clock: Clock
  log: Log
  /** Of each organisation, kept in mind at once. */
  endUsersMax: number
}

/** The accounts of everybody whose money is limited, as the tables say, with what was spent in this month. */
export class Books {
  readonly #parts: BookParts
  readonly #books = new Map<string, Book>()
  #month: Month
  #rows: WatchedRows | undefined
  /** Called after the tables were read. */
  whenRead: () => void = () => {}

  /** @throws what reading the tables throws */
  static async open(parts: BookParts): Promise<Books> {
    const books = new Books(parts)
    books.#rows = await watchRows({
      name: 'ledger',
      mark: () => fingerprint(parts.store),
      read: () => books.#read(),
      log: parts.log,
    })
    return books
  }

  private constructor(parts: BookParts) {
    this.#parts = parts
    this.#month = monthOf(parts.clock.now())
  }

  get month(): Month {
    return this.#month
  }

  /** Undefined where nobody's money is, or was, limited. */
  of(organizationId: string): Book | undefined {
    return this.#books.get(organizationId)
  }

  all(): IterableIterator<Book> {
    return this.#books.values()
  }

  /** A new month begins when its first moment is seen. It stays when the clock is set back: what was spent is not forgotten. */
  turn(nowMs: number): void {
    if (nowMs < this.#month.endMs) return
    this.#month = monthOf(nowMs)
    for (const book of this.#books.values()) book.turn()
  }

  /** Takes over what the tables say now. */
  async changed(): Promise<void> {
    await this.#rows?.changed()
  }

  /** The same, if another process has changed them. */
  async look(): Promise<void> {
    await this.#rows?.look()
  }

  close(): void {
    this.#rows?.close()
  }

  /** What an end user has spent, where that is not known and matters. */
  missing(book: Book, endUser: string | null): Promise<void> | undefined {
    if (endUser === null || !isLimit(book.limitOf(endUser))) return undefined
    const known = book.recentEndUser(endUser)
    if (known !== undefined) return known.loading
    const account = new Account(book.organizationId, 'end_user', endUser)
    account.limit = book.limitOf(endUser)
    account.loading = this.#load([account]).then(
      () => {
        account.loading = undefined
      },
      (error: unknown) => {
        book.dropEndUser(account)
        throw error
      },
    )
    book.addEndUser(account)
    return account.loading
  }

  async #read(): Promise<void> {
    const unseen = new Set<Account>()
    const unseenUsers = new Map<Book, Set<string>>()
    for (const book of this.#books.values()) {
      for (const account of book.all()) if (account.subject !== 'end_user') unseen.add(account)
      unseenUsers.set(book, new Set([everyone, ...book.endUserLimits.keys()]))
    }
    const added = new Map<Account, Limit>()
    for await (const page of limitPages(this.#parts.store))
      for (const row of page) {
        const book = this.#bookOf(row.organization_id)
        if (row.subject === 'end_user') {
          unseenUsers.get(book)?.delete(row.subject_id)
          setEndUserLimit(book, row)
          continue
        }
        const account = accountOf(book, row)
        if (account.isKnown) account.limit = limitIn(row)
        else added.set(account, limitIn(row))
        unseen.delete(account)
      }
    for (const account of unseen) account.limit = noLimit
    for (const [book, users] of unseenUsers) for (const user of users) removeEndUserLimit(book, user)
    for (const book of this.#books.values()) book.applyEndUserLimits()
    await this.#readCredit()
    await this.#load([...added.keys()])
    for (const [account, limit] of added) account.limit = limit
    this.whenRead()
  }

  async #readCredit(): Promise<void> {
    const { store, clock } = this.#parts
    const nowMs = clock.now()
    const credit = await creditRows(store, nowMs)
    for (const organizationId of credit.keys()) this.#bookOf(organizationId)
    for (const book of this.#books.values()) {
      const grants = credit.get(book.organizationId)
      book.credit.on = grants !== undefined
      if (grants !== undefined) book.credit.update(grants, nowMs)
    }
  }

  async #load(accounts: readonly Account[]): Promise<void> {
    if (accounts.length === 0) return
    const { store, journal, clock } = this.#parts
    const nowMs = clock.now()
    this.turn(nowMs)
    const month = this.#month
    for (const account of accounts) account.spentNano = 0
    const spent = await spentBefore({ accounts, month, nowMs }, store, journal)
    for (const [account, nano] of spent) {
      if (this.#month === month) account.spentNano += nano
      account.isKnown = true
    }
  }

  #bookOf(organizationId: string): Book {
    const known = this.#books.get(organizationId)
    if (known !== undefined) return known
    const book = new Book(organizationId, this.#parts.endUsersMax)
    this.#books.set(organizationId, book)
    return book
  }
}

/** In `spend_limits`: each end user without a limit of their own. */
const everyone = '*'

const limitIn = ({ hard_nano, soft_nano }: SpendLimitsTable): Limit => ({ hardNano: hard_nano, softNano: soft_nano })

function setEndUserLimit(book: Book, row: SpendLimitsTable): void {
  if (row.subject_id === everyone) Object.assign(book.everyEndUser, limitIn(row))
  else book.endUserLimits.set(row.subject_id, limitIn(row))
}

function removeEndUserLimit(book: Book, user: string): void {
  if (user === everyone) Object.assign(book.everyEndUser, noLimit)
  else book.endUserLimits.delete(user)
}

/** A new account counts from this moment on; its limit holds once it is known what was spent before. */
function accountOf(book: Book, { subject, subject_id: id }: SpendLimitsTable): Account {
  if (subject === 'organization') {
    book.organization ??= new Account(book.organizationId, subject, id)
    return book.organization
  }
  const accounts = subject === 'project' ? book.projects : book.keys
  const account = accounts.get(id) ?? new Account(book.organizationId, subject, id)
  accounts.set(id, account)
  return account
}
