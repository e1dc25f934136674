import { sql } from 'kysely'
import { fault } from '../../../lib/faults.ts'
import { storable } from '../../../lib/storable.ts'
import { organizationMeant, requireOperator } from '../../../platform/credit/operator.ts'
import { type Context, type Operation, operation } from '../../../platform/operation.ts'
import { missing } from '../../../platform/people/acting.ts'
import { spendLimitOf } from '../../../platform/reports/spending.ts'
import { nanoOf, usdOf } from '../../../platform/usd.ts'
import type { RateLimitsTable } from '../../../store/schema/money.ts'
import type { Statement, Store } from '../../../store/store.ts'
import { list } from '../../../wire/lists.ts'
import {
  type RatesUpdate,
  SubjectLimits,
  SubjectLimitsDeleted,
  SubjectLimitsList,
  SubjectLimitsQuery,
  SubjectLimitsTarget,
  SubjectLimitsUpdate,
} from '../../../wire/organization/limits.ts'
import {
  anyModel,
  changeLimits,
  checkSubject,
  held,
  ratesIn,
  ratesOf,
  type Subject,
  setRates,
  setSpend,
} from './rows.ts'

const path = '/v1/organization/limits'

const listSubjectLimits = operation<unknown, never, SubjectLimitsQuery>({
  id: 'organization.limits.list',
  method: 'GET',
  path,
  summary: 'The limits of the organisation, its projects, keys and end users, by subject. An extension.',
  query: SubjectLimitsQuery,
  reply: SubjectLimitsList,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, { store, caller }) {
    const { subjects, hasMore } = await limitedSubjects(store, caller.organizationId, query)
    const data: SubjectLimits[] = []
    for (const subject of subjects) data.push(await limitsOf(store, caller.organizationId, subject))
    return { kind: 'json', value: list(data, hasMore) }
  },
})

const updateSubjectLimits = operation<SubjectLimitsUpdate>({
  id: 'organization.limits.update',
  method: 'POST',
  path,
  summary: 'Sets limits of the organisation, a project, a key or an end user; what is left out stays. An extension.',
  body: SubjectLimitsUpdate,
  strict: true,
  reply: SubjectLimits,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body }, asker) {
    const subject = subjectOf(body, asker)
    const { hard_limit_usd: hard, soft_limit_usd: soft, rates = [], merge_rates: merges = false } = body
    const context = await contextFor(asker, subject, rates.length > 0)
    await checkSubject(context, subject, 'change')
    const known = merges ? await ratesOf(context.store, context.caller.organizationId, subject) : []
    const changes = [
      ...setSpend(context, subject, {
        ...(hard !== undefined && { hard_nano: nanoOrNull(hard, 'hard_limit_usd') }),
        ...(soft !== undefined && { soft_nano: nanoOrNull(soft, 'soft_limit_usd') }),
      }),
      ...rates.map(entry => rateStatement(context, subject, entry, known)),
    ]
    if (changes.length > 0) {
      const statements = [...held(context, subject), ...changes]
      const details = { subject: subject.kind, changes_requested: body }
      await changeLimits(
        context,
        subject,
        statements,
        { type: 'limits.updated', subjectId: subject.id, details },
        asker,
      )
    }
    return { kind: 'json', value: await limitsOf(context.store, context.caller.organizationId, subject) }
  },
})

const deleteSubjectLimits = operation<unknown, never, SubjectLimitsTarget>({
  id: 'organization.limits.delete',
  method: 'DELETE',
  path,
  summary: 'Removes all limits of the organisation, a project, a key or an end user. An extension.',
  query: SubjectLimitsTarget,
  reply: SubjectLimitsDeleted,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ query }, asker) {
    const subject = subjectOf(query, asker)
    const organizationId = subject.kind === 'organization' ? subject.id : asker.caller.organizationId
    const context = await contextFor(asker, subject, (await ratesOf(asker.store, organizationId, subject)).length > 0)
    const only = { subject: subject.kind, subject_id: subject.id }
    const { subjects } = await limitedSubjects(context.store, context.caller.organizationId, only)
    if (subjects.length === 0) throw missing('limit', idOf(subject))
    // Not through `checkSubject`: limits of what has gone can be removed as well, and they are the organisation's own.
    const change = { type: 'limits.deleted', subjectId: subject.id, details: { subject: subject.kind } }
    await changeLimits(context, subject, removeAll(context, subject), change, asker)
    return { kind: 'json', value: { object: 'organization.limits.deleted', id: idOf(subject), deleted: true } }
  },
})

/**
 * Where a change happens. How fast a whole organisation may ask is the word of the operator, who may also name another organisation;
 * everything else is the word of its owners.
 * @throws Fault 404 for another organisation, 403 `operator_only` for rates of one's own
 */
