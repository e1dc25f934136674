import { operation } from '../../../platform/operation.ts'
import { changeRole, findUser, listUsers, removeUser, type UserRow } from '../../../platform/people/users.ts'
import { list } from '../../../wire/lists.ts'
import { unixSeconds } from '../../../wire/organization/common.ts'
import { User, UserDeleted, UserList, UserQuery, UserUpdate } from '../../../wire/organization/users.ts'

export const listOrganizationUsers = operation<unknown, never, UserQuery>({
  id: 'organization.users.list',
  method: 'GET',
  path: '/v1/organization/users',
  summary: 'Lists the people of the organization, in the order in which they came.',
  query: UserQuery,
  reply: UserList,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, { store, caller }) {
    const { rows, hasMore } = await listUsers(store, caller.organizationId, query)
    return { kind: 'json', value: list(rows.map(shown), hasMore) }
  },
})

export const retrieveOrganizationUser = operation<unknown, 'user_id'>({
  id: 'organization.users.retrieve',
  method: 'GET',
  path: '/v1/organization/users/{user_id}',
  summary: 'Shows somebody of the organization.',
  reply: User,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ params }, { store, caller }) {
    return { kind: 'json', value: shown(await findUser(store, caller.organizationId, params.user_id)) }
  },
})

export const updateOrganizationUser = operation<UserUpdate, 'user_id'>({
  id: 'organization.users.update',
  method: 'POST',
  path: '/v1/organization/users/{user_id}',
  summary: 'Gives somebody another role. One owner must be left.',
  body: UserUpdate,
  strict: true,
  reply: User,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body: { role }, params: { user_id: id } }, context) {
    const { store, caller } = context
    const isAsked = role !== undefined && role !== null
    const user = await (isAsked ? changeRole(context, id, role) : findUser(store, caller.organizationId, id))
    return { kind: 'json', value: shown(user) }
  },
})

export const deleteOrganizationUser = operation<unknown, 'user_id'>({
  id: 'organization.users.delete',
  method: 'DELETE',
  path: '/v1/organization/users/{user_id}',
  summary: 'Takes somebody out of the organization and its projects, and ends their keys. One owner must be left.',
  reply: UserDeleted,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ params: { user_id: id } }, context) {
    await removeUser(context, id)
    return { kind: 'json', value: { object: 'organization.user.deleted', id, deleted: true } satisfies UserDeleted }
  },
})

const shown = ({ id, name, email, role, created_at }: UserRow): User => ({
  object: 'organization.user',
  id,
  name,
  email,
  role,
  added_at: unixSeconds(created_at),
})
