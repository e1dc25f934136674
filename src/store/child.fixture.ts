/** Started by tests as a process of its own, to be killed or to hold what a process can hold: `child.fixture.ts <role> <data folder>`. */
import { sql } from 'kysely'
import { systemClock } from '../lib/clock.ts'
import { describe, silentLog } from '../lib/log.ts'
import { migrations } from './migrations/index.ts'
import { openSqlite } from './sqlite.ts'
import { lockDataDir, openStore } from './store.ts'

const [, , role = '', dataDir = '', prefix = ''] = process.argv
const options = { dataDir, clock: systemClock, log: silentLog }
const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const roles: Record<string, () => Promise<void>> = {
  /** Dies between two steps of a migration. */
  async dieMigrating() {
    const deadly = {
      number: migrations.length + 1,
      name: 'deadly',
      async up(db: Parameters<(typeof migrations)[0]['up']>[0]) {
        await db.schema.createTable('half').addColumn('id', 'text').execute()
        await sql`delete from settings`.execute(db)
        process.kill(process.pid, 'SIGKILL')
        await db.schema.createTable('never').addColumn('id', 'text').execute()
      },
    }
    await openSqlite(options, [...migrations, deadly])
  },

  async lock() {
    lockDataDir(dataDir, systemClock)
    say('locked')
    setInterval(() => {}, 60_000) // until it is killed
  },

  async open() {
    const store = await openStore(options)
    await store.write(store.build.insertInto('settings').values({ name: prefix, value: '' }))
    await store.close()
    say('opened')
  },
}

await roles[role]?.().catch(error => {
  say(`error ${describe(error)}`)
  process.exitCode = 1
})
