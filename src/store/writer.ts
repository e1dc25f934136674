/**
 * The writer thread: the only place of the process that changes the database. It gets groups of calls, runs each group as one
 * transaction and answers after COMMIT has returned, which with `synchronous = full` is after fsync. Started by `group-commit.ts`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { saveCopy } from './backup.ts'
import { type Failure, failureOf, mayPass } from './failure.ts'
import { packedOutcomes, unpacked } from './packing.ts'
import { type Connection, connect } from './sqlite-connection.ts'
import { commitGroup } from './transaction.ts'
import type { FromWriter, ToWriter, WriterOptions } from './writer-messages.ts'

if (parentPort === null) throw new Error('This module is the entry of a thread.')
const port = parentPort
const options: WriterOptions = workerData
const say = (message: FromWriter): void => port.postMessage(message)

const connection = open()
if (connection !== undefined) port.on('message', (message: ToWriter) => say(answer(connection, message)))

function open(): Connection | undefined {
  try {
    const opened = connect(options.path, { ...options, readOnly: false })
    say({ kind: 'open' })
    return opened
  } catch (error) {
    say({ kind: 'open', failure: failureOf(error) })
    return undefined
  }
}

function answer(db: Connection, message: ToWriter): FromWriter {
  switch (message.kind) {
    case 'group':
      return committed(db, message)
    case 'backup':
      return { kind: 'backup', ...attempt(() => saveCopy(db, message.path)) }
    case 'close':
      return { kind: 'closed', ...attempt(() => close(db)) }
  }
}

function committed(db: Connection, { texts, calls, probe }: ToWriter & { kind: 'group' }): FromWriter {
  const { outcomes, ...rest } = commitGroup(db, { texts, calls: unpacked(calls), probe })
  return { kind: 'group', outcomes: packedOutcomes(outcomes), ...rest }
}

/**
 * Moves the log into the database, so that the file alone is everything. Where that cannot be done now (disk full, another reader),
 * nothing is missing: the log stays beside the file, and the next opening reads both.
 */
function close(db: Connection): void {
  try {
    db.exec('pragma wal_checkpoint(truncate)')
  } catch (error) {
    if (!mayPass(failureOf(error))) throw error
  } finally {
    db.close()
  }
}

function attempt(work: () => void): { failure?: Failure } {
  try {
    work()
    return {}
  } catch (error) {
    return { failure: failureOf(error) }
  }
}
