import { type Compilable, type CompiledQuery, type Kysely, sql } from 'kysely'
import type { Database } from './schema.ts'
import type { Text } from './writer-messages.ts'

/**
 * An insert of one row that is compiled once: for rows written with every request, where compiling would cost more than all the rest.
 * All columns of a row are given; null is a value.
 */
export function preparedInsert<Table extends keyof Database>(
  build: Kysely<Database>,
  table: Table,
  columns: readonly (keyof Database[Table] & string)[],
): (row: Database[Table]) => Compilable {
  const names = sql.join(columns.map(column => sql.ref(column)))
  const places = sql.join(columns.map(() => sql.val(null)))
  const compiled = sql`insert into ${sql.table(table)} (${names}) values (${places})`.compile(build)
  const text: Text = { sql: compiled.sql, selects: false, whole: true }
  return row => {
    const parameters: unknown[] = []
    for (const column of columns) parameters.push(row[column])
    return new PreparedRow(compiled, text, parameters)
  }
}

/** One row for a prepared insert. All rows of one insert share its text, which is how they are told to be alike. */
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
