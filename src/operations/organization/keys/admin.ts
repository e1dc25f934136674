import { operation } from '../../../platform/operation.ts'
import {
  type AdminKey,
  createAdminKey,
  findAdminKey,
  listAdminKeys,
  removeAdminKey,
} from '../../../platform/people/admin-keys.ts'
import { list } from '../../../wire/lists.ts'
import {
  AdminApiKey,
  AdminApiKeyCreated,
  AdminApiKeyDeleted,
  AdminApiKeyList,
  AdminApiKeyQuery,
  AdminApiKeyRequest,
} from '../../../wire/organization/admin-keys.ts'
import { unixSeconds, unixSecondsOrNull } from '../../../wire/organization/common.ts'

export const listAdminApiKeys = operation<unknown, never, AdminApiKeyQuery>({
  id: 'organization.admin_api_keys.list',
  method: 'GET',
  path: '/v1/organization/admin_api_keys',
  summary: 'Lists the keys of the administration.',
  query: AdminApiKeyQuery,
  reply: AdminApiKeyList,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, { store, caller }) {
    const { rows, hasMore } = await listAdminKeys(store, caller.organizationId, query)
    return { kind: 'json', value: list(rows.map(shown), hasMore) }
  },
})

export const createAdminApiKey = operation<AdminApiKeyRequest>({
  id: 'organization.admin_api_keys.create',
  method: 'POST',
  path: '/v1/organization/admin_api_keys',
  summary: 'Makes a key of the administration for whoever asks, with the scopes of the key that asks.',
  body: AdminApiKeyRequest,
  strict: true,
  reply: AdminApiKeyCreated,
  showsSecret: true,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body: { name, expires_in_seconds: life } }, context) {
    const { store, caller, clock } = context
    const expiresAt = life === undefined ? null : clock.now() + life * 1000
    const { row, secret } = await createAdminKey(context, { name, expiresAt })
    const key = shown(await findAdminKey(store, caller.organizationId, row.id))
    return { kind: 'json', value: { ...key, value: secret } satisfies AdminApiKeyCreated }
  },
})

export const retrieveAdminApiKey = operation<unknown, 'key_id'>({
  id: 'organization.admin_api_keys.retrieve',
  method: 'GET',
  path: '/v1/organization/admin_api_keys/{key_id}',
  summary: 'Shows a key of the administration, without its secret.',
  reply: AdminApiKey,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ params }, { store, caller }) {
    return { kind: 'json', value: shown(await findAdminKey(store, caller.organizationId, params.key_id)) }
  },
})

export const deleteAdminApiKey = operation<unknown, 'key_id'>({
  id: 'organization.admin_api_keys.delete',
  method: 'DELETE',
  path: '/v1/organization/admin_api_keys/{key_id}',
  summary: 'Ends a key of the administration at once.',
  reply: AdminApiKeyDeleted,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ params: { key_id: id } }, context) {
    await removeAdminKey(context, id)
    const value = { object: 'organization.admin_api_key.deleted', id, deleted: true } satisfies AdminApiKeyDeleted
    return { kind: 'json', value }
  },
})

const shown = ({ key, owner }: AdminKey): AdminApiKey => ({
  object: 'organization.admin_api_key',
  id: key.id,
  name: key.name,
  redacted_value: key.hint,
  created_at: unixSeconds(key.createdAt),
  expires_at: unixSecondsOrNull(key.expiresAt),
  last_used_at: unixSecondsOrNull(key.lastUsedAt),
  owner: { type: 'user', object: 'organization.user', ...owner, created_at: unixSeconds(owner.created_at) },
})
