import { operation } from '../../../platform/operation.ts'
import {
  archiveProject,
  createProject,
  findProject,
  listProjects,
  type ProjectRow,
  renameProject,
} from '../../../platform/people/projects.ts'
import { list } from '../../../wire/lists.ts'
import { unixSeconds, unixSecondsOrNull } from '../../../wire/organization/common.ts'
import {
  Project,
  ProjectList,
  ProjectQuery,
  ProjectRequest,
  ProjectUpdate,
} from '../../../wire/organization/projects.ts'

export const listOrganizationProjects = operation<unknown, never, ProjectQuery>({
  id: 'organization.projects.list',
  method: 'GET',
  path: '/v1/organization/projects',
  summary: 'Lists the projects of the organization, the oldest first; archived ones if asked for.',
  query: ProjectQuery,
  reply: ProjectList,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, { store, caller }) {
    const { rows, hasMore } = await listProjects(store, caller.organizationId, query)
    return { kind: 'json', value: list(rows.map(shown), hasMore) }
  },
})

export const createOrganizationProject = operation<ProjectRequest>({
  id: 'organization.projects.create',
  method: 'POST',
  path: '/v1/organization/projects',
  summary: 'Makes a project in the organization.',
  body: ProjectRequest,
  strict: true,
  reply: Project,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body }, context) {
    return { kind: 'json', value: shown(await createProject(context, body.name)) }
  },
})

export const retrieveOrganizationProject = operation<unknown, 'project_id'>({
  id: 'organization.projects.retrieve',
  method: 'GET',
  path: '/v1/organization/projects/{project_id}',
  summary: 'Shows a project.',
  reply: Project,
  scope: 'organization.read',
  projectOwners: true,
  bills: 'nothing',
  async run({ params }, { store, caller }) {
    return { kind: 'json', value: shown(await findProject(store, caller.organizationId, params.project_id)) }
  },
})

export const updateOrganizationProject = operation<ProjectUpdate, 'project_id'>({
  id: 'organization.projects.update',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}',
  summary: 'Renames a project.',
  body: ProjectUpdate,
  strict: true,
  reply: Project,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body: { name }, params: { project_id: id } }, context) {
    const { store, caller } = context
    const isAsked = name !== undefined && name !== null
    const project = await (isAsked ? renameProject(context, id, name) : findProject(store, caller.organizationId, id))
    return { kind: 'json', value: shown(project) }
  },
})

export const archiveOrganizationProject = operation<unknown, 'project_id'>({
  id: 'organization.projects.archive',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}/archive',
  summary: 'Archives a project for good: its keys end at once, and nothing in it can be changed any more.',
  reply: Project,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ params }, context) {
    return { kind: 'json', value: shown(await archiveProject(context, params.project_id)) }
  },
})

const shown = ({ id, name, created_at, archived_at }: ProjectRow): Project => ({
  object: 'organization.project',
  id,
  name,
  created_at: unixSeconds(created_at),
  archived_at: unixSecondsOrNull(archived_at),
  status: archived_at === null ? 'active' : 'archived',
})
