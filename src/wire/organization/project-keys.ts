/** Keys that work in a project: `/v1/organization/projects/{project_id}/api_keys`. Making and rotating them is an extension. */
import Type, { type Static } from 'typebox'
import { nullable, oneOf, unixTime } from '../common.ts'
import { listOf } from '../lists.ts'
import { deletedOf, KeyModels, KeyScopes, Name, PageQuery } from './common.ts'

/** `object` and `added_at` are for clients of 2024. */
const owner = {
  id: Type.String(),
  name: Type.String(),
  created_at: unixTime('When the account was made.'),
  role: oneOf(['owner', 'member', 'none'], 'In the project.'),
}

export const ProjectApiKey = Type.Object({
  object: Type.Literal('organization.project.api_key'),
  id: Type.String(),
  name: Type.String(),
  redacted_value: Type.String({ description: 'What a person recognises the key by.' }),
  created_at: unixTime('When it was made.'),
  last_used_at: nullable(unixTime('When it was last used, give or take a minute.')),
  owner_project_access: oneOf(
    ['active', 'inactive'],
    'Whether its owner can enter the project now; the key of one who cannot does not work.',
  ),
  owner: Type.Object({
    type: oneOf(['user', 'service_account']),
    user: Type.Optional(
      Type.Object({
        ...owner,
        object: Type.Literal('organization.project.user'),
        email: Type.String(),
        added_at: unixTime('When they came into the project, or else into the organization.'),
      }),
    ),
    service_account: Type.Optional(
      Type.Object({ ...owner, object: Type.Literal('organization.project.service_account') }),
    ),
  }),
  expires_at: nullable(unixTime('When it ends by itself. An extension.')),
  scopes: KeyScopes,
  models: nullable(Type.Array(Type.String()), 'Names of the models that may be asked; null: all. An extension.'),
})
export type ProjectApiKey = Static<typeof ProjectApiKey>
export const ProjectApiKeyList = listOf(ProjectApiKey)

export const ProjectApiKeyCreated = Type.Object({
  ...ProjectApiKey.properties,
  value: Type.String({ description: 'The secret. It is shown this once: only its hash is kept.' }),
})
export type ProjectApiKeyCreated = Static<typeof ProjectApiKeyCreated>

export const ProjectApiKeyQuery = Type.Object({
  ...PageQuery.properties,
  owner_project_access: Type.Optional(oneOf(['active', 'inactive', 'any'], 'Default: `any`.')),
})
export type ProjectApiKeyQuery = Static<typeof ProjectApiKeyQuery>

export const ProjectApiKeyRequest = Type.Object({
  name: Name,
  scopes: Type.Optional(KeyScopes),
  models: Type.Optional(nullable(KeyModels)),
  expires_at: Type.Optional(
    nullable(
      Type.Integer({ minimum: 1, maximum: 253_402_300_799 }),
      'Unix seconds. When left out, the key does not end by itself.',
    ),
  ),
})
export type ProjectApiKeyRequest = Static<typeof ProjectApiKeyRequest>

export const ProjectApiKeyRotation = Type.Object({
  grace_seconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 2_592_000,
      description: 'How long the old secret works beside the new one. Default: 0, it ends at once.',
    }),
  ),
})
export type ProjectApiKeyRotation = Static<typeof ProjectApiKeyRotation>

export const ProjectApiKeyDeleted = deletedOf('organization.project.api_key.deleted')
export type ProjectApiKeyDeleted = Static<typeof ProjectApiKeyDeleted>
