import { fault } from '../lib/faults.ts'
import type { KeyKind, OrganizationRole, ProjectRole } from '../store/schema/accounts.ts'
import type { Store } from '../store/store.ts'
import { allowedScopes, type Caller, scopesOf } from './access.ts'

/** What the headers `OpenAI-Organization` and `OpenAI-Project` ask for. */
export interface Claims {
  /** An id or a slug. */
  organization?: string | undefined
  project?: string | undefined
}

/** Which key; which sign-in by the hash of its cookie; or which person, for what goes on after they have left. */
export type KeyName = { hash: string } | { id: string } | { session: string } | { person: string; organization: string }

/**
 * Who stands behind a key or sign-in, with the rights that it, its holder's roles and the headers leave. Everything is looked up anew,
 * so that a person who was removed, a project that was archived and a role that was lowered count at once.
 * @returns undefined when the key or sign-in is over. @throws Fault 401 for headers that it does not reach
 */
export async function callerOf(store: Store, key: KeyName, claims: Claims, nowMs: number): Promise<Caller | undefined> {
  const row =
    'person' in key
      ? personRow(key.person, key.organization)
      : await ('session' in key ? sessionRow(store, key.session, nowMs) : keyRow(store, key, nowMs))
  if (row === undefined) return undefined
  const free = row.kind === 'user' || row.kind === 'admin' || row.kind === 'session'
  const organization = await organizationOf(store, row, free ? claims.organization : undefined)
  const asked = claims.organization
  if (organization === undefined || (asked !== undefined && asked !== organization.id && asked !== organization.name)) {
    if (asked === undefined) return undefined
    throw fault.wrongScope('organization', asked.slice(0, 80))
  }
  const place = await placeOf(store, row, organization, free ? claims.project : undefined)
  if (place === undefined && claims.project === undefined) return undefined
  if (place === undefined || (claims.project !== undefined && claims.project !== place.projectId))
    throw fault.wrongScope('project', String(claims.project).slice(0, 80))
  const granted = scopesOf(row.scopes)
  return {
    kind: row.kind,
    keyId: row.id,
    ...('session' in key && { sessionHash: key.session }),
    userId: row.user_id,
    organizationId: organization.id,
    organizationName: organization.name,
    ...place,
    role: organization.role,
    granted,
    allowed: allowedScopes(granted, { kind: row.kind, role: organization.role, projectId: place.projectId }),
    models: row.models === null ? null : new Set(JSON.parse(row.models) as string[]),
  }
}

interface KeyRow {
  id: string
  kind: KeyKind | 'session'
  organization_id: string
  project_id: string | null
  user_id: string | null
  service_account_id: string | null
  scopes: string
  models: string | null
}

const keyRow = (store: Store, key: { hash: string } | { id: string }, nowMs: number): Promise<KeyRow | undefined> =>
  store.read
    .selectFrom('api_keys')
    .select(['id', 'kind', 'organization_id', 'project_id', 'user_id', 'service_account_id', 'scopes', 'models'])
    .where('hash' in key ? 'hash' : 'id', '=', 'hash' in key ? key.hash : key.id)
    .where('revoked_at', 'is', null)
    .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]))
    .executeTakeFirst()

/** Reaches as far as the person does, in the organisation of the sign-in when no header says otherwise. */
async function sessionRow(store: Store, hash: string, nowMs: number): Promise<KeyRow | undefined> {
  const row = await store.read
    .selectFrom('sessions')
    .select(['organization_id', 'user_id'])
    .where('hash', '=', hash)
    .where('expires_at', '>', nowMs)
    .executeTakeFirst()
  return row === undefined ? undefined : personRow(row.user_id, row.organization_id)
}

/** Reaches as far as the person does. */
const personRow = (userId: string, organizationId: string): KeyRow => ({
  ...{ id: 'session', kind: 'session', organization_id: organizationId, user_id: userId },
  ...{ project_id: null, service_account_id: null, scopes: 'all', models: null },
})

interface Organization {
  id: string
  name: string
  role: OrganizationRole
}

/** The organisation that is asked for, or the key's own; undefined where its holder is no member (any more). */
async function organizationOf(store: Store, key: KeyRow, asked: string | undefined): Promise<Organization | undefined> {
  const query = store.read
    .selectFrom('organizations')
    .select(['organizations.id', 'organizations.name'])
    .where(eb =>
      asked === undefined
        ? eb('organizations.id', '=', key.organization_id)
        : eb.or([eb('organizations.id', '=', asked), eb('organizations.name', '=', asked)]),
    )
  if (key.user_id === null) {
    const found = await query.executeTakeFirst()
    return found === undefined ? undefined : { ...found, role: 'reader' }
  }
  return query
    .innerJoin('members', 'members.organization_id', 'organizations.id')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select('members.role')
    .where('members.user_id', '=', key.user_id)
    .where('users.disabled_at', 'is', null)
    .executeTakeFirst()
}

type Place = Pick<Caller, 'projectId' | 'projectRole' | 'ownedProjects'>

/** The project that is asked for, or the key's own, or the first that its holder can enter in another organisation. */
async function placeOf(
  store: Store,
  key: KeyRow,
  organization: Organization,
  asked: string | undefined,
): Promise<Place | undefined> {
  if (key.kind === 'admin') return noProject
  const own = organization.id === key.organization_id ? (key.project_id ?? undefined) : undefined
  const wanted = asked ?? own
  const projects = store.read
    .selectFrom('projects')
    .select('projects.id')
    .where('projects.organization_id', '=', organization.id)
    .where('projects.archived_at', 'is', null)
    .$if(wanted !== undefined, query => query.where('projects.id', '=', wanted!))
    .orderBy('projects.created_at')
    .orderBy('projects.id')
  if (key.service_account_id !== null) {
    const found = await projects
      .innerJoin('service_accounts', 'service_accounts.project_id', 'projects.id')
      .select('service_accounts.role')
      .where('service_accounts.id', '=', key.service_account_id)
      .where('service_accounts.role', '!=', 'none')
      .$narrowType<{ role: ProjectRole }>()
      .executeTakeFirst()
    return found === undefined ? undefined : { projectId: found.id, projectRole: found.role, ownedProjects: none }
  }
  if (organization.role === 'owner') {
    const found = await projects.executeTakeFirst()
    return found === undefined ? undefined : { projectId: found.id, projectRole: 'owner', ownedProjects: none }
  }
  if (key.user_id === null) return undefined
  const found = await projects
    .innerJoin('project_members', 'project_members.project_id', 'projects.id')
    .select('project_members.role')
    .where('project_members.user_id', '=', key.user_id)
    .executeTakeFirst()
  if (found !== undefined)
    return {
      projectId: found.id,
      projectRole: found.role,
      ownedProjects: await ownedProjects(store, key, organization.id),
    }
  return key.kind === 'session' && asked === undefined ? noProject : undefined
}

const none: ReadonlySet<string> = new Set()
const noProject: Place = { projectId: '', projectRole: 'member', ownedProjects: none }

/** A key of one project reaches no other, whoever holds it. */
async function ownedProjects(store: Store, key: KeyRow, organizationId: string): Promise<ReadonlySet<string>> {
  if ((key.kind !== 'user' && key.kind !== 'session') || key.user_id === null) return none
  const rows = await store.read
    .selectFrom('project_members')
    .select('project_id')
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', key.user_id)
    .where('role', '=', 'owner' satisfies ProjectRole)
    .execute()
  return new Set(rows.map(row => row.project_id))
}
