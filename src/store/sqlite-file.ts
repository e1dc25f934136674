import { closeSync, existsSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { saveCopy } from './backup.ts'
import { failureOf } from './failure.ts'
import { type DataDirLock, lockDataDir } from './lock.ts'
import { type Migration, migrate } from './migrate.ts'
import { type Connection, connect } from './sqlite-connection.ts'
import { sqliteKysely } from './sqlite-dialect.ts'

export interface FileOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Log
  readonly migrations: readonly Migration[]
  readonly lock: DataDirLock | undefined
  readonly busyTimeoutMs: number
}

/** Where things are in a data folder. */
export const databasePath = (dataDir: string): string => join(dataDir, 'parlance.db')
const backupsPath = (dataDir: string): string => join(dataDir, 'backups')

/** A file of at most this size is checked as a whole at every start (about 20 ms); a larger one by `parlance doctor`. */
const wholeCheckBytes = 16 * 1024 * 1024

/**
 * Makes the folder and the database ready: created, undamaged, of the newest schema, with a backup taken before an existing one is
 * changed. Throws Errors that name the file and say what to do; the file is left as it is then.
 */
export async function prepareFile(options: FileOptions): Promise<void> {
  const path = databasePath(options.dataDir)
  try {
    createPrivately(options, path)
    await prepareWhenFree(options, path)
  } catch (error) {
    throw explained(error, options)
  }
}

/** Whoever creates the file decides who may read it, and SQLite gives its log the same rights. */
function createPrivately({ dataDir, log }: FileOptions, path: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  if (existsSync(path)) {
    if (statSync(path).size === 0) log.warn('store.empty_file', { path })
    return
  }
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!existsSync(path)) throw error // else another process was faster
  }
}

/** Two first starts at once: the switch to a write-ahead log does not wait for the other's lock by itself. */
async function prepareWhenFree(options: FileOptions, path: string): Promise<void> {
  const deadline = options.clock.monotonic() + options.busyTimeoutMs
  for (;;)
    try {
      return await prepare(options, path)
    } catch (error) {
      if (failureOf(error).kind !== 'busy' || options.clock.monotonic() >= deadline) throw error
      await wait(20)
    }
}

async function prepare(options: FileOptions, path: string): Promise<void> {
  const connection = connect(path, { busyTimeoutMs: options.busyTimeoutMs, readOnly: false })
  try {
    const mode = connection.value('pragma journal_mode = wal')
    if (mode !== 'wal') throw new Error(`The file system of ${path} does not let SQLite keep its log: mode '${mode}'.`)
    connection.exec('begin immediate; rollback') // a folder that cannot be written shows here
    if (statSync(path).size <= wholeCheckBytes) check(connection)
    await upgrade(options, connection, path)
  } finally {
    connection.close()
  }
}

function check(connection: Connection): void {
  const finding = connection.value('pragma quick_check(1)')
  if (finding !== 'ok') throw new Damaged(String(finding))
}

class Damaged extends Error {}

async function upgrade(options: FileOptions, connection: Connection, path: string): Promise<void> {
  const { dataDir, clock, log, migrations } = options
  let lock: DataDirLock | undefined
  try {
    await migrate(sqliteKysely<unknown>(connection, { readOnly: false }), {
      migrations,
      clock,
      name: path,
      backupsDir: backupsPath(dataDir),
      async beforeChange(fromVersion) {
        // A server that runs an older Parlance must not have its tables changed below it.
        if (options.lock === undefined) lock = lockDataDir(dataDir, clock)
        const copy = join(backupsPath(dataDir), backupName(fromVersion, clock.now()))
        saveCopy(connection, copy)
        log.info('store.upgrading', { fromVersion, toVersion: migrations.length, backup: copy })
      },
    })
  } finally {
    lock?.release()
  }
}

const backupName = (version: number, now: number): string =>
  `parlance-${version}-${new Date(now).toISOString().replace(/[-:.]/g, '')}.db`

function explained(error: unknown, options: FileOptions): Error {
  const failure = failureOf(error)
  const path = databasePath(options.dataDir)
  const cause = { cause: error }
  if (error instanceof Damaged || failure.kind === 'corrupt')
    return new Error(
      `The database ${path} is damaged: ${failure.message}. It was left as it is. Move it away together with its -wal and -shm files, then ${restoreHint(options.dataDir)}.`,
      cause,
    )
  switch (failure.kind) {
    case 'read-only':
      return new Error(
        `The data folder ${options.dataDir} cannot be written: ${failure.message}. Give this user the right to write there, or choose another data folder.`,
        cause,
      )
    case 'full':
      return new Error(`No room is left for the data folder ${options.dataDir}: ${failure.message}.`, cause)
    case 'busy':
      return new Error(`The database ${path} is locked by another program: ${failure.message}.`, cause)
    default:
      return error instanceof Error && !('errcode' in error) && !('code' in error)
        ? error
        : new Error(`The database ${path} cannot be opened: ${failure.message}.`, cause)
  }
}

function restoreHint(dataDir: string): string {
  const folder = backupsPath(dataDir)
  const newest = existsSync(folder)
    ? readdirSync(folder)
        .filter(name => name.endsWith('.db'))
        .sort(byTime)
        .at(-1)
    : undefined
  return newest === undefined
    ? 'put a backup of yours in its place, or start with an empty database'
    : `copy the backup ${join(folder, newest)} to its place, or start with an empty database`
}

/** Names end with the time. */
const byTime = (a: string, b: string): number => (a.split('-').at(-1) ?? '').localeCompare(b.split('-').at(-1) ?? '')
