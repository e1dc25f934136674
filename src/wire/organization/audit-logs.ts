/** What was changed in an organisation, by whom: `/v1/organization/audit_logs`. */
import Type, { type Static } from 'typebox'
import { oneOf } from '../common.ts'
import { ListAfter, ListBefore, ListLimit, listOf } from '../lists.ts'
import { Email } from './common.ts'

const ActorUser = Type.Object({ id: Type.String(), email: Type.Optional(Type.String()) })

export const AuditLogActor = Type.Object({
  type: oneOf(['session', 'api_key'], '`session`: a person at the console, or the operator at the machine itself.'),
  session: Type.Optional(
    Type.Object({
      user: Type.Optional(ActorUser),
      ip_address: Type.Optional(Type.String()),
      user_agent: Type.Optional(Type.String()),
    }),
  ),
  api_key: Type.Optional(
    Type.Object({
      id: Type.String(),
      type: oneOf(['user', 'service_account']),
      user: Type.Optional(ActorUser),
      service_account: Type.Optional(Type.Object({ id: Type.String() })),
    }),
  ),
})
export type AuditLogActor = Static<typeof AuditLogActor>

/** Beside these, what the event is about stands under the name of its type. */
export const AuditLog = Type.Object({
  id: Type.String(),
  type: Type.String({ description: 'Such as `project.created`. Its details stand under this name.' }),
  effective_at: Type.Integer({ minimum: 0, description: 'When it happened. Unix seconds.' }),
  project: Type.Optional(Type.Object({ id: Type.String(), name: Type.Optional(Type.String()) })),
  actor: AuditLogActor,
})
export type AuditLog = Static<typeof AuditLog>
export const AuditLogList = listOf(AuditLog)

const seconds = Type.Optional(Type.Integer({ minimum: 0, maximum: 253_402_300_799, description: 'Unix seconds.' }))
const oneOfThese = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { minItems: 1, maxItems: 100, description }))

export const AuditLogQuery = Type.Object({
  effective_at: Type.Optional(Type.Object({ gt: seconds, gte: seconds, lt: seconds, lte: seconds })),
  project_ids: oneOfThese('Only events of these projects.'),
  event_types: oneOfThese('Only events of these types.'),
  actor_ids: oneOfThese('Only events by these users, service accounts or keys.'),
  actor_emails: Type.Optional(
    Type.Array(Email, { minItems: 1, maxItems: 100, description: 'Only events by users with these addresses.' }),
  ),
  resource_ids: oneOfThese('Only events that changed these objects.'),
  tenant_only: Type.Optional(Type.Literal(false, { description: 'There is nothing above the organization.' })),
  limit: ListLimit(100, 20),
  after: ListAfter,
  before: ListBefore,
})
export type AuditLogQuery = Static<typeof AuditLogQuery>
