/**
 * The store: everything that must outlive the process, except blobs. One contract over SQLite (here) and PostgreSQL (later); the suite
 * in `store.contract.ts` says what it promises and runs over every backend.
 *
 * - **Reading** is Kysely on `read`. On SQLite it happens on the main thread, in microseconds.
 * - **Writing** is a list of statements given to `write`. There is no transaction to hold open: what must be checked and written
 *   together is said in the statements (`where status = 'old'`, `insert … select … where …`) with `expectChanges`, and so is atomic
 *   on every backend.
 * - **A resolved `write` is on the disk.** It survives `kill -9` and a power cut (`synchronous = full`, after fsync). Calls that come
 *   while a commit is under way share the next one.
 * - **`writeSoon`** is for rows that need not be there when their request ends (usage). It costs the caller a few microseconds. A kill
 *   loses at most the rows that were not flushed yet: those of the last `flushMs` (200 ms) and of the commit under way; while the
 *   store is failing (`health`), all rows that wait. `flush` and `close` lose nothing. Nothing else is ever lost by a kill.
 *
 * Values: strings, finite numbers, bytes, null. Integers are numbers within ±2^53; what lies beyond is refused with a RangeError,
 * in both directions. No booleans, no dates: 0 and 1, unix milliseconds.
 *
 * Errors of `write`: `StaleWrite` (the number of changed rows was another), `ConstraintFailed` (unique, foreign key …), both rolled
 * back; and faults for the state of the store: `storeFull` 507, `storeBusy` 503, `storeFailed` 500, `draining` 503 after `close`.
 * A rejected call has stored nothing, with one exception: when the writer thread dies or fsync fails while the call is under way,
 * nobody knows. The store is `failed` then and the process should end; the next start shows what is there.
 */
import type { Compilable, DeleteResult, InsertResult, Kysely, MergeResult, UpdateResult } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { DataDirLock } from './lock.ts'
import { migrations } from './migrations/index.ts'
import type { Database } from './schema.ts'
import { openSqlite } from './sqlite.ts'

export { ConstraintFailed, StaleWrite } from './failure.ts'
export { type DataDirLock, lockDataDir } from './lock.ts'
export { preparedAddition, preparedInsert } from './prepared.ts'
export type { Database } from './schema.ts'
export { usualSoonRows } from './write-behind.ts'

export interface Store {
  /**
   * Queries. Each statement sees all that was committed before it, also by other processes. Anything that would write throws, and there
   * are no transactions: one statement is one consistent view.
   */
  readonly read: Kysely<Database>

  /** Builds statements for `write`; cannot run them. */
  readonly build: Kysely<Database>

  /**
   * Runs one statement, or several as one unit, in order; resolves after COMMIT and fsync. When one fails or misses its
   * expectation, the whole call is undone and rejects; calls that share the commit are not touched.
   *
   * `await store.write(store.build.insertInto('settings').values({ name, value }))`
   */
  write<Output>(statement: Compilable<Output>, expectation?: Expectation): Promise<Written<Output>>
  write<const Statements extends readonly Statement[]>(
    statements: Statements,
  ): Promise<{ -readonly [Index in keyof Statements]: WrittenBy<Statements[Index]> }>

  /**
   * Queues one statement, or several as one unit, flushed with others within `flushMs`. The promise resolves as soon as there is room for more:
   * mostly at once; when `maxSoonRows` wait, later, and a caller who awaits it is held back. It rejects, and the row is not taken, when
   * twice as many wait (`storeBusy`), after `close`, or when the store has failed. While the database is locked or the disk is
   * full the rows stay in the queue and are tried again. A row that a rule of the schema refuses is logged and counted.
   */
  writeSoon(statement: Compilable | readonly Compilable[]): Promise<void>

  /** Resolves when every row given to `writeSoon` so far is on the disk; waits while the store is failing. */
  flush(): Promise<void>

  health(): StoreHealth

  /**
   * Writes a whole, consistent copy to a new file: everything acknowledged before is in it. Reads go on; writes wait for it. Rejects
   * when the file exists.
   */
  backup(toPath: string): Promise<void>

  /**
   * Stores what waits, moves SQLite's log into the file and ends the writer. Rejects when rows of `writeSoon` could not be stored
   * within 10 seconds, with their number; everything is closed then, too.
   */
  close(): Promise<void>
}

/** The call is rolled back and rejects with `StaleWrite` unless the statement inserts, updates or deletes exactly so many rows. */
export interface Expectation {
  readonly expectChanges: number
}

export type Statement = Compilable | (Expectation & { readonly statement: Compilable })

export interface Written<Output> {
  /** Rows inserted, updated or deleted by the statement itself; 0 for a select. */
  readonly changes: number
  /** Of `returning`, or of a select. */
  readonly rows: RowOf<Output>[]
}

/** Kysely's type of a statement without `returning` is the summary its own drivers give; here such a statement has no rows. */
type RowOf<Output> = Output extends InsertResult | UpdateResult | DeleteResult | MergeResult ? never : Output
export type WrittenBy<Given> = Given extends { readonly statement: Compilable<infer Output> }
  ? Written<Output>
  : Given extends Compilable<infer Output>
    ? Written<Output>
    : never

export interface StoreHealth {
  /**
   * `ok`; `failing`: the last commit failed for a reason that may pass (disk full, locked): reads go on, writes reject, and the store
   * tries a small write every few seconds until one succeeds; `failed`: fsync failed or the writer died, nothing is written any
   * more and the process should end; `closed`.
   */
  readonly state: 'ok' | 'failing' | 'failed' | 'closed'
  /** For logs and the operator, without values; null while all is well. */
  readonly reason: string | null
  /** Unix milliseconds; null while all is well. */
  readonly since: number | null
  /** Transactions committed and calls committed in them: their ratio is what grouping gains. */
  readonly commits: number
  readonly calls: number
  /** Calls that wait for the writer, those under way included. */
  readonly waiting: number
  readonly soon: {
    readonly waiting: number
    readonly stored: number
    /** Rows that a rule of the schema refused. */
    readonly refused: number
  }
}

export interface StoreOptions {
  /** Holds `parlance.db`, its log and `backups/`. Created when missing, for this user alone. */
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Log
  /** Of a server that holds the folder. Without it, an existing database is upgraded only while no server runs. */
  readonly lock?: DataDirLock
  /** The database does not grow beyond this; then it behaves as on a full disk. Without it, the disk is the bound. */
  readonly maxSizeBytes?: number
  /** How long a row of `writeSoon` may wait. Default 200. */
  readonly flushMs?: number
  /** How many rows of `writeSoon` wait before callers are held back. Default: 250,000, fewer where memory is short. */
  readonly maxSoonRows?: number
  /** How long a write waits for another process that writes. Default 5,000. */
  readonly busyTimeoutMs?: number
}

/**
 * Opens the store, creates or upgrades the schema, and takes a backup before an existing database is changed.
 *
 * Throws an Error for people, which names the file and says what to do, when the database is damaged, not ours, of a newer schema, or
 * when the folder cannot be written.
 */
export function openStore(options: StoreOptions): Promise<Store> {
  return openSqlite(options, migrations)
}
