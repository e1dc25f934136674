import type { Clock } from '../lib/clock.ts'
import type { IdKind, Ids } from '../lib/ids.ts'
import type { ApiKeysTable, KeyKind } from '../store/schema/accounts.ts'
import type { Store } from '../store/store.ts'
import type { Scope } from './access.ts'
import { ensureHome } from './home.ts'

/** A key as lists show it: never the secret. */
export interface KeyRow {
  id: string
  kind: KeyKind
  name: string
  hint: string
  organizationId: string
  projectId: string | null
  userId: string | null
  serviceAccountId: string | null
  scopes: 'all' | 'read' | readonly Scope[]
  models: readonly string[] | null
  createdAt: number
  expiresAt: number | null
  revokedAt: number | null
  lastUsedAt: number | null
}

/** What a key is made of. Without `place` it is the first owner's, in the default project. */
export interface NewKey {
  name: string
  kind?: KeyKind
  place?: {
    organizationId: string
    projectId: string | null
    userId: string | null
    serviceAccountId?: string | null
  }
  scopes?: KeyRow['scopes']
  models?: readonly string[] | null
  /** Unix milliseconds. */
  expiresAt?: number | null
  /** Instead of a made-up one. */
  secret?: string
}

/** Which keys are meant. Lists and changes from outside always name the organisation. */
export interface KeyFilter {
  organizationId?: string
  projectId?: string
  kinds?: readonly KeyKind[]
}

export const secretKinds: Readonly<Record<KeyKind, IdKind>> = {
  user: 'secret',
  project: 'projectSecret',
  service_account: 'serviceSecret',
  admin: 'adminSecret',
}

/** The row of a key that is to be made, and its secret. */
export async function newRow(
  key: NewKey,
  { store, clock, ids }: { store: Store; clock: Clock; ids: Ids },
): Promise<{ row: KeyRow; secret: string }> {
  const { name, kind = 'user', models = null, expiresAt = null } = key
  const place = key.place ?? (await ensureHome({ store, clock, ids }))
  const secret = key.secret ?? ids.make(secretKinds[kind])
  const row: KeyRow = {
    id: ids.make('key'),
    kind,
    name,
    hint: masked(secret),
    organizationId: place.organizationId,
    projectId: kind === 'admin' ? null : place.projectId,
    userId: place.userId,
    serviceAccountId: key.place?.serviceAccountId ?? null,
    scopes: key.scopes ?? 'all',
    models,
    createdAt: clock.now(),
    expiresAt,
    revokedAt: null,
    lastUsedAt: null,
  }
  return { row, secret }
}

/** What `shown` needs. */
export const keyColumns = [
  ...(['id', 'kind', 'name', 'hint', 'organization_id', 'project_id', 'user_id', 'service_account_id'] as const),
  ...(['scopes', 'models', 'created_at', 'expires_at', 'revoked_at', 'last_used_at'] as const),
]

/** Keys, oldest first, as far as the filter reaches. */
export const keyRows = (store: Store, { organizationId, projectId, kinds }: KeyFilter) =>
  store.read
    .selectFrom('api_keys')
    .select(keyColumns)
    .$if(organizationId !== undefined, query => query.where('organization_id', '=', organizationId!))
    .$if(projectId !== undefined, query => query.where('project_id', '=', projectId!))
    .$if(kinds !== undefined, query => query.where('kind', 'in', kinds!))
    .orderBy('created_at')
    .orderBy('id')

type StoredRow = Pick<ApiKeysTable, (typeof keyColumns)[number]>

/** A row as the rest of the product sees it. */
export function shown(row: StoredRow): KeyRow {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    hint: row.hint,
    organizationId: row.organization_id,
    projectId: row.project_id,
    userId: row.user_id,
    serviceAccountId: row.service_account_id,
    scopes: row.scopes === 'all' || row.scopes === 'read' ? row.scopes : (JSON.parse(row.scopes) as Scope[]),
    models: row.models === null ? null : (JSON.parse(row.models) as string[]),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  }
}

/** The other way; the hash is the caller's. */
export function stored(row: KeyRow): StoredRow {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    hint: row.hint,
    organization_id: row.organizationId,
    project_id: row.projectId,
    user_id: row.userId,
    service_account_id: row.serviceAccountId,
    scopes: typeof row.scopes === 'string' ? row.scopes : JSON.stringify(row.scopes),
    models: row.models === null ? null : JSON.stringify(row.models),
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    revoked_at: row.revokedAt,
    last_used_at: row.lastUsedAt,
  }
}

/** Enough of a key to tell it from others, too little to guess it: short ones show nothing. */
export function masked(secret: string): string {
  const visible = secret.replaceAll(/[^\x21-\x7e]/g, '?')
  return visible.length < 16 ? '*'.repeat(Math.min(visible.length, 8)) : `${visible.slice(0, 5)}***${visible.slice(-4)}`
}
