import type { TObject } from 'typebox'
import { fault } from '../../../lib/faults.ts'
import { type Context, type Operation, operation } from '../../../platform/operation.ts'
import { spendLimitOf, spentThisMonth } from '../../../platform/reports/spending.ts'
import {
  OrganizationSpendLimit,
  OrganizationSpendLimitDeleted,
  ProjectSpendLimit,
  ProjectSpendLimitDeleted,
  type SpendLimit,
  SpendLimitUpdate,
} from '../../../wire/organization/limits.ts'
import { changeLimits, checkSubject, held, type Subject, setSpend } from './rows.ts'

type Kind = 'organization' | 'project'
type ProjectId = 'project_id'

interface Place {
  path: `/v1/organization/${string}`
  whose: string
  limit: TObject
  deleted: TObject
}

const places: Readonly<Record<Kind, Place>> = {
  organization: {
    path: '/v1/organization/spend_limit',
    whose: 'the organisation',
    limit: OrganizationSpendLimit,
    deleted: OrganizationSpendLimitDeleted,
  },
  project: {
    path: '/v1/organization/projects/{project_id}/spend_limit',
    whose: 'a project',
    limit: ProjectSpendLimit,
    deleted: ProjectSpendLimitDeleted,
  },
}

/** Nano-dollars in a cent. */
const nanoPerCent = 10_000_000

/** A limit is the organisation's word: owners of a project see theirs, and do not raise it. */
function operationsFor(kind: Kind): readonly Operation[] {
  const { path, whose, limit, deleted } = places[kind]
  const id = kind === 'organization' ? 'organization.spend_limit' : 'organization.projects.spend_limit'
  return [
    operation<unknown, ProjectId>({
      id: `${id}.retrieve`,
      method: 'GET',
      path,
      summary: `How much ${whose} may spend in a month.`,
      reply: limit,
      scope: 'organization.read',
      projectOwners: kind === 'project',
      bills: 'nothing',
      async run({ params }, context) {
        const subject = subjectOf(kind, params, context)
        await checkSubject(context, subject, 'look')
        return { kind: 'json', value: await found(context, subject, kind) }
      },
    }),
    operation<SpendLimitUpdate, ProjectId>({
      id: `${id}.update`,
      method: 'POST',
      path,
      summary: `Sets how much ${whose} may spend in a month; not a nano-dollar more is spent.`,
      body: SpendLimitUpdate,
      strict: true,
      reply: limit,
      scope: 'organization.write',
      bills: 'nothing',
      async run({ body, params }, context) {
        const subject = subjectOf(kind, params, context)
        await checkSubject(context, subject, 'change')
        const hard_nano = body.threshold_amount * nanoPerCent
        const statements = [...held(context, subject), ...setSpend(context, subject, { hard_nano })]
        const details = { changes_requested: body }
        await changeLimits(context, subject, statements, {
          type: 'spend_limit.updated',
          subjectId: subject.id,
          details,
        })
        return { kind: 'json', value: await found(context, subject, kind) }
      },
    }),
    operation<unknown, ProjectId>({
      id: `${id}.delete`,
      method: 'DELETE',
      path,
      summary: `Removes the limit of what ${whose} may spend.`,
      reply: deleted,
      scope: 'organization.write',
      bills: 'nothing',
      async run({ params }, context) {
        const subject = subjectOf(kind, params, context)
        await checkSubject(context, subject, 'look')
        const { hardNano } = await spendLimitOf(context.store, context.caller.organizationId, kind, subject.id)
        if (hardNano === null) throw missingLimit(kind, subject)
        const statements = setSpend(context, subject, { hard_nano: null })
        await changeLimits(context, subject, statements, { type: 'spend_limit.deleted', subjectId: subject.id })
        return { kind: 'json', value: { object: `${kind}.spend_limit.deleted`, deleted: true } }
      },
    }),
  ]
}

const subjectOf = (kind: Kind, params: Record<ProjectId, string>, { caller }: Context): Subject => ({
  kind,
  id: kind === 'organization' ? caller.organizationId : params.project_id,
})

/** @throws Fault 404 when there is no limit: OpenAI's object cannot say so */
async function found({ store, caller, clock, signal }: Context, subject: Subject, kind: Kind): Promise<SpendLimit> {
  const { organizationId } = caller
  const { hardNano } = await spendLimitOf(store, organizationId, kind, subject.id)
  if (hardNano === null) throw missingLimit(kind, subject)
  const reader = { organizationId, nowMs: clock.now(), signal }
  const spent = await spentThisMonth(store, reader, kind === 'project' ? subject.id : undefined)
  return {
    object: `${kind}.spend_limit`,
    threshold_amount: Math.floor(hardNano / nanoPerCent),
    currency: 'USD',
    interval: 'month',
    enforcement: { status: spent >= BigInt(hardNano) ? 'enforcing' : 'inactive' },
  }
}

const missingLimit = (kind: Kind, { id }: Subject) => fault.objectNotFound(`spend limit of the ${kind}`, id)

export const spendLimitOperations: readonly Operation[] = [
  ...operationsFor('organization'),
  ...operationsFor('project'),
]
