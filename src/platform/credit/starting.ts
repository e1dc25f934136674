import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import type { Statement, Store } from '../../store/store.ts'
import { nanoOf } from '../usd.ts'
import { insertGrant, monthsLater } from './grants.ts'

/** What new organisations begin with, as it stands in the settings; undefined: they need no credit. */
export type StartingCredit = { amount_usd?: number | undefined; months?: number | undefined } | undefined

/** Both as OpenAI gave them to new accounts. */
export const usualStart = { amount_usd: 5, months: 3 } as const

/**
 * What is written with a new organisation, so that it pays with credit and has some to begin with; nothing where the operator has not
 * set that. To be put behind the statement that makes the organisation.
 */
export function startingGrant(
  credit: StartingCredit,
  organizationId: string,
  { store, clock, ids }: { store: Store; clock: Clock; ids: Ids },
): Statement[] {
  if (credit === undefined) return []
  const { amount_usd: usd = usualStart.amount_usd, months = usualStart.months } = credit
  const nowMs = clock.now()
  return [
    store.build.updateTable('organizations').set({ credit: 1 }).where('id', '=', organizationId),
    insertGrant(store, {
      id: ids.make('grant'),
      organization_id: organizationId,
      kind: 'grant',
      amount_nano: nanoOf(usd, 'credit.amount_usd'),
      used_nano: 0,
      note: 'Credit to begin with.',
      created_at: nowMs,
      expires_at: monthsLater(nowMs, months),
    }),
  ]
}
