import type { Kysely } from 'kysely'

/** Chat completions that were asked to be kept, and the labels by which lists of them are filtered. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('chat_completions')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('organization_id', 'text', column => column.notNull())
    .addColumn('project_id', 'text', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('metadata', 'text', column => column.notNull())
    .addColumn('body', 'text', column => column.notNull())
    .addColumn('messages', 'text', column => column.notNull())
    .execute()
  await db.schema
    .createIndex('chat_completions_project_time')
    .on('chat_completions')
    .columns(['project_id', 'created_at', 'id'])
    .execute()
  await db.schema
    .createTable('chat_completion_labels')
    .addColumn('id', 'text', column => column.notNull().references('chat_completions.id').onDelete('cascade'))
    .addColumn('label', 'text', column => column.notNull())
    .addColumn('kind', 'text', column => column.notNull())
    .addColumn('project_id', 'text', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('chat_completion_labels_pk', ['id', 'label'])
    .execute()
  // The label first: SQLite would otherwise take it for what is looked up by id, and read the labels of the whole project.
  await db.schema
    .createIndex('chat_completion_labels_page')
    .on('chat_completion_labels')
    .columns(['label', 'project_id', 'created_at', 'id'])
    .execute()
}
