import type {
  ApiKeysTable,
  AuditLogTable,
  IdempotencyTable,
  InvitesTable,
  MembersTable,
  OrganizationsTable,
  ProjectMembersTable,
  ProjectsTable,
  ServiceAccountsTable,
  SessionsTable,
  UsersTable,
} from './schema/accounts.ts'
import type { ChatCompletionLabelsTable, ChatCompletionsTable } from './schema/completions.ts'
import type {
  CreditCodesTable,
  CreditGrantsTable,
  NoticesTable,
  PricesTable,
  RateLimitsTable,
  SpendLimitsTable,
  UsageTable,
} from './schema/money.ts'

/**
 * The tables as Kysely sees them. The migrations make them; this file says what they are after the newest one.
 *
 * Portable over SQLite and PostgreSQL: texts and integers only. Times are unix milliseconds. Integers are JavaScript numbers: the
 * store refuses values beyond 2^53 in both directions instead of rounding them.
 */
export interface Database {
  organizations: OrganizationsTable
  users: UsersTable
  members: MembersTable
  projects: ProjectsTable
  project_members: ProjectMembersTable
  service_accounts: ServiceAccountsTable
  invites: InvitesTable
  api_keys: ApiKeysTable
  sessions: SessionsTable
  audit_log: AuditLogTable
  idempotency: IdempotencyTable
  usage: UsageTable
  spend_limits: SpendLimitsTable
  rate_limits: RateLimitsTable
  prices: PricesTable
  credit_grants: CreditGrantsTable
  credit_codes: CreditCodesTable
  notices: NoticesTable
  chat_completions: ChatCompletionsTable
  chat_completion_labels: ChatCompletionLabelsTable
  settings: SettingsTable
}

export interface SettingsTable {
  name: string
  value: string
}
