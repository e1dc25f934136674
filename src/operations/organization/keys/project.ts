import type { Context } from '../../../platform/operation.ts'
import { operation } from '../../../platform/operation.ts'
import {
  createProjectKey,
  findProjectKey,
  listProjectKeys,
  type MadeKey,
  type ProjectKey,
  removeProjectKey,
  rotateProjectKey,
} from '../../../platform/people/project-keys.ts'
import { list } from '../../../wire/lists.ts'
import { unixSeconds, unixSecondsOrNull } from '../../../wire/organization/common.ts'
import {
  ProjectApiKey,
  ProjectApiKeyCreated,
  ProjectApiKeyDeleted,
  ProjectApiKeyList,
  ProjectApiKeyQuery,
  ProjectApiKeyRequest,
  ProjectApiKeyRotation,
} from '../../../wire/organization/project-keys.ts'

export const listProjectApiKeys = operation<unknown, 'project_id', ProjectApiKeyQuery>({
  id: 'organization.projects.api_keys.list',
  method: 'GET',
  path: '/v1/organization/projects/{project_id}/api_keys',
  summary: 'Lists the keys of a project, those of its service accounts and of people included.',
  query: ProjectApiKeyQuery,
  reply: ProjectApiKeyList,
  scope: 'organization.read',
  projectOwners: true,
  bills: 'nothing',
  async run({ params, query }, { store, caller }) {
    const { rows, hasMore } = await listProjectKeys(store, caller.organizationId, params.project_id, query)
    return { kind: 'json', value: list(rows.map(shown), hasMore) }
  },
})

export const createProjectApiKey = operation<ProjectApiKeyRequest, 'project_id'>({
  id: 'organization.projects.api_keys.create',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}/api_keys',
  summary:
    'Makes a key of a project for whoever asks, with rights that are left out as those of the key that asks. An extension to OpenAI’s API.',
  body: ProjectApiKeyRequest,
  strict: true,
  reply: ProjectApiKeyCreated,
  showsSecret: true,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ body: { expires_at, ...wanted }, params }, context) {
    const expiresAt = expires_at === undefined || expires_at === null ? null : expires_at * 1000
    const made = await createProjectKey(context, params.project_id, { ...wanted, expiresAt })
    return { kind: 'json', value: await withSecret(context, params.project_id, made) }
  },
})

export const retrieveProjectApiKey = operation<unknown, 'project_id' | 'api_key_id'>({
  id: 'organization.projects.api_keys.retrieve',
  method: 'GET',
  path: '/v1/organization/projects/{project_id}/api_keys/{api_key_id}',
  summary: 'Shows a key of a project, without its secret.',
  reply: ProjectApiKey,
  scope: 'organization.read',
  projectOwners: true,
  bills: 'nothing',
  async run({ params }, { store, caller }) {
    const found = await findProjectKey(store, caller.organizationId, params.project_id, params.api_key_id)
    return { kind: 'json', value: shown(found) }
  },
})

export const rotateProjectApiKey = operation<ProjectApiKeyRotation, 'project_id' | 'api_key_id'>({
  id: 'organization.projects.api_keys.rotate',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}/api_keys/{api_key_id}/rotate',
  summary:
    'Makes a new key with the rights of this one, which ends at once or after the grace period. An extension to OpenAI’s API.',
  body: ProjectApiKeyRotation,
  strict: true,
  reply: ProjectApiKeyCreated,
  showsSecret: true,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ body: { grace_seconds: graceSeconds = 0 }, params }, context) {
    const made = await rotateProjectKey(context, params.project_id, params.api_key_id, graceSeconds * 1000)
    await Promise.all([context.limits.changed(), context.ledger.changed()]) // its limits go along
    return { kind: 'json', value: await withSecret(context, params.project_id, made) }
  },
})

export const deleteProjectApiKey = operation<unknown, 'project_id' | 'api_key_id'>({
  id: 'organization.projects.api_keys.delete',
  method: 'DELETE',
  path: '/v1/organization/projects/{project_id}/api_keys/{api_key_id}',
  summary: 'Ends a key of a project at once.',
  reply: ProjectApiKeyDeleted,
  scope: 'organization.write',
  projectOwners: true,
  bills: 'nothing',
  async run({ params: { project_id, api_key_id: id } }, context) {
    await removeProjectKey(context, project_id, id)
    const value = { object: 'organization.project.api_key.deleted', id, deleted: true } satisfies ProjectApiKeyDeleted
    return { kind: 'json', value }
  },
})

async function withSecret(
  { store, caller }: Context,
  projectId: string,
  { row, secret }: MadeKey,
): Promise<ProjectApiKeyCreated> {
  return { ...shown(await findProjectKey(store, caller.organizationId, projectId, row.id)), value: secret }
}

function shown({ key, owner, access }: ProjectKey): ProjectApiKey {
  const { id, name, role } = owner
  const account = { id, name, role, created_at: unixSeconds(owner.created_at) }
  return {
    object: 'organization.project.api_key',
    id: key.id,
    name: key.name,
    redacted_value: key.hint,
    created_at: unixSeconds(key.createdAt),
    last_used_at: unixSecondsOrNull(key.lastUsedAt),
    owner_project_access: access,
    owner:
      owner.type === 'user'
        ? {
            type: 'user',
            user: {
              ...account,
              object: 'organization.project.user',
              email: owner.email,
              added_at: unixSeconds(owner.added_at),
            },
          }
        : { type: 'service_account', service_account: { ...account, object: 'organization.project.service_account' } },
    expires_at: unixSecondsOrNull(key.expiresAt),
    scopes: typeof key.scopes === 'string' ? key.scopes : [...key.scopes],
    models: key.models === null ? null : [...key.models],
  }
}
