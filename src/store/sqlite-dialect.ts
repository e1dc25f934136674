import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  DummyDriver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { errorOf, failureOf } from './failure.ts'
import type { Database } from './schema.ts'
import type { Connection } from './sqlite-connection.ts'

/** Kysely over one connection of `node:sqlite`, which blocks its thread. Transactions only where the connection may write. */
export function sqliteKysely<Tables>(connection: Connection, options: { readOnly: boolean }): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: dialect(() => driver(connection, options.readOnly)) })
}

/** Kysely that compiles statements and cannot run them. */
export function sqliteBuilder(): Kysely<Database> {
  return new Kysely<Database>({ dialect: dialect(() => new Unconnected()) })
}

function dialect(createDriver: () => Driver): Dialect {
  return {
    createDriver,
    createAdapter: () => new SqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: db => new SqliteIntrospector(db),
  }
}

class Unconnected extends DummyDriver {
  override async acquireConnection(): Promise<DatabaseConnection> {
    throw new Error('`store.build` only builds statements. Give them to `store.write` or `store.writeSoon`.')
  }
}

function driver(connection: Connection, readOnly: boolean): Driver {
  const attempt = readOnly ? asFault : <T>(work: () => T): T => work()
  const one: DatabaseConnection = {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const { changes, rows } = attempt(() => connection.run(runnable(query)))
      // The one place where rows get their type: the schema and the migrations vouch for it, as with every driver of Kysely.
      return { rows: rows as R[], numAffectedRows: BigInt(changes) }
    },
    streamQuery() {
      throw new Error('Rows are not streamed: an open cursor would hold back the checkpoints. Read pages.')
    },
  }
  const begin = async () => {
    // One connection serves all readers of the thread: a transaction of one would be joined by the others.
    if (readOnly) throw new Error('`store.read` has no transactions. Check and write in one call of `store.write`.')
    attempt(() => connection.exec('begin immediate'))
  }
  return {
    init: async () => {},
    acquireConnection: async () => one,
    beginTransaction: begin,
    commitTransaction: async () => attempt(() => connection.exec('commit')),
    rollbackTransaction: async () => {
      if (connection.inTransaction) attempt(() => connection.exec('rollback'))
    },
    releaseConnection: async () => {},
    destroy: async () => connection.close(),
  }
}

/** What a connection needs to know of a compiled query. */
export const runnable = (query: CompiledQuery): { sql: string; parameters: readonly unknown[]; selects: boolean } => ({
  sql: query.sql,
  parameters: query.parameters,
  selects: query.query.kind === 'SelectQueryNode',
})

/** Readers are requests, so they get faults; whoever migrates wants the database's own error. */
function asFault<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw errorOf(failureOf(error))
  }
}
