/** Users that are programs: `/v1/organization/projects/{project_id}/service_accounts`. */
import Type, { type Static } from 'typebox'
import { nullable, oneOf, unixTime } from '../common.ts'
import { listOf } from '../lists.ts'
import { deletedOf, KeyModels, KeyScopes, Name, ProjectRole } from './common.ts'

export const ServiceAccount = Type.Object({
  object: Type.Literal('organization.project.service_account'),
  id: Type.String(),
  name: Type.String(),
  role: oneOf(['owner', 'member', 'none'], '`none`: its keys do not work until it is given a role.'),
  created_at: unixTime('When it was made.'),
})
export type ServiceAccount = Static<typeof ServiceAccount>
export const ServiceAccountList = listOf(ServiceAccount)

export const ServiceAccountKey = Type.Object({
  object: Type.Literal('organization.project.service_account.api_key'),
  id: Type.String(),
  name: Type.String(),
  created_at: unixTime('When it was made.'),
  value: Type.String({ description: 'The secret. It is shown this once: only its hash is kept.' }),
})
export type ServiceAccountKey = Static<typeof ServiceAccountKey>

export const ServiceAccountCreated = Type.Object({
  ...ServiceAccount.properties,
  role: oneOf(['member', 'none']),
  api_key: nullable(ServiceAccountKey, 'Its first key; null where only the account was asked for.'),
})
export type ServiceAccountCreated = Static<typeof ServiceAccountCreated>

export const ServiceAccountRequest = Type.Object({
  name: Name,
  create_service_account_only: Type.Optional(nullable(Type.Boolean(), 'Without a role and without a key.')),
})
export type ServiceAccountRequest = Static<typeof ServiceAccountRequest>

export const ServiceAccountUpdate = Type.Object({ name: Type.Optional(Name), role: Type.Optional(ProjectRole) })
export type ServiceAccountUpdate = Static<typeof ServiceAccountUpdate>

/** `models` is an extension. */
export const ServiceAccountKeyRequest = Type.Object({
  name: Type.Optional(Name),
  scopes: Type.Optional(KeyScopes),
  models: Type.Optional(nullable(KeyModels)),
})
export type ServiceAccountKeyRequest = Static<typeof ServiceAccountKeyRequest>

export const ServiceAccountDeleted = deletedOf('organization.project.service_account.deleted')
export type ServiceAccountDeleted = Static<typeof ServiceAccountDeleted>
