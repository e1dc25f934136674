/** Keys of the administration: `/v1/organization/admin_api_keys`. */
import Type, { type Static } from 'typebox'
import { nullable, unixTime } from '../common.ts'
import { ListAfter, ListLimit, ListOrder, listOf } from '../lists.ts'
import { deletedOf, Name, OrganizationRole } from './common.ts'

export const AdminApiKey = Type.Object({
  object: Type.Literal('organization.admin_api_key'),
  id: Type.String(),
  name: Type.String(),
  redacted_value: Type.String({ description: 'What a person recognises the key by.' }),
  created_at: unixTime('When it was made.'),
  expires_at: nullable(unixTime('When it ends by itself.')),
  last_used_at: nullable(unixTime('When it was last used, give or take a minute.')),
  owner: Type.Object({
    type: Type.Literal('user'),
    object: Type.Literal('organization.user'),
    id: Type.String(),
    name: Type.String(),
    created_at: unixTime('When the account was made.'),
    role: OrganizationRole,
  }),
})
export type AdminApiKey = Static<typeof AdminApiKey>
export const AdminApiKeyList = listOf(AdminApiKey)

export const AdminApiKeyCreated = Type.Object({
  ...AdminApiKey.properties,
  value: Type.String({ description: 'The secret. It is shown this once: only its hash is kept.' }),
})
export type AdminApiKeyCreated = Static<typeof AdminApiKeyCreated>

export const AdminApiKeyRequest = Type.Object({
  name: Name,
  expires_in_seconds: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 31_536_000, description: 'When left out, the key does not end by itself.' }),
  ),
})
export type AdminApiKeyRequest = Static<typeof AdminApiKeyRequest>

export const AdminApiKeyQuery = Type.Object({ after: ListAfter, limit: ListLimit(100, 20), order: ListOrder('asc') })
export type AdminApiKeyQuery = Static<typeof AdminApiKeyQuery>

export const AdminApiKeyDeleted = deletedOf('organization.admin_api_key.deleted')
export type AdminApiKeyDeleted = Static<typeof AdminApiKeyDeleted>
