import { setImmediate as turn } from 'node:timers/promises'
import type { Store } from '../../store/store.ts'
import type { Account } from './account.ts'
import type { Journal } from './journal.ts'
import type { Month } from './month.ts'

/** Rows are summed in pieces of about so many, so that the event loop is free between them. */
const pieceRows = { least: 5_000, most: 20_000 }
const firstPieceMs = 2 * 3_600_000
/** A sum is taken again when a request was settled between the question and its answer, or when the clock was set back meanwhile. */
const triesMax = 100

export interface Wanted {
  /** All of them end users, or none. */
  readonly accounts: readonly Account[]
  readonly month: Month
  readonly nowMs: number
}

/**
 * What was spent in a month by accounts that are new. They must be booked on already: what is settled from now on is theirs to count,
 * and what is on its way to the database is counted here from memory, so that nothing is missed or counted twice.
 */
export async function spentBefore(wanted: Wanted, store: Store, journal: Journal): Promise<Map<Account, number>> {
  const forget = journal.remember()
  const before = journal.underWay
  try {
    for (let tries = 1; ; tries++) {
      const sums = new Sums(wanted.accounts)
      sums.add(before.filter(row => row.created_at >= wanted.month.startMs && row.created_at < wanted.month.endMs))
      // Rows from here on are told apart one by one; those before are on the disk and do not change.
      const cutMs = Math.min(wanted.nowMs, ...times(journal))
      for (const accounts of Map.groupBy(wanted.accounts, ({ organizationId }) => organizationId).values())
        await addSums(sums, { accounts, month: wanted.month, cutMs }, { store, journal })
      if (Math.min(cutMs, ...times(journal)) === cutMs || tries === triesMax) return sums.result()
    }
  } finally {
    forget()
  }
}

const times = (journal: Journal): number[] => journal.underWay.map(row => row.created_at)

/** The accounts of one organisation. */
async function addSums(
  sums: Sums,
  { accounts, month, cutMs }: { accounts: readonly Account[]; month: Month; cutMs: number },
  { store, journal }: { store: Store; journal: Journal },
): Promise<void> {
  const untilMs = Math.max(month.startMs, cutMs)
  // An index leads to the rows of an end user, and there are not many.
  let pieceMs = areEndUsers(accounts) ? untilMs - month.startMs : firstPieceMs
  for (let fromMs = month.startMs; fromMs < untilMs; ) {
    const toMs = Math.min(untilMs, fromMs + pieceMs)
    const groups = await grouped(store, accounts, { fromMs, toMs })
    sums.add(groups)
    const rows = groups.reduce((total, group) => total + group.rows, 0)
    if (rows < pieceRows.least) pieceMs *= 2
    else if (rows > pieceRows.most) pieceMs = Math.ceil(pieceMs / 2)
    fromMs = toMs
    await turn()
  }
  sums.add(await recent(store, journal, { accounts, fromMs: untilMs, toMs: month.endMs }))
}

/** What stands in one row of usage, or in several of one kind. */
interface Spent {
  organization_id: string
  project_id?: string
  key_id?: string
  end_user?: string | null
  cost_nano: number
}

class Sums {
  readonly #accounts: readonly Account[]
  readonly #byName = new Map<string, number>()

  constructor(accounts: readonly Account[]) {
    this.#accounts = accounts
    for (const account of accounts) this.#byName.set(nameOf(account), 0)
  }

  add(rows: readonly Spent[]): void {
    for (const row of rows) {
      this.#addTo(row, 'organization', row.organization_id)
      this.#addTo(row, 'project', row.project_id)
      this.#addTo(row, 'key', row.key_id)
      this.#addTo(row, 'end_user', row.end_user)
    }
  }

  result(): Map<Account, number> {
    return new Map(this.#accounts.map(account => [account, this.#byName.get(nameOf(account)) ?? 0]))
  }

  #addTo(row: Spent, subject: Account['subject'], id: string | null | undefined): void {
    if (id == null) return
    const name = nameOf({ organizationId: row.organization_id, subject, id })
    const sum = this.#byName.get(name)
    if (sum !== undefined) this.#byName.set(name, sum + row.cost_nano)
  }
}

const nameOf = ({ organizationId, subject, id }: Pick<Account, 'organizationId' | 'subject' | 'id'>): string =>
  `${organizationId}\n${subject}\n${id}`

interface Span {
  fromMs: number
  toMs: number
}

function settledRows(store: Store, accounts: readonly Account[], { fromMs, toMs }: Span) {
  const [{ organizationId } = { organizationId: '' }] = accounts
  const rows = store.read
    .selectFrom('usage')
    .where('organization_id', '=', organizationId)
    .where('created_at', '>=', fromMs)
    .where('created_at', '<', toMs)
    .where('status', '!=', 'open')
  const names = accounts.map(({ id }) => id)
  return areEndUsers(accounts) ? rows.where('end_user', 'in', names) : rows
}

const areEndUsers = (accounts: readonly Account[]): boolean => accounts[0]?.subject === 'end_user'

const columns = { organization: undefined, project: 'project_id', key: 'key_id', end_user: 'end_user' } as const

/** One scan serves organisation, projects and keys; by no more columns than are asked for, because each costs as much as the sum. */
async function grouped(store: Store, accounts: readonly Account[], span: Span): Promise<(Spent & { rows: number })[]> {
  const by = [...new Set(accounts.map(({ subject }) => columns[subject]))].filter(column => column !== undefined)
  const groups = await settledRows(store, accounts, span)
    .$if(by.length > 0, query => query.groupBy(by))
    .select(by)
    .select(({ fn }) => [fn.sum<number | null>('cost_nano').as('cost_nano'), fn.countAll<number>().as('rows')])
    .execute()
  const [{ organizationId } = { organizationId: '' }] = accounts
  return groups.map(group => ({ ...group, cost_nano: group.cost_nano ?? 0, organization_id: organizationId }))
}

/** Rows that the database has and memory does not count. */
async function recent(
  store: Store,
  journal: Journal,
  { accounts, ...span }: Span & { accounts: readonly Account[] },
): Promise<Spent[]> {
  for (let tries = 1; ; tries++) {
    const { given } = journal
    const rows = await settledRows(store, accounts, span)
      .select(['id', 'organization_id', 'project_id', 'key_id', 'end_user', 'cost_nano'])
      .execute()
    if (journal.given !== given && tries < triesMax) continue
    const counted = new Set(journal.underWay.map(row => row.id))
    return rows.filter(row => !counted.has(row.id))
  }
}
