/** What only commands on the machine itself may ask for: every key, people without an invite, and organisations. All of it is ours. */
import Type, { type Static } from 'typebox'
import { nullable, oneOf, unixTime } from './common.ts'
import { listOf } from './lists.ts'
import { deletedOf, Email, KeyModels, KeyScopes, Name, ObjectId, OrganizationRole } from './organization/common.ts'

const kind = oneOf(
  ['user', 'project', 'service_account', 'admin'],
  'Of a person in all their projects, of one project, of a service account, or of the administration.',
)

export const OperatorKey = Type.Object({
  object: Type.Literal('parlance.key'),
  id: Type.String(),
  kind,
  name: Type.String(),
  redacted_value: Type.String(),
  project: nullable(Type.Object({ id: Type.String(), name: Type.String() }), 'Null for keys of the administration.'),
  user: nullable(Type.Object({ id: Type.String(), email: Type.String() }), 'Null for keys of service accounts.'),
  service_account: nullable(Type.Object({ id: Type.String(), name: Type.String() })),
  scopes: KeyScopes,
  models: nullable(Type.Array(Type.String()), 'Names of the models that may be asked. Null: all.'),
  created_at: unixTime('When it was made.'),
  expires_at: nullable(unixTime('When it ends by itself.'), 'Null: never.'),
  revoked_at: nullable(unixTime('When it was revoked.'), 'Null: it was not.'),
  last_used_at: nullable(unixTime('When it was last used, to the minute.'), 'Null: never.'),
})
export type OperatorKey = Static<typeof OperatorKey>
export const OperatorKeyList = listOf(OperatorKey)

export const OperatorKeyCreated = Type.Object({
  ...OperatorKey.properties,
  value: Type.String({ description: 'The secret. It is shown this once: only its hash is kept.' }),
})
export type OperatorKeyCreated = Static<typeof OperatorKeyCreated>

export const OperatorKeyRequest = Type.Object({
  name: Name,
  kind: Type.Optional(kind),
  project_id: Type.Optional(ObjectId),
  email: Type.Optional(Email),
  service_account: Type.Optional(
    Type.String({ minLength: 1, maxLength: 256, description: 'By id or name; it is made when there is none.' }),
  ),
  scopes: Type.Optional(KeyScopes),
  models: Type.Optional(KeyModels),
  expires_at: Type.Optional(Type.Integer({ minimum: 1, maximum: 253_402_300_799, description: 'Unix seconds.' })),
})
export type OperatorKeyRequest = Static<typeof OperatorKeyRequest>

export const OperatorKeyDeleted = deletedOf('parlance.key.deleted')

export const MemberRequest = Type.Object({ email: Email, name: Type.Optional(Name), role: OrganizationRole })
export type MemberRequest = Static<typeof MemberRequest>

export const Organization = Type.Object({
  object: Type.Literal('parlance.organization'),
  id: Type.String(),
  name: Type.String({ description: 'For the header `OpenAI-Organization`.' }),
  title: Type.String({ description: 'For people.' }),
  credit: Type.Boolean({ description: 'Whether it pays with credit.' }),
  created_at: unixTime('When it was made.'),
})
export type Organization = Static<typeof Organization>
export const OrganizationList = listOf(Organization)

export const OrganizationRequest = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 63, description: 'Lower-case letters, digits and hyphens.' }),
  title: Type.Optional(Name),
  owner: Type.Object({ email: Email, name: Type.Optional(Name) }, { description: 'Its first owner.' }),
})
export type OrganizationRequest = Static<typeof OrganizationRequest>
