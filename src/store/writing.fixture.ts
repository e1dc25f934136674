/**
 * Started by tests as a process of its own, to be killed: `writing.fixture.ts <database> <prefix>`. Eight callers write pairs of rows
 * through the writer, and say each pair that was acknowledged. Without Kysely, whose loading would be most of the process's life.
 */
import { systemClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { startCondition } from './condition.ts'
import { errorOf } from './failure.ts'
import { GroupCommit } from './group-commit.ts'
import { startWriterThread } from './writer-thread.ts'

const [, , path = '', prefix = ''] = process.argv
const condition = startCondition({ clock: systemClock, log: silentLog })
const { thread, failure } = await startWriterThread({ path, busyTimeoutMs: 5000 }, condition.fail)
if (failure !== undefined) throw errorOf(failure)
const groups = new GroupCommit(thread, condition)

async function caller(name: number): Promise<never> {
  for (let i = 0; ; i++) {
    const id = `${prefix}.${name}.${i}`
    const [outcome] = await groups.submit([['a', 'b'].map(half => insert(`${id}.${half}`))])
    if (!outcome?.ok) throw new Error('A write was refused.')
    process.stdout.write(`${id}\n`)
  }
}

const insert = (name: string) => ({
  sql: 'insert into settings (name, value) values (?, ?)',
  selects: false,
  parameters: [name, ''],
})

await Promise.all(Array.from({ length: 8 }, (_, name) => caller(name)))
