/** Compares the administration with the types of OpenAI's own client, as `../oracle.check.ts` does the rest. Never imported. */
import type * as Admin from 'openai/resources/admin/organization/index'
import type * as Projects from 'openai/resources/admin/organization/projects/index'
import type * as AccountKeys from 'openai/resources/admin/organization/projects/service-accounts/api-keys'
import type { AllKeys, Expect, Fits, None } from '../oracle.check.ts'
import type {
  AdminApiKey,
  AdminApiKeyCreated,
  AdminApiKeyDeleted,
  AdminApiKeyQuery,
  AdminApiKeyRequest,
} from './admin-keys.ts'
import type { AuditLog, AuditLogQuery } from './audit-logs.ts'
import type { PageQuery } from './common.ts'
import type { Invite, InviteDeleted, InviteRequest } from './invites.ts'
import type { ProjectApiKey, ProjectApiKeyDeleted, ProjectApiKeyQuery } from './project-keys.ts'
import type { ProjectUser, ProjectUserDeleted, ProjectUserRequest, ProjectUserUpdate } from './project-users.ts'
import type { Project, ProjectQuery, ProjectRequest, ProjectUpdate } from './projects.ts'
import type {
  ServiceAccount,
  ServiceAccountCreated,
  ServiceAccountDeleted,
  ServiceAccountKey,
  ServiceAccountKeyRequest,
  ServiceAccountRequest,
  ServiceAccountUpdate,
} from './service-accounts.ts'
import type { User, UserDeleted, UserQuery, UserUpdate } from './users.ts'

/** The clients put the project of a path among the parameters. */
type InPath = 'project_id'
/** The clients type roles as any text, and let values through that are refused here by name. */
type Vague =
  | 'role'
  | 'role_id'
  | 'technical_level'
  | 'developer_persona'
  | 'external_key_id'
  | 'geography'
  | 'tenant_only'
/** Ours: which models a key may use, and data residency by the name that the newest description has. */
type Extra = 'models' | 'residency'

type Asked<Theirs, Ours> = [
  Fits<Omit<Theirs, InPath | Vague>, Omit<Ours, Vague>>,
  None<Exclude<AllKeys<Theirs>, AllKeys<Ours> | InPath>>,
  None<Exclude<AllKeys<Ours>, AllKeys<Theirs> | Extra>>,
]
type Agreed = [true, true, true]
type Agree<Checks extends Agreed> = Checks

export type Requests = [
  Agree<Asked<Admin.AdminAPIKeyCreateParams, AdminApiKeyRequest>>,
  Agree<Asked<Admin.AdminAPIKeyListParams, AdminApiKeyQuery>>,
  Agree<Asked<Admin.UserListParams, UserQuery>>,
  Agree<Asked<Admin.UserUpdateParams, UserUpdate>>,
  Agree<Asked<Admin.InviteCreateParams, InviteRequest>>,
  Agree<Asked<Admin.InviteListParams, PageQuery>>,
  Agree<Asked<Admin.ProjectCreateParams, ProjectRequest>>,
  Agree<Asked<Admin.ProjectUpdateParams, ProjectUpdate>>,
  Agree<Asked<Admin.ProjectListParams, ProjectQuery>>,
  Agree<Asked<Admin.AuditLogListParams, AuditLogQuery>>,
  Agree<Asked<Projects.UserCreateParams, ProjectUserRequest>>,
  Agree<Asked<Projects.UserUpdateParams, ProjectUserUpdate>>,
  Agree<Asked<Projects.UserListParams, PageQuery>>,
  Agree<Asked<Projects.ServiceAccountCreateParams, ServiceAccountRequest>>,
  Agree<Asked<Projects.ServiceAccountUpdateParams, ServiceAccountUpdate>>,
  Agree<Asked<Projects.ServiceAccountListParams, PageQuery>>,
  Agree<Asked<AccountKeys.APIKeyCreateParams, ServiceAccountKeyRequest>>,
  Agree<Asked<Projects.APIKeyListParams, ProjectApiKeyQuery>>,
]

/** The client types events by the names that OpenAI has; their details stand under these names. */
type Named = 'type' | 'actor'

export type Replies = [
  Expect<Fits<AdminApiKey, Admin.AdminAPIKey>>,
  Expect<Fits<AdminApiKeyCreated, Admin.AdminAPIKeyCreateResponse>>,
  Expect<Fits<AdminApiKeyDeleted, Admin.AdminAPIKeyDeleteResponse>>,
  Expect<Fits<User, Admin.OrganizationUser>>,
  Expect<Fits<UserDeleted, Admin.UserDeleteResponse>>,
  Expect<Fits<Invite, Admin.Invite>>,
  Expect<Fits<InviteDeleted, Admin.InviteDeleteResponse>>,
  Expect<Fits<Project, Admin.Project>>,
  Expect<Fits<Omit<AuditLog, Named>, Omit<Admin.AuditLogListResponse, Named>>>,
  Expect<Fits<AuditLog['actor'], NonNullable<Admin.AuditLogListResponse['actor']>>>,
  Expect<Fits<ProjectUser, Projects.ProjectUser>>,
  Expect<Fits<ProjectUserDeleted, Projects.UserDeleteResponse>>,
  Expect<Fits<ServiceAccount, Projects.ProjectServiceAccount>>,
  Expect<Fits<ServiceAccountCreated, Projects.ServiceAccountCreateResponse>>,
  Expect<Fits<ServiceAccountDeleted, Projects.ServiceAccountDeleteResponse>>,
  Expect<Fits<ServiceAccountKey, AccountKeys.APIKeyCreateResponse>>,
  Expect<Fits<ProjectApiKey, Projects.ProjectAPIKey>>,
  Expect<Fits<ProjectApiKeyDeleted, Projects.APIKeyDeleteResponse>>,
  Expect<None<Exclude<keyof AdminApiKey, keyof Admin.AdminAPIKey>>>,
  Expect<None<Exclude<keyof User, keyof Admin.OrganizationUser>>>,
  Expect<None<Exclude<keyof Invite, keyof Admin.Invite | 'invited_at'>>>,
  Expect<None<Exclude<keyof Project, keyof Admin.Project>>>,
  Expect<None<Exclude<keyof ProjectUser, keyof Projects.ProjectUser>>>,
  Expect<None<Exclude<keyof ServiceAccount, keyof Projects.ProjectServiceAccount>>>,
  Expect<None<Exclude<keyof ProjectApiKey, keyof Projects.ProjectAPIKey | 'expires_at' | 'scopes' | 'models'>>>,
]