export async function contextFor(asker: Context, subject: Subject, ofRates: boolean): Promise<Context> {
  const { store, caller } = asker
  if (subject.kind !== 'organization') return asker
  const organizationId = await organizationMeant(asker, subject.id)
  if (ofRates) await requireOperator(store, caller)
  return { ...asker, caller: { ...caller, organizationId } }
}

/** @throws Fault 400 when only the organisation can be left out, and it is another that is meant */
export function subjectOf({ subject, subject_id: id }: SubjectLimitsTarget, { caller }: Context): Subject {
  if (id === undefined && subject !== 'organization') throw fault.missingParameter('subject_id')
  return { kind: subject, id: id ?? caller.organizationId }
}

const nanoOrNull = (usd: number | null, param: string): number | null => (usd === null ? null : nanoOf(usd, param))

/** @throws Fault 404 for a model that there is not: a limit under a misspelt name would hold nobody back */
function rateStatement(
  context: Context,
  subject: Subject,
  { model, ...rates }: RatesUpdate,
  before: readonly RateLimitsTable[],
): Statement {
  const isRemoved = Object.keys(rates).length === 0
  const { models } = context
  const isGone = isRemoved && !models.list().some(({ name }) => name === model) // limits of what has gone can be removed
  const name = model === anyModel || isGone ? model : models.resolve(model).name
  const merged = { ...before.find(row => row.model === name), ...rates }
  return setRates(context, subject, name, isRemoved ? null : ratesIn(merged))
}

function removeAll({ store, caller }: Context, { kind, id }: Subject): Statement[] {
  const { organizationId } = caller
  const spend = store.build
    .deleteFrom('spend_limits')
    .where('organization_id', '=', organizationId)
    .where('subject', '=', kind)
    .where('subject_id', '=', id)
  if (kind === 'end_user') return [spend]
  const rates = store.build
    .deleteFrom('rate_limits')
    .where('organization_id', '=', organizationId)
    .where('subject', '=', kind)
    .where('subject_id', '=', id)
  return [spend, rates]
}

export async function limitsOf(store: Store, organizationId: string, subject: Subject): Promise<SubjectLimits> {
  const { hardNano, softNano } = await spendLimitOf(store, organizationId, subject.kind, subject.id)
  const rows = await ratesOf(store, organizationId, subject)
  return {
    object: 'organization.limits',
    id: idOf(subject),
    subject: subject.kind,
    subject_id: subject.id,
    hard_limit_usd: hardNano === null ? null : usdOf(hardNano),
    soft_limit_usd: softNano === null ? null : usdOf(softNano),
    rates: rows.map(row => ({ model: row.model, ...ratesIn(row) })),
  }
}

const idOf = ({ kind, id }: Subject): string => `${kind}:${id}`

/** Those that have limits, in the order of their kinds and ids. @throws Fault 400 for a cursor that is not in the list */
async function limitedSubjects(
  store: Store,
  organizationId: string,
  { subject, subject_id: id, after, limit = 20 }: SubjectLimitsQuery,
): Promise<{ subjects: Subject[]; hasMore: boolean }> {
  const of = (table: 'spend_limits' | 'rate_limits') =>
    store.read
      .selectFrom(table)
      .select(['subject', 'subject_id'])
      .where('organization_id', '=', organizationId)
      .$if(subject !== undefined, query => query.where('subject', '=', subject!))
      .$if(id !== undefined, query => query.where('subject_id', '=', storable(id!)))
  const all = store.read
    .selectFrom(of('spend_limits').union(of('rate_limits')).as('limited'))
    .select(['subject', 'subject_id'])
  let query = all
    .orderBy('subject')
    .orderBy('subject_id')
    .limit(limit + 1)
  if (after !== undefined) {
    const [, kind, last] = /^([a-z_]+):(.+)$/s.exec(storable(after)) ?? []
    const place = sql`(${kind ?? ''}, ${last ?? ''})`
    const found = await all.where(sql<boolean>`(subject, subject_id) = ${place}`).executeTakeFirst()
    if (found === undefined) throw fault.unknownCursor('after', after.slice(0, 80))
    query = query.where(sql<boolean>`(subject, subject_id) > ${place}`)
  }
  const rows = await query.execute()
  return {
    subjects: rows.slice(0, limit).map(row => ({ kind: row.subject, id: row.subject_id })),
    hasMore: rows.length > limit,
  }
}

export const subjectLimitOperations: readonly Operation[] = [
  listSubjectLimits,
  updateSubjectLimits,
  deleteSubjectLimits,
]
