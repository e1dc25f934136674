import { sql } from 'kysely'
import type { RoutesTable } from '../../store/schema/upstreams.ts'
import type { Statement, Store } from '../../store/store.ts'

/** What the secrets of a route are bound to. */
export const placeOf = (model: string) => `route/${model}`

/** All of them, the oldest first. They are the operator's: no organisation owns one. */
export const readRoutes = (store: Store): Promise<RoutesTable[]> =>
  store.read.selectFrom('routes').selectAll().orderBy('created_at').orderBy('model').execute()

/** Another one after each change. */
export async function markOf(store: Store): Promise<string> {
  const row = await store.read
    .selectFrom('routes')
    .select([sql<number | null>`max(updated_at)`.as('newest'), sql<number>`count(*)`.as('count')])
    .executeTakeFirst()
  return `${row?.count} ${row?.newest}`
}

/** @param upstreams of the store, that it stands on: it fails when one has gone */
export const insertRoute = (store: Store, row: RoutesTable, upstreams: readonly string[]): Statement[] => [
  { statement: store.build.insertInto('routes').values(row), expectChanges: 1 },
  ...standingOn(store, row.model, upstreams),
]

/** Nothing else than what was read is written over. */
export const updateRoute = (
  store: Store,
  { model, ...row }: Omit<RoutesTable, 'created_at'>,
  before: number,
  upstreams: readonly string[],
): Statement[] => [
  {
    statement: store.build.updateTable('routes').set(row).where('model', '=', model).where('updated_at', '=', before),
    expectChanges: 1,
  },
  store.build.deleteFrom('route_upstreams').where('model', '=', model),
  ...standingOn(store, model, upstreams),
]

export const deleteRoute = (store: Store, model: string): Statement[] => [
  store.build.deleteFrom('route_upstreams').where('model', '=', model),
  { statement: store.build.deleteFrom('routes').where('model', '=', model), expectChanges: 1 },
]

const standingOn = (store: Store, model: string, upstreams: readonly string[]): Statement[] =>
  upstreams.map(upstream => store.build.insertInto('route_upstreams').values({ model, upstream }))
