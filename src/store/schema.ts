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
import type { BatchesTable } from './schema/batches.ts'
import type { ChatCompletionLabelsTable, ChatCompletionsTable } from './schema/completions.ts'
import type { BlobsTable, FilesTable, UploadPartsTable, UploadsTable } from './schema/files.ts'
import type { JobEventsTable, JobsTable } from './schema/jobs.ts'
import type {
  CreditCodesTable,
  CreditGrantsTable,
  NoticesTable,
  PricesTable,
  RateLimitsTable,
  SpendLimitsTable,
  UsageTable,
} from './schema/money.ts'
import type { RoutesTable, RouteUpstreamsTable, UpstreamsTable } from './schema/upstreams.ts'

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
  blobs: BlobsTable
  files: FilesTable
  uploads: UploadsTable
  upload_parts: UploadPartsTable
  jobs: JobsTable
  job_events: JobEventsTable
  batches: BatchesTable
  upstreams: UpstreamsTable
  routes: RoutesTable
  route_upstreams: RouteUpstreamsTable
  settings: SettingsTable
}

export interface SettingsTable {
  name: string
  value: string
}
