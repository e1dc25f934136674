import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../lib/clock.ts'
import { failureOf } from './failure.ts'

/** The right to serve one data folder. */
export interface DataDirLock {
  readonly dataDir: string
  release(): void
}

/**
 * Takes the right to serve a data folder, so that two servers never run jobs and count limits over one folder. Programs that only
 * write (`parlance keys create`) need no lock: SQLite itself lets them write beside a server.
 *
 * It is a lock of the kernel, held by an SQLite connection to the empty file `serve.lock`. The kernel takes it back when the process
 * ends in any way, so there is no stale lock to recognise: process ids repeat, and in two containers both servers are process 1.
 * `serve.json` beside it only says who holds it.
 *
 * Throws an Error that names the holder when another server, also of this process, holds it, or when the folder cannot be written.
 */
export function lockDataDir(dataDir: string, clock: Clock): DataDirLock {
  const info = join(dataDir, 'serve.json')
  const held = acquire(dataDir, info)
  try {
    const next = `${info}.${process.pid}`
    writeFileSync(next, JSON.stringify({ pid: process.pid, startedAt: clock.now() }))
    renameSync(next, info)
  } catch (error) {
    held.close()
    throw new Error(`Cannot write to the data folder ${dataDir}.`, { cause: error })
  }
  let released = false
  return {
    dataDir,
    release() {
      if (released) return
      released = true
      rmSync(info, { force: true })
      held.close()
    },
  }
}

function acquire(dataDir: string, info: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    database = new DatabaseSync(join(dataDir, 'serve.lock'), { timeout: 0 })
    database.exec('begin exclusive')
    return database
  } catch (error) {
    database?.close()
    const failure = failureOf(error)
    if (failure.kind === 'busy')
      throw new Error(
        `Another Parlance server${holder(info)} already serves the data folder ${dataDir}. Stop it first, or choose another data folder.`,
      )
    throw new Error(`Cannot lock the data folder ${dataDir}: ${failure.message}. Check that it can be written.`, {
      cause: error,
    })
  }
}

/** Who holds the lock, in words; the holder may not have said it yet. */
function holder(info: string): string {
  try {
    const { pid, startedAt } = JSON.parse(readFileSync(info, 'utf8'))
    return ` (process ${Number(pid)}, since ${new Date(Number(startedAt)).toISOString()})`
  } catch {
    return ''
  }
}
