import type { Kysely } from 'kysely'
import type { Clock } from '../lib/clock.ts'

export interface Migration {
  /** 1, 2, 3 … without gaps. */
  readonly number: number
  readonly name: string
  /** Runs inside a transaction, on either dialect: schema builder and portable SQL only. */
  up(db: Kysely<unknown>): Promise<void>
}

export interface MigrateOptions {
  readonly migrations: readonly Migration[]
  readonly clock: Clock
  /** What the database is called in messages. */
  readonly name: string
  /** Where the backups are, for messages. */
  readonly backupsDir: string
  /** Called once, before the first change to a database that already holds something. When it throws, nothing is changed. */
  beforeChange(fromVersion: number): Promise<void>
}

type VersionDatabase = {
  schema_version: { version: number; name: string; applied_at: number }
}

/**
 * Brings the database to the newest schema. Each migration is one transaction together with its row in `schema_version`, so a kill
 * in the middle leaves the version before it, whole. Two processes may migrate at once: the second finds the work done.
 *
 * Throws an Error that says what to do when the database is of a newer schema, or is not one of ours.
 */
export async function migrate(db: Kysely<unknown>, options: MigrateOptions): Promise<void> {
  const { migrations, name, backupsDir } = options
  migrations.forEach((migration, index) => {
    if (migration.number !== index + 1) throw new Error(`Migration ${migration.number} is out of order.`)
  })
  const version = await versionOf(db, name)
  if (version > migrations.length)
    throw new Error(
      `The database ${name} has schema version ${version}, but this version of Parlance knows only ${migrations.length}. Use the newer Parlance that wrote it, or restore a backup from ${backupsDir}.`,
    )
  if (version === migrations.length) return
  if (version > 0) await options.beforeChange(version)
  for (const migration of migrations.slice(version))
    await db.transaction().execute(async transaction => {
      if ((await versionOf(transaction, name)) >= migration.number) return
      await migration.up(transaction)
      await record(transaction, migration, options.clock.now())
    })
}

/** 0 for an empty database. */
async function versionOf(db: Kysely<unknown>, name: string): Promise<number> {
  const tables = await db.introspection.getTables()
  if (tables.some(table => table.name === 'schema_version')) {
    const row = await versions(db)
      .selectFrom('schema_version')
      .select(({ fn }) => fn.max<number | null>('version').as('version'))
      .executeTakeFirstOrThrow()
    return row.version ?? 0
  }
  if (tables.length > 0)
    throw new Error(
      `The database ${name} was not made by Parlance: it has tables, but no \`schema_version\`. It was left as it is. Choose another data folder.`,
    )
  return 0
}

async function record(db: Kysely<unknown>, migration: Migration, now: number): Promise<void> {
  await db.schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('version', 'bigint', column => column.primaryKey().notNull())
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('applied_at', 'bigint', column => column.notNull())
    .execute()
  await versions(db)
    .insertInto('schema_version')
    .values({ version: migration.number, name: migration.name, applied_at: now })
    .execute()
}

const versions = (db: Kysely<unknown>): Kysely<VersionDatabase> => db.withTables<VersionDatabase>()
