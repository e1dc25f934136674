import { sql } from 'kysely'
import type { AuditLogTable } from '../../store/schema/accounts.ts'
import type { Store } from '../../store/store.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'

/** One row of the audit log, with the names of what it speaks of. */
export interface EventRow extends AuditLogTable {
  email: string | null
  project_name: string | null
}

/** All that are given must hold. */
export interface EventFilter {
  /** Unix seconds, as events show them. */
  effective_at?: { gt?: number; gte?: number; lt?: number; lte?: number }
  project_ids?: readonly string[]
  event_types?: readonly string[]
  /** Of users, service accounts and keys. */
  actor_ids?: readonly string[]
  actor_emails?: readonly string[]
  /** What was changed. */
  resource_ids?: readonly string[]
}

/** The newest first. @throws Fault 400 for a cursor that is not in the list */
export function listEvents(
  store: Store,
  organizationId: string,
  { effective_at: { gt, gte, lt, lte } = {}, ...filter }: EventFilter & PageAsked,
): Promise<Page<EventRow>> {
  const { project_ids, event_types, actor_ids, actor_emails, resource_ids, ...asked } = filter
  const emails = actor_emails?.map(email => email.trim().toLowerCase())
  const query = store.read
    .selectFrom('audit_log')
    .leftJoin('users', 'users.id', 'audit_log.actor_id')
    .leftJoin('projects', 'projects.id', 'audit_log.project_id')
    .selectAll('audit_log')
    .select(email.as('email'))
    .select('projects.name as project_name')
    .where('audit_log.organization_id', '=', organizationId)
    // Events show whole seconds: one of 5.9 is at 5, so it is neither after 5 nor before it.
    .$if(gt !== undefined, all => all.where('audit_log.created_at', '>=', (gt! + 1) * 1000))
    .$if(gte !== undefined, all => all.where('audit_log.created_at', '>=', gte! * 1000))
    .$if(lt !== undefined, all => all.where('audit_log.created_at', '<', lt! * 1000))
    .$if(lte !== undefined, all => all.where('audit_log.created_at', '<', (lte! + 1) * 1000))
    .$if(project_ids !== undefined, all => all.where('audit_log.project_id', 'in', project_ids!))
    .$if(event_types !== undefined, all => all.where('audit_log.type', 'in', event_types!))
    .$if(resource_ids !== undefined, all => all.where('audit_log.subject_id', 'in', resource_ids!))
    .$if(actor_ids !== undefined, all =>
      all.where(eb => eb.or([eb('audit_log.actor_id', 'in', actor_ids!), eb('audit_log.key_id', 'in', actor_ids!)])),
    )
    .$if(emails !== undefined, all => all.where(email, 'in', emails!))
  return readPage(query, asked, { table: 'audit_log', order: 'desc', limit: 20 })
}

const email = sql<string | null>`coalesce(audit_log.actor_email, users.email)`
