import type { Compilable } from 'kysely'
import { type Condition, startCondition } from './condition.ts'
import { errorOf } from './failure.ts'
import { type Call, type CallStatement, GroupCommit } from './group-commit.ts'
import type { Migration } from './migrate.ts'
import { PreparedRow } from './prepared.ts'
import type { Database } from './schema.ts'
import { type Connection, checkParameter, connect, type Ran } from './sqlite-connection.ts'
import { runnable, sqliteBuilder, sqliteKysely } from './sqlite-dialect.ts'
import { databasePath, prepareFile } from './sqlite-file.ts'
import type { Expectation, Statement, Store, StoreOptions, Written, WrittenBy } from './store.ts'
import { usualSoonRows, WriteBehind } from './write-behind.ts'
import { startWriterThread } from './writer-thread.ts'

/** A reader blocks the main thread while it waits, and with the log of writes it hardly ever has to. */
const readBusyTimeoutMs = 1000
const closeMs = 10_000

export async function openSqlite(options: StoreOptions, migrations: readonly Migration[]): Promise<Store> {
  const {
    dataDir,
    clock,
    log,
    maxSizeBytes,
    flushMs = 200,
    maxSoonRows = usualSoonRows,
    busyTimeoutMs = 5000,
  } = options
  await prepareFile({ dataDir, clock, log, migrations, lock: options.lock, busyTimeoutMs })
  const path = databasePath(dataDir)
  const condition = startCondition({ clock, log })
  const { thread, failure } = await startWriterThread({ path, busyTimeoutMs, maxSizeBytes }, condition.fail)
  if (failure !== undefined) throw new Error(`The database ${path} cannot be opened.`, { cause: errorOf(failure) })
  const groups = new GroupCommit(thread, condition)
  const soon = new WriteBehind({
    submit: calls => groups.submit(calls),
    condition,
    flushMs,
    maxRows: maxSoonRows,
    onRefused: ({ kind, message }) => log.error('store.row_refused', { kind, reason: message }),
  })
  const reader = connect(path, { busyTimeoutMs: readBusyTimeoutMs, readOnly: true })

  return {
    read: sqliteKysely<Database>(reader, { readOnly: true }),
    build: sqliteBuilder(),
    write: writer(groups),
    writeSoon(statement) {
      try {
        return soon.add(isUnit(statement) ? statement.map(one => callStatement(one)) : [callStatement(statement)])
      } catch (error) {
        return Promise.reject(error)
      }
    },
    flush: () => soon.flush(),
    health: () => ({
      state: condition.state,
      reason: condition.reason,
      since: condition.since,
      ...groups.counts,
      soon: { waiting: soon.size, ...soon.counts },
    }),
    async backup(toPath) {
      const failed = await groups.backup(toPath)
      if (failed !== undefined) throw new Error(`No backup was written to ${toPath}.`, { cause: errorOf(failed) })
    },
    close: once(() => close({ soon, groups, reader, condition })),
  }
}

/** The rows get their types here, as with every driver of Kysely: the schema and the migrations vouch for them. */
function writer(groups: GroupCommit): Store['write'] {
  function write<Output>(statement: Compilable<Output>, expectation?: Expectation): Promise<Written<Output>>
  function write<const Statements extends readonly Statement[]>(
    statements: Statements,
  ): Promise<{ -readonly [Index in keyof Statements]: WrittenBy<Statements[Index]> }>
  async function write(given: Compilable | readonly Statement[], expectation?: Expectation): Promise<unknown> {
    if (!isList(given)) return (await run([callStatement(given, expectation?.expectChanges)]))[0]
    return run(
      given.map(one => ('statement' in one ? callStatement(one.statement, one.expectChanges) : callStatement(one))),
    )
  }
  async function run(call: Call): Promise<readonly Ran[]> {
    const [outcome] = await groups.submit([call])
    if (outcome === undefined) throw new Error('The writer gave no outcome.')
    if (!outcome.ok) throw errorOf(outcome.failure)
    return outcome.ran
  }
  return write
}

const isUnit = (given: Compilable | readonly Compilable[]): given is readonly Compilable[] => Array.isArray(given)
const isList = (given: Compilable | readonly Statement[]): given is readonly Statement[] => Array.isArray(given)

/** Takes the values as they are now: bytes are copied, and what cannot be stored throws here, at its author. */
function callStatement(statement: Compilable, expectChanges?: number): CallStatement {
  if (statement instanceof PreparedRow) {
    const { text, parameters } = statement
    return { sql: text.sql, selects: text.selects, whole: text.whole, expectChanges, parameters: taken(parameters) }
  }
  const { sql, parameters, selects } = runnable(statement.compile())
  return { sql, selects, expectChanges, parameters: taken(parameters) }
}

/** Copies only where there are bytes: nobody changes a list of parameters. */
function taken(parameters: readonly unknown[]): readonly unknown[] {
  let hasBytes = false
  for (const value of parameters) {
    checkParameter(value)
    hasBytes ||= value instanceof Uint8Array
  }
  return hasBytes ? parameters.map(value => (value instanceof Uint8Array ? new Uint8Array(value) : value)) : parameters
}

async function close(parts: {
  soon: WriteBehind
  groups: GroupCommit
  reader: Connection
  condition: Condition
}): Promise<void> {
  const { soon, groups, reader, condition } = parts
  const unstored = await soon.close(closeMs)
  const reason = condition.reason
  reader.close()
  const failure = await groups.close()
  condition.close()
  if (unstored > 0)
    throw new Error(
      `The store was closed with ${unstored} rows that could not be stored: ${reason ?? 'no answer in time'}.`,
    )
  if (failure !== undefined) throw new Error('The store could not be closed in order.', { cause: errorOf(failure) })
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}
