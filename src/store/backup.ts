import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Connection } from './sqlite-connection.ts'

/**
 * Writes a whole, consistent copy of the database to a new file. The copy appears under its name only when it is complete and on the
 * disk. Throws when the file exists: a backup never replaces anything.
 */
export function saveCopy(connection: Connection, toPath: string): void {
  if (existsSync(toPath)) throw new Error(`The file ${toPath} exists already.`)
  const folder = dirname(toPath)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const part = `${toPath}.part`
  rmSync(part, { force: true }) // what an interrupted backup left
  try {
    closeSync(openSync(part, 'wx', 0o600)) // SQLite fills an empty file, and would make one that others may read
    connection.run({ sql: 'vacuum into ?', parameters: [part], selects: false })
    sync(part)
    renameSync(part, toPath)
    if (process.platform !== 'win32') sync(folder) // Windows cannot open a folder
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  }
}

function sync(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
