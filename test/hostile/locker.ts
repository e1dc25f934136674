/** A program that holds the database's lock for writing: `node locker.ts FILE MILLISECONDS`. Says `locked` and `free`. */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'

const [file = '', heldMs = '0'] = process.argv.slice(2)
const database = new DatabaseSync(file, { timeout: 10_000 })
database.exec('begin exclusive')
process.stdout.write('locked\n')
await wait(Number(heldMs))
database.exec('rollback')
database.close()
process.stdout.write('free\n')
