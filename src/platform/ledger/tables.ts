import { sql } from 'kysely'
import type { SpendLimitsTable } from '../../store/schema/money.ts'
import type { Store } from '../../store/store.ts'
import type { StoredGrant } from './credit.ts'

/** So many rows of limits in one query: between them the event loop is free. */
const pageRows = 1000

/** Every spend limit that there is, page by page. */
export async function* limitPages(store: Store): AsyncGenerator<SpendLimitsTable[], void> {
  let last: SpendLimitsTable | undefined
  for (;;) {
    const place = last
    const rows = await store.read
      .selectFrom('spend_limits')
      .selectAll()
      .orderBy('organization_id')
      .orderBy('subject')
      .orderBy('subject_id')
      .$if(place !== undefined, query =>
        query.where(
          sql<boolean>`(organization_id, subject, subject_id) > (${place?.organization_id}, ${place?.subject}, ${place?.subject_id})`,
        ),
      )
      .limit(pageRows)
      .execute()
    if (rows.length > 0) yield rows
    if (rows.length < pageRows) return
    last = rows.at(-1)
  }
}

/** Organisations that live on credit, with those of their grants that are neither used up nor expired. */
export async function creditRows(store: Store, nowMs: number): Promise<Map<string, StoredGrant[]>> {
  const organizations = await store.read.selectFrom('organizations').select('id').where('credit', '=', 1).execute()
  const grants = await store.read
    .selectFrom('credit_grants')
    .innerJoin('organizations', 'organizations.id', 'credit_grants.organization_id')
    .select(['credit_grants.id', 'organization_id', 'amount_nano', 'used_nano', 'credit_grants.created_at'])
    .select('expires_at')
    .where('credit', '=', 1)
    .whereRef('used_nano', '<', 'amount_nano')
    .where(({ eb, or }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]))
    .execute()
  const byOrganization = new Map<string, StoredGrant[]>(organizations.map(({ id }) => [id, []]))
  for (const grant of grants) byOrganization.get(grant.organization_id)?.push(grant)
  return byOrganization
}

/** Another text whenever somebody changed limits or credit, however they did; cheap. */
export async function fingerprint(store: Store): Promise<string> {
  const limits = await store.read
    .selectFrom('spend_limits')
    .select(({ fn }) => [fn.countAll<number>().as('rows'), fn.max('updated_at').as('latest')])
    .executeTakeFirst()
  const organizations = await store.read
    .selectFrom('organizations')
    .where('credit', '=', 1)
    .select(({ fn }) => [fn.countAll<number>().as('rows'), folded('created_at').as('created')])
    .executeTakeFirst()
  const grants = await store.read
    .selectFrom('credit_grants')
    .select(({ fn }) => [
      fn.countAll<number>().as('rows'),
      folded('amount_nano').as('amounts'),
      folded('expires_at').as('expiries'),
    ])
    .executeTakeFirst()
  return JSON.stringify([limits, organizations, grants])
}

/** Changes with each value, and stays within the integers of the store however many there are. */
const folded = (column: 'created_at' | 'amount_nano' | 'expires_at') =>
  sql<number>`sum(coalesce(${sql.ref(column)}, 0) % 1000003)`
