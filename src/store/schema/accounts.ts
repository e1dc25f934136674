/** Who there is: organisations, their people and projects, keys, and what was done to them. Times are unix milliseconds. */

export interface OrganizationsTable {
  id: string
  /** The slug of the `openai-organization` header, unique. */
  name: string
  /** For people. */
  title: string
  /** 1: what is spent is taken from grants of credit, and nothing runs without. 0: no credit is needed. */
  credit: 0 | 1
  created_at: number
}

export interface UsersTable {
  id: string
  /** Lower case, unique. */
  email: string
  name: string
  /** scrypt, as `platform/passwords.ts` writes it; null for those who sign in elsewhere or not at all. */
  password: string | null
  /** `issuer subject` of OpenID Connect. */
  identity: string | null
  created_at: number
  disabled_at: number | null
}

export type OrganizationRole = 'owner' | 'reader'
export type ProjectRole = 'owner' | 'member'

export interface MembersTable {
  organization_id: string
  user_id: string
  role: OrganizationRole
  created_at: number
}

export interface ProjectsTable {
  id: string
  organization_id: string
  name: string
  created_at: number
  /** Keys of an archived project are dead. */
  archived_at: number | null
}

export interface ProjectMembersTable {
  project_id: string
  organization_id: string
  user_id: string
  role: ProjectRole
  created_at: number
}

export interface ServiceAccountsTable {
  id: string
  organization_id: string
  project_id: string
  name: string
  /** `none`: its keys do not work yet. */
  role: ProjectRole | 'none'
  created_at: number
}

export interface InvitesTable {
  id: string
  organization_id: string
  email: string
  role: OrganizationRole
  /** JSON: `[{"id": "proj_…", "role": "member"}]`. */
  projects: string
  /** SHA-256 of the secret in the link, lower-case hex, unique. */
  hash: string
  created_at: number
  expires_at: number
  accepted_at: number | null
  /** Who accepted. */
  user_id: string | null
}

export type KeyKind = 'user' | 'project' | 'service_account' | 'admin'

export interface ApiKeysTable {
  id: string
  organization_id: string
  /** Where the key works when no header says otherwise; null for admin keys. */
  project_id: string | null
  kind: KeyKind
  /** Whose key it is; its rights are never more than theirs. Null for keys of service accounts. */
  user_id: string | null
  service_account_id: string | null
  name: string
  /** SHA-256 of the whole secret, lower-case hex, unique. The secret itself is nowhere. */
  hash: string
  /** What a person recognises the key by: `sk-ab…wxyz`, at most five first and four last characters. */
  hint: string
  /** `all`, `read`, or a JSON list of scopes. */
  scopes: string
  /** A JSON list of the model names that it may use; null: all of them. */
  models: string | null
  created_at: number
  expires_at: number | null
  revoked_at: number | null
  last_used_at: number | null
}

/** Sign-ins of the console. */
export interface SessionsTable {
  /** SHA-256 of the cookie, lower-case hex. */
  hash: string
  user_id: string
  organization_id: string
  created_at: number
  expires_at: number
  ip: string | null
  user_agent: string | null
}

/** Every administrative change, append-only. */
export interface AuditLogTable {
  id: string
  organization_id: string
  project_id: string | null
  /** OpenAI's names, such as `api_key.created`. */
  type: string
  actor_kind: 'user' | 'service_account' | 'key' | 'session' | 'operator'
  /** Of the user or service account; null when it is the operator at the machine. */
  actor_id: string | null
  actor_email: string | null
  key_id: string | null
  ip: string | null
  user_agent: string | null
  request_id: string | null
  /** The object that was changed. */
  subject_id: string
  /** JSON: what changed. Never a secret. */
  details: string
  created_at: number
}

/** Replies kept for `Idempotency-Key`. */
export interface IdempotencyTable {
  project_id: string
  /** Of the caller, or `session` and the user, so that two of them in one project never read each other's replies. */
  key_id: string
  name: string
  operation: string
  /** SHA-256 of the request. */
  request_hash: string
  /** Null while the first request runs. */
  status: number | null
  headers: string | null
  body: string | null
  created_at: number
}
