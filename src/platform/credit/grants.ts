import type { CreditGrantsTable } from '../../store/schema/money.ts'
import type { Statement, Store } from '../../store/store.ts'

/** A grant of credit as it is stored. */
export type GrantRow = CreditGrantsTable

/** What an organisation has been given and what is left. Nano-dollars; grants that have expired count as given, and are not left. */
export interface Credit {
  /** Whether anything is charged to it. */
  enabled: boolean
  grantedNano: bigint
  usedNano: bigint
  leftNano: bigint
  /** Of that, what was paid for. */
  paidLeftNano: bigint
  /** Grants that can still be spent, in the order in which they are. */
  grants: GrantRow[]
}

/** @returns undefined when there is no such organisation */
export async function creditOf(store: Store, organizationId: string, nowMs: number): Promise<Credit | undefined> {
  const organization = await store.read
    .selectFrom('organizations')
    .select('credit')
    .where('id', '=', organizationId)
    .executeTakeFirst()
  if (organization === undefined) return undefined
  const rows = await grantsOf(store, organizationId).orderBy('created_at').orderBy('id').execute()
  const left = rows.filter(row => leftOf(row, nowMs) > 0).sort((one, other) => endOf(one) - endOf(other))
  const sum = (list: readonly GrantRow[], amount: (row: GrantRow) => number) =>
    list.reduce((total, row) => total + BigInt(amount(row)), 0n)
  return {
    enabled: organization.credit === 1,
    grantedNano: sum(rows, row => row.amount_nano),
    usedNano: sum(rows, row => row.used_nano),
    leftNano: sum(left, row => leftOf(row, nowMs)),
    paidLeftNano: sum(
      left.filter(({ kind }) => kind === 'top_up'),
      row => leftOf(row, nowMs),
    ),
    grants: left,
  }
}

/** All grants of an organisation. */
export const grantsOf = (store: Store, organizationId: string) =>
  store.read.selectFrom('credit_grants').selectAll().where('organization_id', '=', organizationId)

/** What can still be spent of a grant. Nano-dollars. */
export const leftOf = (row: GrantRow, nowMs: number): number =>
  endOf(row) > nowMs ? Math.max(0, row.amount_nano - row.used_nano) : 0

const endOf = ({ expires_at: expiresAt }: GrantRow): number => expiresAt ?? Number.MAX_SAFE_INTEGER

export const insertGrant = (store: Store, row: GrantRow): Statement =>
  store.build.insertInto('credit_grants').values(row)

/** The same day of a later month (UTC), or that month's last day. Unix milliseconds. */
export function monthsLater(atMs: number, months: number): number {
  const at = new Date(atMs)
  const first = Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months)
  const days = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months + 1, 0)).getUTCDate()
  const sinceMidnightMs = atMs - Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate())
  return first + (Math.min(at.getUTCDate(), days) - 1) * dayMs + sinceMidnightMs
}

export const dayMs = 86_400_000
