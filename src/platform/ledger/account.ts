import type { LimitSubject } from '../../store/schema/money.ts'
import type { Caller } from '../access.ts'
import { Credit, release, type Share, type Taken } from './credit.ts'
import type { Fit } from './fit.ts'
import type { Standing } from './types.ts'

/** What may be spent in a month, in nano-dollars; null: no limit. Shared by all that it is for, and changed in place. */
export interface Limit {
  hardNano: number | null
  softNano: number | null
}

export const noLimit: Readonly<Limit> = { hardNano: null, softNano: null }
export const isLimit = ({ hardNano, softNano }: Limit): boolean => hardNano !== null || softNano !== null

/** What somebody has spent in this month, and what running requests hold. Once known it is kept up to date, with a limit or without. */
export class Account {
  readonly organizationId: string
  readonly subject: LimitSubject
  readonly id: string
  limit: Readonly<Limit> = noLimit
  spentNano = 0
  heldNano = 0
  /** The soft limit that people were told of in this month. */
  toldNano: number | null = null
  /** Whether `spentNano` holds what was spent before the account was made. */
  isKnown = false
  /** While that is read, and a request waits for it. */
  loading: Promise<void> | undefined

  constructor(organizationId: string, subject: LimitSubject, id: string) {
    this.organizationId = organizationId
    this.subject = subject
    this.id = id
  }

  get leftNano(): number {
    return this.limit.hardNano === null
      ? Number.POSITIVE_INFINITY
      : this.limit.hardNano - this.spentNano - this.heldNano
  }

  turn(): void {
    this.spentNano = 0
    this.toldNano = null
  }
}

/** The accounts of one organisation that has, or had, a limit or credit. */
export class Book {
  readonly organizationId: string
  readonly credit = new Credit()
  organization: Account | undefined
  readonly projects = new Map<string, Account>()
  readonly keys = new Map<string, Account>()
  /** Of end users by name. */
  readonly endUserLimits = new Map<string, Limit>()
  /** For every end user without a limit of their own. */
  readonly everyEndUser: Limit = { ...noLimit }
  /** Those that have asked for something; whoever paused longest stands first. */
  readonly #endUsers = new Map<string, Account>()

  readonly #endUsersMax: number

  /** @param endUsersMax that are kept in mind; beyond it, whoever pauses is looked up again */
  constructor(organizationId: string, endUsersMax: number) {
    this.organizationId = organizationId
    this.#endUsersMax = endUsersMax
  }

  /** The limit of an end user. */
  limitOf(endUser: string): Readonly<Limit> {
    return this.endUserLimits.get(endUser) ?? this.everyEndUser
  }

  /** The account of somebody who asks just now. */
  recentEndUser(name: string): Account | undefined {
    const account = this.#endUsers.get(name)
    if (account === undefined) return undefined
    this.#endUsers.delete(name)
    this.#endUsers.set(name, account)
    return account
  }

  addEndUser(account: Account): void {
    this.#endUsers.set(account.id, account)
    if (this.#endUsers.size <= this.#endUsersMax) return
    for (const [name, { heldNano, loading }] of this.#endUsers)
      if (heldNano === 0 && loading === undefined) {
        this.#endUsers.delete(name)
        return
      }
  }

  /** After limits of end users have changed. */
  applyEndUserLimits(): void {
    for (const account of this.#endUsers.values()) account.limit = this.limitOf(account.id)
  }

  /** What could not be found out is forgotten, to be tried again. */
  dropEndUser(account: Account): void {
    if (this.#endUsers.get(account.id) === account) this.#endUsers.delete(account.id)
  }

  /** A new month begins. */
  turn(): void {
    for (const account of this.all()) account.turn()
    for (const [name, { heldNano }] of this.#endUsers) if (heldNano === 0) this.#endUsers.delete(name)
  }

  *all(): Generator<Account, void> {
    if (this.organization !== undefined) yield this.organization
    yield* this.projects.values()
    yield* this.keys.values()
    yield* this.#endUsers.values()
  }

  /** As far as there is an account. */
  standing(subject: LimitSubject | 'credit', id: string, nowMs: number): Standing | undefined {
    if (subject === 'credit') return this.credit.on ? this.credit.standing(nowMs) : undefined
    const account = {
      organization: () => this.organization,
      project: () => this.projects.get(id),
      key: () => this.keys.get(id),
      end_user: () => this.#endUsers.get(id),
    }[subject]()
    if (account === undefined) return undefined
    return { limitNano: account.limit.hardNano, spentNano: account.spentNano, heldNano: account.heldNano }
  }

  /** The accounts that a request of this caller is booked on, those without a limit included. */
  accountsOf({ projectId, keyId }: Caller, endUser: string | null): Account[] {
    const accounts: Account[] = []
    if (this.organization !== undefined) accounts.push(this.organization)
    const project = this.projects.get(projectId)
    if (project !== undefined) accounts.push(project)
    const key = this.keys.get(keyId)
    if (key !== undefined) accounts.push(key)
    const user = endUser === null ? undefined : this.#endUsers.get(endUser)
    if (user !== undefined) accounts.push(user)
    return accounts
  }

  /** What this caller's request must fit into. @returns undefined when nobody's money is limited */
  purseOf(caller: Caller, endUser: string | null): Purse | undefined {
    const accounts = this.accountsOf(caller, endUser)
    const isLimited = this.credit.on || accounts.some(({ limit }) => limit.hardNano !== null)
    return isLimited ? new Purse(accounts, this.credit.on ? this.credit : undefined) : undefined
  }

  /** Takes what a request cost from the credit, if the organisation lives on it. */
  takeCredit(costNano: number, atMs: number): Taken[] {
    return this.credit.on && costNano > 0 ? this.credit.take(costNano, atMs) : []
  }
}

/** Everything that one request must fit into. */
export class Purse {
  readonly #accounts: readonly Account[]
  readonly #credit: Credit | undefined

  constructor(accounts: readonly Account[], credit: Credit | undefined) {
    this.#accounts = accounts
    this.#credit = credit
  }

  leftNano(nowMs: number): number {
    return this.narrowest(nowMs).leftNano
  }

  /** Whose money ends first; undefined as account: the organisation's credit. */
  narrowest(nowMs: number): { leftNano: number; account: Account | undefined } {
    let leftNano = this.#credit?.leftNano(nowMs) ?? Number.POSITIVE_INFINITY
    let narrowest: Account | undefined
    for (const account of this.#accounts)
      if (account.leftNano < leftNano) {
        leftNano = account.leftNano
        narrowest = account
      }
    return { leftNano, account: narrowest }
  }

  /** In the same turn as `leftNano`, so that nobody comes between. @returns what gives it back */
  hold({ costNano }: Fit, nowMs: number): Hold {
    for (const account of this.#accounts) account.heldNano += costNano
    return new Hold(costNano, this.#accounts, this.#credit?.hold(costNano, nowMs) ?? [], nowMs)
  }
}

/** What is held for one request. */
export class Hold {
  readonly nano: number
  readonly atMs: number
  readonly #accounts: readonly Account[]
  readonly #shares: readonly Share[]

  constructor(nano: number, accounts: readonly Account[], shares: readonly Share[], atMs: number) {
    this.nano = nano
    this.atMs = atMs
    this.#accounts = accounts
    this.#shares = shares
  }

  release(): void {
    for (const account of this.#accounts) account.heldNano -= this.nano
    release(this.#shares)
  }
}
