import type { Compilable } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import type { Store } from '../store/store.ts'
import type { Caller } from './access.ts'

/** Where a request came from, for the audit log and idempotency. */
export interface Origin {
  /** Of the socket, or of a proxy that is trusted; null at the terminal. */
  ip: string | null
  userAgent: string | null
  requestId: string | null
}

/** At the machine's own terminal. */
export const terminal: Origin = { ip: null, userAgent: null, requestId: null }

/** One administrative change. Types are OpenAI's (`api_key.created`, `project.updated` …), ours where there is none. */
export interface Change {
  type: string
  subjectId: string
  projectId?: string | null
  /** What changed, without secrets. */
  details?: object
}

/** As much of a caller as the audit log keeps. */
export type Actor = Pick<Caller, 'kind' | 'keyId' | 'userId' | 'organizationId'>

/** The row of the audit log for a change; written in one unit with it, so that neither is there without the other. */
export function audited(
  change: Change,
  { caller, from, store, clock, ids }: { caller: Actor; from: Origin; store: Store; clock: Clock; ids: Ids },
): Compilable {
  const isKey = caller.kind === 'user' || caller.kind === 'project' || caller.kind === 'admin'
  const kind = isKey ? 'key' : caller.kind === 'nobody' ? 'session' : caller.kind // nobody is somebody at a door for people
  return store.build.insertInto('audit_log').values({
    id: ids.make('audit'),
    organization_id: caller.organizationId,
    project_id: change.projectId ?? null,
    type: change.type,
    actor_kind: kind,
    actor_id: caller.kind === 'operator' ? null : caller.userId, // whoever is at the machine need not be its first owner
    actor_email: null,
    key_id: isKey || caller.kind === 'service_account' ? caller.keyId : null,
    ip: from.ip,
    user_agent: from.userAgent?.slice(0, 256) ?? null,
    request_id: from.requestId,
    subject_id: change.subjectId,
    details: JSON.stringify(change.details ?? {}),
    created_at: clock.now(),
  })
}
