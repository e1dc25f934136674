/**
 * The tables as Kysely sees them. The migrations make them; this file says what they are after the newest one.
 *
 * Portable over SQLite and PostgreSQL: texts and integers only. Times are unix milliseconds. Integers are JavaScript numbers: the
 * store refuses values beyond 2^53 in both directions instead of rounding them.
 */
export interface Database {
  organizations: OrganizationsTable
  projects: ProjectsTable
  api_keys: ApiKeysTable
  usage: UsageTable
  settings: SettingsTable
}

export interface OrganizationsTable {
  id: string
  name: string
  created_at: number
}

export interface ProjectsTable {
  id: string
  organization_id: string
  name: string
  created_at: number
}

export interface ApiKeysTable {
  id: string
  organization_id: string
  project_id: string
  name: string
  /** SHA-256 of the whole secret, lower-case hex, unique. The secret itself is nowhere. */
  hash: string
  /** What a person recognises the key by: `sk-ab…wxyz`, at most five first and four last characters. */
  hint: string
  role: 'owner'
  created_at: number
  revoked_at: number | null
  last_used_at: number | null
}

/**
 * One row a request, append-only. No foreign keys: it is a journal of facts, and a fact must not be refused because an account was
 * removed while the request ran.
 */
export interface UsageTable {
  id: string
  organization_id: string
  project_id: string
  key_id: string
  /** The id of the operation, such as `chat.completions.create`. */
  operation: string
  /** What really answered. */
  model: string
  /** What the client asked for. */
  requested_model: string
  /** The `user` of the request, as the client sent it. */
  end_user: string | null
  input_tokens: number
  /** How many of the input tokens came from a cache. */
  cached_tokens: number
  output_tokens: number
  requests: number
  /** Nano-dollars. */
  cost_nano: number
  status: 'ok' | 'cancelled' | 'failed'
  duration_ms: number
  created_at: number
}

export interface SettingsTable {
  name: string
  value: string
}
