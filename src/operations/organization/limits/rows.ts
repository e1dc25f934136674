import { fault } from '../../../lib/faults.ts'
import { audited, type Change } from '../../../platform/audit.ts'
import type { LimitColumn } from '../../../platform/limits/kinds.ts'
import type { Context } from '../../../platform/operation.ts'
import { checkId, explained, holdProject, missing } from '../../../platform/people/acting.ts'
import { findLiveProject, findProject } from '../../../platform/people/projects.ts'
import type { LimitSubject, RateLimitsTable } from '../../../store/schema/money.ts'
import type { Statement, Store } from '../../../store/store.ts'

/** Who is limited. */
export interface Subject {
  kind: LimitSubject
  id: string
}

/** What a model's requests are held to. */
export type Rates = Readonly<Record<LimitColumn, number | null>>

/** The model of rows that hold for every model without rows of its own. */
export const anyModel = '*'

/**
 * That there is such a subject in the caller's organisation; end users are whoever requests name.
 * @param to `change`: an archived project can be looked at, and no more
 * @throws Fault 404, the same for what is missing and what is somebody else's; 400 for an archived project
 */
export async function checkSubject(
  { store, caller }: Pick<Context, 'store' | 'caller'>,
  { kind, id }: Subject,
  to: 'look' | 'change',
): Promise<void> {
  if (kind === 'end_user') {
    if (id.isWellFormed() && !/\p{Cc}/u.test(id)) return
    throw fault.invalidValue('subject_id', "Invalid 'subject_id': expected a text without control characters.")
  }
  checkId(kind, id)
  if (kind === 'organization' && id !== caller.organizationId) throw missing(kind, id)
  if (kind === 'project') await (to === 'change' ? findLiveProject : findProject)(store, caller.organizationId, id)
  if (kind !== 'key') return
  const found = await store.read
    .selectFrom('api_keys')
    .select('id')
    .where('id', '=', id)
    .where('organization_id', '=', caller.organizationId)
    .executeTakeFirst()
  if (found === undefined) throw missing('key', id)
}

/**
 * Writes changes of limits with their row of the audit log; they count from then on.
 * @param asker when the operator acts in another organisation: what happens there stands in the logs of both
 * @throws Fault 404 when the subject has gone
 */
export async function changeLimits(
  context: Context,
  subject: Subject,
  statements: readonly Statement[],
  change: Change,
  asker: Context = context,
): Promise<void> {
  const { store, limits, ledger } = context
  const where = subject.kind === 'project' ? { projectId: subject.id } : {}
  const logs = asker.caller.organizationId === context.caller.organizationId ? [context] : [context, asker]
  await store
    .write([...statements, ...logs.map(log => audited({ ...where, ...change }, log))])
    .catch(explained(async () => missing(subject.kind, subject.id)))
  await Promise.all([limits.changed(), ledger.changed()])
}

/** To be written with a change: a project is still there, and not archived. */
export const held = ({ store, caller }: Pick<Context, 'store' | 'caller'>, { kind, id }: Subject): Statement[] =>
  kind === 'project' ? [holdProject(store, caller.organizationId, id)] : []

/** Sets what is given and leaves the rest; a subject without any limit has no row. Nano-dollars. */
export function setSpend(
  { store, caller, clock }: Pick<Context, 'store' | 'caller' | 'clock'>,
  { kind, id }: Subject,
  given: { hard_nano?: number | null; soft_nano?: number | null },
): Statement[] {
  if (given.hard_nano === undefined && given.soft_nano === undefined) return []
  const place = { organization_id: caller.organizationId, subject: kind, subject_id: id }
  const row = { ...place, hard_nano: null, soft_nano: null, ...given, updated_at: clock.now() }
  return [
    store.build
      .insertInto('spend_limits')
      .values(row)
      .onConflict(conflict =>
        conflict
          .columns(['organization_id', 'subject', 'subject_id'])
          .doUpdateSet({ ...given, updated_at: row.updated_at }),
      ),
    store.build
      .deleteFrom('spend_limits')
      .where('organization_id', '=', caller.organizationId)
      .where('subject', '=', kind)
      .where('subject_id', '=', id)
      .where('hard_nano', 'is', null)
      .where('soft_nano', 'is', null),
  ]
}

/**
 * Puts these in the place of what the model had; null takes away what it had of its own. Rates that are all null are not the same as
 * none: they free the model from those of `*`.
 */
export function setRates(
  { store, caller, clock }: Pick<Context, 'store' | 'caller' | 'clock'>,
  { kind, id }: Subject,
  model: string,
  rates: Rates | null,
): Statement {
  if (kind === 'end_user')
    throw fault.invalidValue('rates', "Invalid 'rates': end users can have limits of money alone.")
  if (rates === null)
    return store.build
      .deleteFrom('rate_limits')
      .where('organization_id', '=', caller.organizationId)
      .where('subject', '=', kind)
      .where('subject_id', '=', id)
      .where('model', '=', model)
  const updated_at = clock.now()
  return store.build
    .insertInto('rate_limits')
    .values({ organization_id: caller.organizationId, subject: kind, subject_id: id, model, ...rates, updated_at })
    .onConflict(conflict =>
      conflict.columns(['organization_id', 'subject', 'subject_id', 'model']).doUpdateSet({ ...rates, updated_at }),
    )
}

/** Of one subject, by model; `*` first. */
export async function ratesOf(store: Store, organizationId: string, { kind, id }: Subject): Promise<RateLimitsTable[]> {
  if (kind === 'end_user') return []
  return store.read
    .selectFrom('rate_limits')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('subject', '=', kind)
    .where('subject_id', '=', id)
    .orderBy('model')
    .execute()
}

/** The limits alone; what is not given is no limit. */
export const ratesIn = (row: Partial<Rates> | undefined): Rates => ({
  requests_per_minute: row?.requests_per_minute ?? null,
  tokens_per_minute: row?.tokens_per_minute ?? null,
  requests_per_day: row?.requests_per_day ?? null,
  tokens_per_day: row?.tokens_per_day ?? null,
  images_per_minute: row?.images_per_minute ?? null,
  concurrent_requests: row?.concurrent_requests ?? null,
})
