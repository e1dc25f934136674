import type { Statement, Store } from '../../store/store.ts'

/** To be written with a key that takes the place of another: the same limits for its id. What was used stays with the old one. */
export async function carriedLimits(
  store: Store,
  { from, to, nowMs }: { from: string; to: string; nowMs: number },
): Promise<Statement[]> {
  const key = { subject_id: to, updated_at: nowMs }
  const spend = await store.read
    .selectFrom('spend_limits')
    .selectAll()
    .where('subject', '=', 'key')
    .where('subject_id', '=', from)
    .execute()
  const rates = await store.read
    .selectFrom('rate_limits')
    .selectAll()
    .where('subject', '=', 'key')
    .where('subject_id', '=', from)
    .execute()
  return [
    ...spend.map(row => store.build.insertInto('spend_limits').values({ ...row, ...key })),
    ...rates.map(row => store.build.insertInto('rate_limits').values({ ...row, ...key })),
  ]
}
