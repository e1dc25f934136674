import { sql } from 'kysely'
import type { Clock } from '../../lib/clock.ts'
import type { Store } from '../../store/store.ts'
import type { Bucket, Buckets } from './buckets.ts'
import { type Amounts, kinds, limitColumns } from './kinds.ts'

const dayMs = 24 * 60 * 60_000
/** What was used in each part of a day is put together, with the time of the last of it. */
const partMs = Math.ceil(dayMs / 512)

const dayColumns = limitColumns.filter(column => kinds[column].windowMs === dayMs)

/**
 * Puts what the ledger knows of the last day into the counts that last so long: a limit of a day would be none if a restart forgot it.
 * Shorter ones begin anew. Reads one row for each subject, model and part of the day; at the start only, because it may take a while.
 */
export async function restoreDays(buckets: Buckets, { store, clock }: { store: Store; clock: Clock }): Promise<void> {
  const nowMs = clock.now()
  const used = await store.read
    .selectFrom('usage')
    .select(['organization_id', 'project_id', 'key_id', 'model'])
    .select(eb => [
      eb.fn.max<number>('created_at').as('last'),
      eb.fn.sum<number>('requests').as('requests'),
      sql<number>`sum(input_tokens + output_tokens)`.as('tokens'),
      sql<number>`sum(case when unit = 'images' then quantity else 0 end)`.as('images'),
    ])
    .where('created_at', '>', nowMs - dayMs)
    .where('organization_id', 'in', eb =>
      eb
        .selectFrom('rate_limits')
        .select('organization_id')
        .where(eb => eb.or(dayColumns.map(column => eb(column, 'is not', null)))),
    )
    .groupBy(['organization_id', 'project_id', 'key_id', 'model', sql`created_at / ${sql.lit(partMs)}`])
    .orderBy('last')
    .execute()
  for (const row of used) {
    const atMs = clock.monotonic() - Math.max(0, nowMs - row.last)
    count(buckets.of('organization', row.organization_id, row.model), atMs, row)
    count(buckets.of('project', row.project_id, row.model), atMs, row)
    count(buckets.of('key', row.key_id, row.model), atMs, row)
  }
}

function count(bucket: Bucket | undefined, atMs: number, used: Amounts): void {
  for (const { kind, gauge } of bucket?.counts ?? []) if (kind.windowMs === dayMs) gauge.take(atMs, kind.amount(used))
}
