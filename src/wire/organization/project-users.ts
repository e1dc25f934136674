/** People of a project: `/v1/organization/projects/{project_id}/users`. */
import Type, { type Static } from 'typebox'
import { nullable, unixTime } from '../common.ts'
import { listOf } from '../lists.ts'
import { deletedOf, Email, ObjectId, ProjectRole } from './common.ts'

export const ProjectUser = Type.Object({
  object: Type.Literal('organization.project.user'),
  id: Type.String(),
  name: Type.String(),
  email: Type.String(),
  role: ProjectRole,
  added_at: unixTime('When they came into the project.'),
})
export type ProjectUser = Static<typeof ProjectUser>
export const ProjectUserList = listOf(ProjectUser)

export const ProjectUserRequest = Type.Object({
  user_id: Type.Optional(nullable(ObjectId, 'Who; or say it by `email`.')),
  email: Type.Optional(nullable(Email, 'Who; or say it by `user_id`.')),
  role: ProjectRole,
})
export type ProjectUserRequest = Static<typeof ProjectUserRequest>

export const ProjectUserUpdate = Type.Object({ role: Type.Optional(nullable(ProjectRole)) })
export type ProjectUserUpdate = Static<typeof ProjectUserUpdate>

export const ProjectUserDeleted = deletedOf('organization.project.user.deleted')
export type ProjectUserDeleted = Static<typeof ProjectUserDeleted>
