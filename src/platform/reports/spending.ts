import { sql } from 'kysely'
import type { LimitSubject } from '../../store/schema/money.ts'
import type { Store } from '../../store/store.ts'
import { monthOf } from '../ledger/month.ts'
import type { Reader } from './report.ts'
import { type Narrowing, tally } from './tally.ts'

/** What is spent in the running month, with what running requests hold. Nano-dollars. */
export async function spentThisMonth(
  store: Store,
  { organizationId, nowMs, signal }: Reader,
  projectId?: string,
): Promise<bigint> {
  const { startMs, endMs } = monthOf(nowMs)
  const where: Narrowing[] = projectId === undefined ? [] : [eb => eb('project_id', '=', projectId)]
  const { groups } = await tally(store, {
    organizationId,
    fromMs: startMs,
    toMs: endMs,
    widthMs: Number.MAX_SAFE_INTEGER,
    by: [],
    where,
    signal,
  })
  const held = await store.read
    .selectFrom('usage')
    .select(sql<number | null>`cast(sum(reserved_nano) as bigint)`.as('nano'))
    .where('status', '=', 'open')
    .where('organization_id', '=', organizationId)
    .where(eb => eb.and(where.map(narrow => narrow(eb))))
    .executeTakeFirst()
  return (groups[0]?.costNano ?? 0n) + BigInt(held?.nano ?? 0)
}

/** Nano-dollars of a month; null: none. */
export interface SpendLimit {
  hardNano: number | null
  softNano: number | null
}

/** Without a row: no limits. */
export async function spendLimitOf(
  store: Store,
  organizationId: string,
  subject: LimitSubject,
  subjectId: string,
): Promise<SpendLimit> {
  const row = await store.read
    .selectFrom('spend_limits')
    .select(['hard_nano', 'soft_nano'])
    .where('organization_id', '=', organizationId)
    .where('subject', '=', subject)
    .where('subject_id', '=', subjectId)
    .executeTakeFirst()
  return { hardNano: row?.hard_nano ?? null, softNano: row?.soft_nano ?? null }
}
