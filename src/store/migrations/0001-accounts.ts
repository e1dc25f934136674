import type { Kysely } from 'kysely'

/** Organisations, projects, keys, usage, settings. Portable types only: text and bigint (PostgreSQL's integer ends at 2^31). */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('organizations')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .execute()
  await db.schema
    .createTable('projects')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('organization_id', 'text', column => column.notNull().references('organizations.id'))
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .execute()
  await db.schema.createIndex('projects_organization').on('projects').column('organization_id').execute()
  await createKeys(db)
  await createUsage(db)
  await db.schema
    .createTable('settings')
    .addColumn('name', 'text', column => column.primaryKey().notNull())
    .addColumn('value', 'text', column => column.notNull())
    .execute()
}

async function createKeys(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('api_keys')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('organization_id', 'text', column => column.notNull().references('organizations.id'))
    .addColumn('project_id', 'text', column => column.notNull().references('projects.id'))
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('hash', 'text', column => column.notNull().unique())
    .addColumn('hint', 'text', column => column.notNull())
    .addColumn('role', 'text', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('revoked_at', 'bigint')
    .addColumn('last_used_at', 'bigint')
    .execute()
  await db.schema.createIndex('api_keys_organization').on('api_keys').column('organization_id').execute()
  await db.schema.createIndex('api_keys_project').on('api_keys').column('project_id').execute()
}

async function createUsage(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('usage')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('organization_id', 'text', column => column.notNull())
    .addColumn('project_id', 'text', column => column.notNull())
    .addColumn('key_id', 'text', column => column.notNull())
    .addColumn('operation', 'text', column => column.notNull())
    .addColumn('model', 'text', column => column.notNull())
    .addColumn('requested_model', 'text', column => column.notNull())
    .addColumn('end_user', 'text')
    .addColumn('input_tokens', 'bigint', column => column.notNull())
    .addColumn('cached_tokens', 'bigint', column => column.notNull())
    .addColumn('output_tokens', 'bigint', column => column.notNull())
    .addColumn('requests', 'bigint', column => column.notNull())
    .addColumn('cost_nano', 'bigint', column => column.notNull())
    .addColumn('status', 'text', column => column.notNull())
    .addColumn('duration_ms', 'bigint', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .execute()
  await db.schema
    .createIndex('usage_organization_time')
    .on('usage')
    .columns(['organization_id', 'created_at'])
    .execute()
}
