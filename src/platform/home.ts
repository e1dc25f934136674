import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import { storable } from '../lib/storable.ts'
import type { Store } from '../store/store.ts'

/** Where everything begins: the default organisation, its project and its owner. */
export interface Home {
  organizationId: string
  organizationName: string
  projectId: string
  /** The first owner. */
  userId: string
}

/** Of the person who set the server up, until they say who they are. */
export const firstOwnerEmail = 'owner@localhost'

/** The default organisation, project and owner; made at the first start, and once for a data folder from before there were people. */
export async function ensureHome({ store, clock, ids }: { store: Store; clock: Clock; ids: Ids }): Promise<Home> {
  const found = await find(store)
  if (found?.userId != null) return { ...found, userId: found.userId }
  const created_at = clock.now()
  const organizationId = found?.organizationId ?? ids.make('org')
  const projectId = found?.projectId ?? ids.make('project')
  const userId = ids.make('user')
  const accounts =
    found !== undefined
      ? []
      : [
          store.build
            .insertInto('organizations')
            .values({ id: organizationId, name: 'default', title: 'Default', credit: 0, created_at }),
          store.build.insertInto('projects').values({
            id: projectId,
            organization_id: organizationId,
            name: 'Default project',
            created_at,
            archived_at: null,
          }),
        ]
  await store.write([
    ...accounts,
    store.build.insertInto('users').values({
      id: userId,
      email: firstOwnerEmail,
      name: 'Owner',
      password: null,
      identity: null,
      created_at,
      disabled_at: null,
    }),
    store.build
      .insertInto('members')
      .values({ organization_id: organizationId, user_id: userId, role: 'owner', created_at }),
    store.build
      .updateTable('api_keys')
      .set({ user_id: userId })
      .where('organization_id', '=', organizationId)
      .where('kind', '=', 'user')
      .where('user_id', 'is', null),
  ])
  return { organizationId, organizationName: found?.organizationName ?? 'default', projectId, userId }
}

/** The same of any organisation. @param organization its id or slug. @returns undefined when there is none */
export const homeOf = (store: Store, organization: string) => {
  const name = storable(organization)
  return homes(store)
    .where(eb => eb.or([eb('organizations.id', '=', name), eb('organizations.name', '=', name)]))
    .executeTakeFirst()
}

const find = (store: Store) => homes(store).executeTakeFirst()

/** The oldest organisation with its oldest project, and its oldest owner if it has one. */
const homes = (store: Store) =>
  store.read
    .selectFrom('organizations')
    .innerJoin('projects', 'projects.organization_id', 'organizations.id')
    .leftJoin('members', join =>
      join.onRef('members.organization_id', '=', 'organizations.id').on('members.role', '=', 'owner'),
    )
    .select(['organizations.id as organizationId', 'organizations.name as organizationName'])
    .select(['projects.id as projectId', 'members.user_id as userId'])
    .orderBy('organizations.created_at')
    .orderBy('projects.created_at')
    .orderBy('members.created_at')
    .limit(1)
