import type { Kysely } from 'kysely'

/** Upstreams and routes that are added while the server runs, and who needs whom. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const [table, name] of [
    ['upstreams', 'name'],
    ['routes', 'model'],
  ] as const)
    await db.schema
      .createTable(table)
      .addColumn(name, 'text', column => column.primaryKey().notNull())
      .addColumn('settings', 'text', column => column.notNull())
      .addColumn('secrets', 'text')
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .execute()
  await db.schema
    .createTable('route_upstreams')
    .addColumn('model', 'text', column => column.notNull().references('routes.model').onDelete('cascade'))
    .addColumn('upstream', 'text', column => column.notNull().references('upstreams.name'))
    .addPrimaryKeyConstraint('route_upstreams_pk', ['model', 'upstream'])
    .execute()
  await db.schema.createIndex('route_upstreams_upstream').on('route_upstreams').column('upstream').execute()
}
