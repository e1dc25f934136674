import { type Compilable, type Kysely, sql } from 'kysely'
import type { Database } from './schema.ts'

/**
 * An insert that is compiled once: for rows written with every request, where compiling would cost more than all the rest. All
 * columns of a row are given; null is a value.
 */
export function preparedInsert<Table extends keyof Database>(
  build: Kysely<Database>,
  table: Table,
  columns: readonly (keyof Database[Table] & string)[],
): (row: Database[Table]) => Compilable {
  const names = sql.join(columns.map(column => sql.ref(column)))
  const places = sql.join(columns.map(() => sql.val(null)))
  const compiled = sql`insert into ${sql.table(table)} (${names}) values (${places})`.compile(build)
  return row => ({ compile: () => ({ ...compiled, parameters: columns.map(column => row[column]) }) })
}
