import { type Failure, failureOf, mayPass } from './failure.ts'
import { inserted } from './packing.ts'
import type { Connection, Ran } from './sqlite-connection.ts'
import type { CallMessage, Outcome, Text } from './writer-messages.ts'

export interface Group {
  readonly texts: readonly Text[]
  readonly calls: readonly CallMessage[]
  readonly probe: boolean
}

/**
 * Runs a group of calls as one transaction. A call that fails is undone alone; when the transaction itself fails (no lock, disk full,
 * COMMIT refused), every call of the group has failed and nothing of it was stored.
 */
export function commitGroup(connection: Connection, group: Group): { outcomes: Outcome[]; failure?: Failure } {
  try {
    connection.exec('begin immediate')
    const outcomes = group.calls.map(call => runCall(connection, group.texts, call))
    // Writes one page with the value it has: an empty transaction would not touch the disk.
    if (group.probe) connection.exec(`pragma user_version = ${connection.value('pragma user_version')}`)
    connection.exec('commit')
    return { outcomes }
  } catch (error) {
    const failure = failureOf(error)
    undo(connection)
    return { outcomes: group.calls.map(() => ({ ok: false, failure })), failure }
  }
}

/** Throws only when the transaction is gone, so that the group fails as a whole. */
function runCall(connection: Connection, texts: readonly Text[], call: CallMessage): Outcome {
  const whole = wholeOf(texts, call)
  if (whole !== undefined) return runWhole(connection, whole, call)
  connection.exec('savepoint call')
  try {
    const ran = call.map(statement => runStatement(connection, texts, statement))
    connection.exec('release call')
    return { ok: true, ran }
  } catch (error) {
    refuseEnded(connection, error)
    connection.exec('rollback to call')
    connection.exec('release call')
    return { ok: false, failure: error instanceof Stale ? { kind: 'stale', message: error.message } : failureOf(error) }
  }
}

/** The text of a call that is one row of a prepared insert, and expects nothing. */
function wholeOf(texts: readonly Text[], call: CallMessage): Text | undefined {
  const [only] = call
  if (call.length !== 1 || only === undefined || only.expectChanges !== undefined) return undefined
  const text = texts[only.text]
  return text?.whole === true ? text : undefined
}

/** SQLite undoes a failed statement by itself: without a savepoint such a row costs a third. */
function runWhole(connection: Connection, text: Text, call: CallMessage): Outcome {
  try {
    connection.run({ ...text, parameters: call[0]?.parameters ?? [] })
    return inserted
  } catch (error) {
    refuseEnded(connection, error)
    return { ok: false, failure: failureOf(error) }
  }
}

/** Some errors (disk full, I/O) make SQLite roll back the whole transaction by itself. */
function refuseEnded(connection: Connection, error: unknown): void {
  if (!connection.inTransaction) throw mayPass(failureOf(error)) ? error : new Error(ended, { cause: error })
}

const ended = 'A statement ended the transaction that it shares with others: `or rollback` cannot be used here.'

function runStatement(connection: Connection, texts: readonly Text[], statement: CallMessage[number]): Ran {
  const text = texts[statement.text]
  if (text === undefined) throw new Error(`There is no SQL text ${statement.text} in this group.`)
  const ran = connection.run({ ...text, parameters: statement.parameters })
  if (statement.expectChanges !== undefined && ran.changes !== statement.expectChanges)
    throw new Stale(`${ran.changes} rows were changed where ${statement.expectChanges} were expected`)
  return ran
}

class Stale extends Error {}

/** After a failed COMMIT the transaction may still be open. When even ROLLBACK fails, the next BEGIN reports it. */
function undo(connection: Connection): void {
  if (!connection.inTransaction) return
  try {
    connection.exec('rollback')
  } catch (error) {
    throw new Error('A transaction could be neither committed nor rolled back.', { cause: error })
  }
}
