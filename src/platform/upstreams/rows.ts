import { sql } from 'kysely'
import type { UpstreamsTable } from '../../store/schema/upstreams.ts'
import type { Statement, Store } from '../../store/store.ts'

/** What the secrets of an upstream are bound to. */
export const placeOf = (name: string) => `upstream/${name}`

/** All of them, the oldest first. They are the operator's: no organisation owns one. */
export const readUpstreams = (store: Store): Promise<UpstreamsTable[]> =>
  store.read.selectFrom('upstreams').selectAll().orderBy('created_at').orderBy('name').execute()

export async function hasUpstream(store: Store, name: string): Promise<boolean> {
  const row = await store.read.selectFrom('upstreams').select('name').where('name', '=', name).executeTakeFirst()
  return row !== undefined
}

/** Another one after each change. */
export async function markOf(store: Store): Promise<string> {
  const row = await store.read
    .selectFrom('upstreams')
    .select([sql<number | null>`max(updated_at)`.as('newest'), sql<number>`count(*)`.as('count')])
    .executeTakeFirst()
  return `${row?.count} ${row?.newest}`
}

export const insertUpstream = (store: Store, row: UpstreamsTable): Statement => ({
  statement: store.build.insertInto('upstreams').values(row),
  expectChanges: 1,
})

/** Nothing else than what was read is written over. */
export const updateUpstream = (
  store: Store,
  { name, ...row }: Omit<UpstreamsTable, 'created_at'>,
  before: number,
): Statement => ({
  statement: store.build.updateTable('upstreams').set(row).where('name', '=', name).where('updated_at', '=', before),
  expectChanges: 1,
})

/** Fails while routes use it. */
export const deleteUpstream = (store: Store, name: string): Statement => ({
  statement: store.build.deleteFrom('upstreams').where('name', '=', name),
  expectChanges: 1,
})

/** The routes of the store that use it, by name. */
export async function routesOn(store: Store, name: string): Promise<string[]> {
  const rows = await store.read
    .selectFrom('route_upstreams')
    .select('model')
    .where('upstream', '=', name)
    .orderBy('model')
    .limit(20)
    .execute()
  return rows.map(({ model }) => model)
}
