import type { Kysely } from 'kysely'

/** Batches of requests. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const texts = ['organization_id', 'project_id', 'principal', 'principal_id', 'endpoint', 'input_file_id', 'status']
  const optionalTexts = ['model', 'output_file_id', 'error_file_id', 'errors', 'metadata']
  const numbers = [
    ...['created_at', 'expires_at', 'total', 'completed', 'failed'],
    ...['input_tokens', 'cached_tokens', 'output_tokens', 'reasoning_tokens'],
  ]
  const optionalNumbers = [
    ...['output_seconds', 'in_progress_at', 'finalizing_at', 'completed_at', 'failed_at'],
    ...['expired_at', 'cancelling_at', 'cancelled_at'],
  ]
  let table = db.schema.createTable('batches').addColumn('id', 'text', column => column.primaryKey().notNull())
  for (const name of texts) table = table.addColumn(name, 'text', column => column.notNull())
  for (const name of optionalTexts) table = table.addColumn(name, 'text')
  for (const name of numbers) table = table.addColumn(name, 'bigint', column => column.notNull())
  for (const name of optionalNumbers) table = table.addColumn(name, 'bigint')
  await table.execute()
  await db.schema
    .createIndex('batches_project_time')
    .on('batches')
    .columns(['project_id', 'created_at', 'id'])
    .execute()
  await db.schema.createIndex('batches_status').on('batches').columns(['status', 'id']).execute()
}
