import type { Log } from '../../lib/log.ts'
import type { UsageTable } from '../../store/schema/money.ts'
import type { Statement, Store } from '../../store/store.ts'
import { Credit } from './credit.ts'
import { creditRows } from './tables.ts'

/** So many rows at once. */
const batchRows = 500

type OpenRow = Pick<UsageTable, 'id' | 'organization_id' | 'reserved_nano' | 'created_at'>

/**
 * Settles what a process that ended in the middle left open: as `interrupted`, at what was reserved, because nobody knows what was used
 * and a hard limit holds. It counts in the month in which the request was running.
 * @returns how many there were
 */
export async function reconcile({ store, log }: { store: Store; log: Log }): Promise<number> {
  let requests = 0
  let chargedNano = 0
  for (;;) {
    const rows = await store.read
      .selectFrom('usage')
      .select(['id', 'organization_id', 'reserved_nano', 'created_at'])
      .where('status', '=', 'open')
      .orderBy('id')
      .limit(batchRows)
      .execute()
    if (rows.length === 0) break
    await store.write([...interrupted(store, rows), ...(await takenOf(store, rows))])
    requests += rows.length
    chargedNano += rows.reduce((sum, row) => sum + row.reserved_nano, 0)
  }
  if (requests > 0) log.warn('ledger.interrupted', { requests, chargedNano })
  return requests
}

const interrupted = (store: Store, rows: readonly OpenRow[]): Statement[] => [
  store.build
    .updateTable('usage')
    .set(({ ref }) => ({ status: 'interrupted', cost_nano: ref('reserved_nano') }))
    .where('status', '=', 'open')
    .where(
      'id',
      'in',
      rows.map(({ id }) => id),
    ),
]

/** From the credit of organisations that live on it. */
async function takenOf(store: Store, rows: readonly OpenRow[]): Promise<Statement[]> {
  const earliestMs = Math.min(...rows.map(row => row.created_at))
  const grants = await creditRows(store, earliestMs)
  const statements: Statement[] = []
  for (const [organizationId, theirs] of Map.groupBy(rows, row => row.organization_id)) {
    const credit = new Credit()
    credit.update(grants.get(organizationId) ?? [], earliestMs)
    for (const row of theirs)
      for (const { id, nano } of credit.take(row.reserved_nano, row.created_at))
        statements.push(
          store.build
            .updateTable('credit_grants')
            .set(({ eb }) => ({ used_nano: eb('used_nano', '+', nano) }))
            .where('id', '=', id),
        )
  }
  return statements
}
