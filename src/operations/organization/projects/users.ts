import { fault } from '../../../lib/faults.ts'
import { operation } from '../../../platform/operation.ts'
import {
  addProjectUser,
  changeProjectRole,
  findProjectUser,
  listProjectUsers as listUsersOf,
  type ProjectUserRow,
  removeProjectUser,
} from '../../../platform/people/project-users.ts'
import { list } from '../../../wire/lists.ts'
import { PageQuery, unixSeconds } from '../../../wire/organization/common.ts'
import {
  ProjectUser,
  ProjectUserDeleted,
  ProjectUserList,
  ProjectUserRequest,
  ProjectUserUpdate,
} from '../../../wire/organization/project-users.ts'

export const listProjectUsers = operation<unknown, 'project_id', PageQuery>({
  id: 'organization.projects.users.list',
  method: 'GET',
  path: '/v1/organization/projects/{project_id}/users',
  summary: 'Lists the people of a project. Owners of the organization may use it without being among them.',
  query: PageQuery,
  reply: ProjectUserList,
  scope: 'organization.read',
  projectOwners: true,
  bills: 'nothing',
  async run({ params, query }, { store, caller }) {
    const { rows, hasMore } = await listUsersOf(store, caller.organizationId, params.project_id, query)
    return { kind: 'json', value: list(rows.map(shown), hasMore) }
  },
})

export const createProjectUser = operation<ProjectUserRequest, 'project_id'>({
  id: 'organization.projects.users.create',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}/users',
  summary: 'Takes somebody of the organization into a project.',
  body: ProjectUserRequest,
  strict: true,
  reply: ProjectUser,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ body, params }, context) {
    const user = await addProjectUser(context, params.project_id, whoOf(body), body.role)
    return { kind: 'json', value: shown(user) }
  },
})

export const retrieveProjectUser = operation<unknown, 'project_id' | 'user_id'>({
  id: 'organization.projects.users.retrieve',
  method: 'GET',
  path: '/v1/organization/projects/{project_id}/users/{user_id}',
  summary: 'Shows somebody of a project.',
  reply: ProjectUser,
  scope: 'organization.read',
  projectOwners: true,
  bills: 'nothing',
  async run({ params }, { store, caller }) {
    const user = await findProjectUser(store, caller.organizationId, params.project_id, params.user_id)
    return { kind: 'json', value: shown(user) }
  },
})

export const updateProjectUser = operation<ProjectUserUpdate, 'project_id' | 'user_id'>({
  id: 'organization.projects.users.update',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}/users/{user_id}',
  summary: 'Gives somebody another role in a project.',
  body: ProjectUserUpdate,
  strict: true,
  reply: ProjectUser,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ body: { role }, params: { project_id, user_id } }, context) {
    const { store, caller } = context
    const isAsked = role !== undefined && role !== null
    const user = await (isAsked
      ? changeProjectRole(context, project_id, user_id, role)
      : findProjectUser(store, caller.organizationId, project_id, user_id))
    return { kind: 'json', value: shown(user) }
  },
})

export const deleteProjectUser = operation<unknown, 'project_id' | 'user_id'>({
  id: 'organization.projects.users.delete',
  method: 'DELETE',
  path: '/v1/organization/projects/{project_id}/users/{user_id}',
  summary: 'Takes somebody out of a project. They stay in the organization.',
  reply: ProjectUserDeleted,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ params: { project_id, user_id: id } }, context) {
    await removeProjectUser(context, project_id, id)
    const value = { object: 'organization.project.user.deleted', id, deleted: true } satisfies ProjectUserDeleted
    return { kind: 'json', value }
  },
})

/** @throws Fault 400 where nobody is named, or somebody twice */
function whoOf({ user_id: userId, email }: ProjectUserRequest): { userId: string } | { email: string } {
  const byId = userId !== undefined && userId !== null
  const byEmail = email !== undefined && email !== null
  if (byId && byEmail) throw fault.invalidValue('email', "Give either 'user_id' or 'email', not both.")
  if (byId) return { userId }
  if (byEmail) return { email }
  throw fault.missingParameter('user_id')
}

const shown = ({ id, name, email, role, created_at }: ProjectUserRow): ProjectUser => ({
  object: 'organization.project.user',
  id,
  name,
  email,
  role,
  added_at: unixSeconds(created_at),
})
