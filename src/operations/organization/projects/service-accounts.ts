import { operation } from '../../../platform/operation.ts'
import type { MadeKey } from '../../../platform/people/project-keys.ts'
import {
  changeServiceAccount,
  createBareServiceAccount,
  createServiceAccountKey,
  createServiceAccount as createWithKey,
  findServiceAccount,
  listServiceAccounts as listAccounts,
  removeServiceAccount,
  type ServiceAccountRow,
} from '../../../platform/people/service-accounts.ts'
import { list } from '../../../wire/lists.ts'
import { PageQuery, unixSeconds } from '../../../wire/organization/common.ts'
import {
  ServiceAccount,
  ServiceAccountCreated,
  ServiceAccountDeleted,
  ServiceAccountKey,
  ServiceAccountKeyRequest,
  ServiceAccountList,
  ServiceAccountRequest,
  ServiceAccountUpdate,
} from '../../../wire/organization/service-accounts.ts'

export const listServiceAccounts = operation<unknown, 'project_id', PageQuery>({
  id: 'organization.projects.service_accounts.list',
  method: 'GET',
  path: '/v1/organization/projects/{project_id}/service_accounts',
  summary: 'Lists the service accounts of a project, the oldest first.',
  query: PageQuery,
  reply: ServiceAccountList,
  scope: 'organization.read',
  projectOwners: true,
  bills: 'nothing',
  async run({ params, query }, { store, caller }) {
    const { rows, hasMore } = await listAccounts(store, caller.organizationId, params.project_id, query)
    return { kind: 'json', value: list(rows.map(shown), hasMore) }
  },
})

export const createServiceAccount = operation<ServiceAccountRequest, 'project_id'>({
  id: 'organization.projects.service_accounts.create',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}/service_accounts',
  summary: 'Makes a service account with a key that has the rights of the key that asks; or without role and key.',
  body: ServiceAccountRequest,
  strict: true,
  reply: ServiceAccountCreated,
  showsSecret: true,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ body: { name, create_service_account_only: alone }, params: { project_id } }, context) {
    if (alone === true) {
      const bare = shown(await createBareServiceAccount(context, project_id, name))
      return { kind: 'json', value: { ...bare, role: 'none', api_key: null } satisfies ServiceAccountCreated }
    }
    const { account, key } = await createWithKey(context, project_id, name)
    const value = { ...shown(account), role: 'member', api_key: withSecret(key) } satisfies ServiceAccountCreated
    return { kind: 'json', value }
  },
})

export const retrieveServiceAccount = operation<unknown, 'project_id' | 'service_account_id'>({
  id: 'organization.projects.service_accounts.retrieve',
  method: 'GET',
  path: '/v1/organization/projects/{project_id}/service_accounts/{service_account_id}',
  summary: 'Shows a service account.',
  reply: ServiceAccount,
  scope: 'organization.read',
  projectOwners: true,
  bills: 'nothing',
  async run({ params: { project_id, service_account_id: id } }, { store, caller }) {
    return { kind: 'json', value: shown(await findServiceAccount(store, caller.organizationId, project_id, id)) }
  },
})

export const updateServiceAccount = operation<ServiceAccountUpdate, 'project_id' | 'service_account_id'>({
  id: 'organization.projects.service_accounts.update',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}/service_accounts/{service_account_id}',
  summary: 'Renames a service account or gives it another role.',
  body: ServiceAccountUpdate,
  strict: true,
  reply: ServiceAccount,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ body, params: { project_id, service_account_id: id } }, context) {
    return { kind: 'json', value: shown(await changeServiceAccount(context, project_id, id, body)) }
  },
})

export const deleteServiceAccount = operation<unknown, 'project_id' | 'service_account_id'>({
  id: 'organization.projects.service_accounts.delete',
  method: 'DELETE',
  path: '/v1/organization/projects/{project_id}/service_accounts/{service_account_id}',
  summary: 'Removes a service account; its keys end at once.',
  reply: ServiceAccountDeleted,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ params: { project_id, service_account_id: id } }, context) {
    await removeServiceAccount(context, project_id, id)
    const object = 'organization.project.service_account.deleted'
    return { kind: 'json', value: { object, id, deleted: true } satisfies ServiceAccountDeleted }
  },
})

export const createServiceAccountApiKey = operation<ServiceAccountKeyRequest, 'project_id' | 'service_account_id'>({
  id: 'organization.projects.service_accounts.api_keys.create',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}/service_accounts/{service_account_id}/api_keys',
  summary: 'Makes another key of a service account; rights that are left out are those of the key that asks.',
  body: ServiceAccountKeyRequest,
  strict: true,
  reply: ServiceAccountKey,
  showsSecret: true,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ body, params: { project_id, service_account_id: id } }, context) {
    return { kind: 'json', value: withSecret(await createServiceAccountKey(context, project_id, id, body)) }
  },
})

const shown = ({ id, name, role, created_at }: ServiceAccountRow): ServiceAccount => ({
  object: 'organization.project.service_account',
  id,
  name,
  role,
  created_at: unixSeconds(created_at),
})

const withSecret = ({ row, secret }: MadeKey): ServiceAccountKey => ({
  object: 'organization.project.service_account.api_key',
  id: row.id,
  name: row.name,
  created_at: unixSeconds(row.createdAt),
  value: secret,
})
