import { operation } from '../../../platform/operation.ts'
import { type EventRow, listEvents } from '../../../platform/people/events.ts'
import { list } from '../../../wire/lists.ts'
import {
  type AuditLog,
  type AuditLogActor,
  AuditLogList,
  AuditLogQuery,
} from '../../../wire/organization/audit-logs.ts'
import { unixSeconds } from '../../../wire/organization/common.ts'

export const listAuditLogs = operation<unknown, never, AuditLogQuery>({
  id: 'organization.audit_logs.list',
  method: 'GET',
  path: '/v1/organization/audit_logs',
  summary: 'Lists what was changed in the organization and by whom, the newest first.',
  query: AuditLogQuery,
  reply: AuditLogList,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, { store, caller }) {
    const { rows, hasMore } = await listEvents(store, caller.organizationId, query)
    return { kind: 'json', value: list(rows.map(shown), hasMore) }
  },
})

function shown(row: EventRow): AuditLog {
  const project = { id: row.project_id ?? '', ...(row.project_name !== null && { name: row.project_name }) }
  const details: object = JSON.parse(row.details)
  return {
    id: row.id,
    type: row.type,
    effective_at: unixSeconds(row.created_at),
    ...(row.project_id !== null && { project }),
    actor: actorOf(row),
    [row.type]: { id: row.subject_id, ...details },
  }
}

function actorOf({ actor_kind, actor_id, email, key_id, ip, user_agent }: EventRow): AuditLogActor {
  const user = actor_id === null ? undefined : { id: actor_id, ...(email !== null && { email }) }
  if (key_id === null)
    return {
      type: 'session',
      session: {
        ...(user !== undefined && { user }),
        ...(ip !== null && { ip_address: ip }),
        ...(user_agent !== null && { user_agent }),
      },
    }
  if (actor_kind === 'service_account')
    return {
      type: 'api_key',
      api_key: {
        id: key_id,
        type: 'service_account',
        ...(actor_id !== null && { service_account: { id: actor_id } }),
      },
    }
  return { type: 'api_key', api_key: { id: key_id, type: 'user', ...(user !== undefined && { user }) } }
}
