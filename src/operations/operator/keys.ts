import type { Context } from '../../platform/operation.ts'
import { operation } from '../../platform/operation.ts'
import {
  createAnyKey,
  findAnyKey,
  listEveryKey,
  type NamedKey,
  removeAnyKey,
  rotateAnyKey,
} from '../../platform/people/operator-keys.ts'
import type { MadeKey } from '../../platform/people/project-keys.ts'
import { list } from '../../wire/lists.ts'
import {
  type OperatorKey,
  OperatorKeyCreated,
  OperatorKeyDeleted,
  OperatorKeyList,
  OperatorKeyRequest,
} from '../../wire/operator.ts'
import { PageQuery, unixSeconds, unixSecondsOrNull } from '../../wire/organization/common.ts'
import { ProjectApiKeyRotation } from '../../wire/organization/project-keys.ts'

export const listKeys = operation<unknown, never, PageQuery>({
  id: 'operator.keys.list',
  method: 'GET',
  path: '/v1/parlance/keys',
  summary: 'Lists all keys of the organization, those that have ended too. For commands on this machine.',
  query: PageQuery,
  reply: OperatorKeyList,
  scope: 'operator',
  bills: 'nothing',
  async run({ query }, { store, caller }) {
    const { rows, hasMore } = await listEveryKey(store, caller.organizationId, query)
    return { kind: 'json', value: list(rows.map(toKey), hasMore) }
  },
})

export const createKey = operation<OperatorKeyRequest>({
  id: 'operator.keys.create',
  method: 'POST',
  path: '/v1/parlance/keys',
  summary: 'Makes a key of any kind for anybody of the organization. For commands on this machine.',
  body: OperatorKeyRequest,
  strict: true,
  reply: OperatorKeyCreated,
  showsSecret: true,
  scope: 'operator',
  bills: 'nothing',
  async run({ body }, context) {
    const { kind = 'user', project_id: projectId, service_account: serviceAccount, expires_at: expires, ...rest } = body
    for (const model of rest.models ?? []) context.models.resolve(model) // a misspelt name would let nobody in
    const made = await createAnyKey(context, {
      ...rest,
      kind,
      ...(projectId !== undefined && { projectId }),
      ...(serviceAccount !== undefined && { serviceAccount }),
      expiresAt: expires === undefined ? null : expires * 1000,
    })
    return { kind: 'json', value: await withSecret(context, made) }
  },
})

export const rotateKey = operation<ProjectApiKeyRotation, 'key_id'>({
  id: 'operator.keys.rotate',
  method: 'POST',
  path: '/v1/parlance/keys/{key_id}/rotate',
  summary: 'Makes a key with the rights of this one, which ends at once or later. For commands on this machine.',
  body: ProjectApiKeyRotation,
  strict: true,
  reply: OperatorKeyCreated,
  showsSecret: true,
  scope: 'operator',
  bills: 'nothing',
  async run({ body: { grace_seconds: graceSeconds = 0 }, params }, context) {
    const { limits, ledger } = context
    const made = await rotateAnyKey(context, params.key_id, graceSeconds * 1000)
    await Promise.all([limits.changed(), ledger.changed()])
    return { kind: 'json', value: await withSecret(context, made) }
  },
})

export const deleteKey = operation<unknown, 'key_id'>({
  id: 'operator.keys.delete',
  method: 'DELETE',
  path: '/v1/parlance/keys/{key_id}',
  summary: 'Ends a key at once. For commands on this machine.',
  reply: OperatorKeyDeleted,
  scope: 'operator',
  bills: 'nothing',
  async run({ params: { key_id: id } }, context) {
    await removeAnyKey(context, id)
    return { kind: 'json', value: { object: 'parlance.key.deleted', id, deleted: true } }
  },
})

async function withSecret({ store, caller }: Context, { row, secret }: MadeKey): Promise<OperatorKeyCreated> {
  return { ...toKey(await findAnyKey(store, caller.organizationId, row.id)), value: secret }
}

const toKey = ({ key, email, serviceAccount, project }: NamedKey): OperatorKey => ({
  object: 'parlance.key',
  id: key.id,
  kind: key.kind,
  name: key.name,
  redacted_value: key.hint,
  project: key.projectId === null ? null : { id: key.projectId, name: project ?? '' },
  user: key.userId === null ? null : { id: key.userId, email: email ?? '' },
  service_account: key.serviceAccountId === null ? null : { id: key.serviceAccountId, name: serviceAccount ?? '' },
  scopes: typeof key.scopes === 'string' ? key.scopes : [...key.scopes],
  models: key.models === null ? null : [...key.models],
  created_at: unixSeconds(key.createdAt),
  expires_at: unixSecondsOrNull(key.expiresAt),
  revoked_at: unixSecondsOrNull(key.revokedAt),
  last_used_at: unixSecondsOrNull(key.lastUsedAt),
})
