/** People of an organisation: `/v1/organization/users`. */
import Type, { type Static } from 'typebox'
import { nullable, unixTime } from '../common.ts'
import { listOf } from '../lists.ts'
import { deletedOf, Email, NotOffered, OrganizationRole, PageQuery } from './common.ts'

export const User = Type.Object({
  object: Type.Literal('organization.user'),
  id: Type.String(),
  name: Type.String(),
  email: Type.String(),
  role: OrganizationRole,
  added_at: unixTime('When they came into the organization.'),
})
export type User = Static<typeof User>
export const UserList = listOf(User)

export const UserQuery = Type.Object({
  ...PageQuery.properties,
  emails: Type.Optional(
    Type.Array(Email, { minItems: 1, maxItems: 100, description: 'Only those with one of these addresses.' }),
  ),
})
export type UserQuery = Static<typeof UserQuery>

export const UserUpdate = Type.Object({
  role: Type.Optional(nullable(OrganizationRole)),
  role_id: NotOffered,
  technical_level: NotOffered,
  developer_persona: NotOffered,
})
export type UserUpdate = Static<typeof UserUpdate>

export const UserDeleted = deletedOf('organization.user.deleted')
export type UserDeleted = Static<typeof UserDeleted>
