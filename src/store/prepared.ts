import { type Compilable, type CompiledQuery, type Kysely, sql } from 'kysely'
import type { Database } from './schema.ts'
import type { Text } from './writer-messages.ts'

/**
 * An insert of one row that is compiled once: for rows written with every request, where compiling would cost more than all the rest.
 * All columns of a row are given; null is a value.
 * @param conflict what happens when a row with the same key is there: it stays as it is, or takes the new values. Without it the
 *   insert is refused.
 */
export function preparedInsert<Table extends keyof Database>(
  build: Kysely<Database>,
  table: Table,
  columns: readonly (keyof Database[Table] & string)[],
  conflict?: { key: keyof Database[Table] & string; keep: 'old' | 'new' },
): (row: Database[Table]) => Compilable {
  const names = sql.join(columns.map(column => sql.ref(column)))
  const places = sql.join(columns.map(() => sql.val(null)))
  const insert = sql`insert into ${sql.table(table)} (${names}) values (${places})${onConflict(columns, conflict)}`
  const compiled = insert.compile(build)
  const text: Text = { sql: compiled.sql, selects: false, whole: conflict?.keep !== 'old' }
  return row => {
    const parameters: unknown[] = []
    for (const column of columns) parameters.push(row[column])
    return new PreparedRow(compiled, text, parameters)
  }
}

function onConflict(columns: readonly string[], conflict: { key: string; keep: 'old' | 'new' } | undefined) {
  if (conflict === undefined) return sql``
  const { key, keep } = conflict
  if (keep === 'old') return sql` on conflict (${sql.ref(key)}) do nothing`
  const changes = columns
    .filter(column => column !== key)
    .map(column => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`)
  return sql` on conflict (${sql.ref(key)}) do update set ${sql.join(changes)}`
}

/** Adds to a number of one row; compiled once. */
export function preparedAddition<Table extends keyof Database>(
  build: Kysely<Database>,
  table: Table,
  column: keyof Database[Table] & string,
  key: keyof Database[Table] & string,
): (key: string, added: number) => Compilable {
  const compiled =
    sql`update ${sql.table(table)} set ${sql.ref(column)} = ${sql.ref(column)} + ${0} where ${sql.ref(key)} = ${''}`.compile(
      build,
    )
  const text: Text = { sql: compiled.sql, selects: false }
  return (id, added) => new PreparedRow(compiled, text, [added, id])
}

/** One row for a prepared statement. All rows of one statement share its text, which is how they are told to be alike. */
export class PreparedRow implements Compilable {
  readonly text: Text
  readonly parameters: readonly unknown[]
  readonly #compiled: CompiledQuery

  constructor(compiled: CompiledQuery, text: Text, parameters: readonly unknown[]) {
    this.#compiled = compiled
    this.text = text
    this.parameters = parameters
  }

  compile(): CompiledQuery {
    return { ...this.#compiled, parameters: this.parameters }
  }
}
