import type { Kysely } from 'kysely'

/** Work that outlives a request and a process, and what became of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('jobs')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('kind', 'text', column => column.notNull())
    .addColumn('subject', 'text')
    .addColumn('open_key', 'text', column => column.unique())
    .addColumn('organization_id', 'text')
    .addColumn('payload', 'text', column => column.notNull())
    .addColumn('priority', 'bigint', column => column.notNull())
    .addColumn('status', 'text', column => column.notNull())
    .addColumn('due_at', 'bigint', column => column.notNull())
    .addColumn('attempts', 'bigint', column => column.notNull())
    .addColumn('attempts_max', 'bigint', column => column.notNull())
    .addColumn('lease', 'text')
    .addColumn('fence', 'bigint', column => column.notNull())
    .addColumn('cancel_at', 'bigint')
    .addColumn('every_ms', 'bigint')
    .addColumn('error', 'text')
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('ended_at', 'bigint')
    .execute()
  // What a worker looks for several times a second; those that have ended are no longer in its way.
  await db.schema.createIndex('jobs_due').on('jobs').columns(['status', 'due_at']).execute()
  await db.schema.createIndex('jobs_kind').on('jobs').columns(['kind', 'status', 'created_at']).execute()
  await db.schema.createIndex('jobs_subject').on('jobs').columns(['subject', 'kind']).execute()
  await db.schema.createIndex('jobs_lease').on('jobs').column('lease').execute()
  await db.schema.createIndex('jobs_ended').on('jobs').column('ended_at').execute()
  await db.schema
    .createTable('job_events')
    .addColumn('job_id', 'text', column => column.notNull().references('jobs.id').onDelete('cascade'))
    .addColumn('number', 'bigint', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('event', 'text', column => column.notNull())
    .addColumn('fence', 'bigint', column => column.notNull())
    .addColumn('detail', 'text')
    .addPrimaryKeyConstraint('job_events_pk', ['job_id', 'number'])
    .execute()
}
