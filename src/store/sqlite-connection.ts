import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'

/** One connection to one file, with this product's settings. Synchronous: it blocks its thread. */
export interface Connection {
  /** Runs one statement. Throws the errors of `node:sqlite`; `failureOf` reads them. */
  run(statement: { sql: string; parameters: readonly unknown[]; selects: boolean }): Ran
  /** Runs SQL without parameters and results. */
  exec(sql: string): void
  /** The first column of the first row. */
  value(sql: string): SQLOutputValue | undefined
  /** False when SQLite ended the transaction by itself, as it does when the disk is full. */
  readonly inTransaction: boolean
  close(): void
}

/** `changes`: rows inserted, updated or deleted by the statement itself; 0 for a select. */
export interface Ran {
  readonly changes: number
  readonly rows: Record<string, SQLOutputValue>[]
}

export interface ConnectionOptions {
  /** How long a statement waits for another process that writes. It blocks the thread. */
  readonly busyTimeoutMs: number
  readonly readOnly: boolean
  /** Beyond this size the file does not grow: writes fail as on a full disk. */
  readonly maxSizeBytes?: number | undefined
}

/** Statements of one shape are prepared once; lists of different lengths make many shapes, so the cache has a bound. */
const maxPrepared = 200

interface Prepared {
  readonly statement: StatementSync
  readonly hasRows: boolean
}

export function connect(path: string, options: ConnectionOptions): Connection {
  const database = new DatabaseSync(path, {
    readOnly: options.readOnly,
    timeout: options.busyTimeoutMs,
    enableForeignKeyConstraints: true,
    enableDoubleQuotedStringLiterals: false,
    allowExtension: false,
    defensive: true,
  })
  try {
    configure(database, options)
  } catch (error) {
    database.close()
    throw error
  }
  const prepared = new Map<string, Prepared>()
  let latest = ''

  function prepare(sql: string): Prepared {
    let found = prepared.get(sql)
    if (found !== undefined && sql === latest) return found
    if (found === undefined) {
      const statement = database.prepare(sql)
      found = { statement, hasRows: statement.columns().length > 0 }
    } else prepared.delete(sql)
    prepared.set(sql, found) // to the end: the first one is the one that was not used for longest
    latest = sql
    const [oldest] = prepared.size > maxPrepared ? prepared.keys() : []
    if (oldest !== undefined) prepared.delete(oldest)
    return found
  }

  return {
    run({ sql, parameters, selects }) {
      const { statement, hasRows } = prepare(sql)
      const values = parameters.map(toSqlite)
      if (!hasRows) return { changes: Number(statement.run(...values).changes), rows: [] }
      // Rows come without a prototype; copies are ordinary objects, as from every other driver.
      const rows = statement.all(...values).map(row => ({ ...row }))
      return { changes: selects ? 0 : rows.length, rows }
    },
    exec: sql => database.exec(sql),
    value: sql => Object.values(database.prepare(sql).get() ?? {})[0],
    get inTransaction() {
      return database.isTransaction
    },
    close() {
      prepared.clear()
      database.close()
    },
  }
}

function configure(database: DatabaseSync, { readOnly, maxSizeBytes }: ConnectionOptions): void {
  database.exec('pragma trusted_schema = off; pragma cell_size_check = on;')
  if (readOnly) {
    database.exec('pragma query_only = on')
    return
  }
  // FULL: a commit returns after fsync, so that it outlives a power cut as well as a kill. 1000 pages are 4 MB of log.
  database.exec('pragma synchronous = full; pragma wal_autocheckpoint = 1000; pragma journal_size_limit = 67108864;')
  if (maxSizeBytes === undefined) return
  const pageSize = Number(database.prepare('pragma page_size').get()?.page_size)
  database.exec(`pragma max_page_count = ${Math.max(1, Math.floor(maxSizeBytes / pageSize))}`)
}

/** `node:sqlite` binds every JavaScript number as a real; an integer must arrive as one, or `? / 2` and `typeof` go wrong. */
function toSqlite(value: unknown): SQLInputValue {
  checkParameter(value)
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value
}

/**
 * What may be bound, the same for every dialect: strings, finite numbers, integers within ±2^53, bytes, null. Booleans are 0 and 1 by
 * the schema's choice and a Date is its milliseconds, so both are mistakes here.
 */
export function checkParameter(value: unknown): asserts value is string | number | bigint | Uint8Array | null {
  if (typeof value === 'string' || value === null || value instanceof Uint8Array) return
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value))) return
    throw new RangeError(`A statement's parameter is ${value}: only finite numbers within ±2^53 can be stored.`)
  }
  if (typeof value === 'bigint') {
    if (value >= -maxInteger && value <= maxInteger) return
    throw new RangeError(`A statement's parameter is beyond ±2^53: it could not be read back as a number.`)
  }
  throw new TypeError(`A statement's parameter has the type ${typeof value}: it cannot be stored.`)
}

const maxInteger = BigInt(Number.MAX_SAFE_INTEGER)
