import { type SelectQueryBuilder, sql } from 'kysely'
import { fault } from '../lib/faults.ts'

/** What a cursor list is asked with. */
export interface PageAsked {
  after?: string | null
  before?: string | null
  limit?: number | null
  order?: 'asc' | 'desc' | null
}

export interface Page<Row> {
  rows: Row[]
  hasMore: boolean
}

/** Where the rows of a list stand. Times tie within a millisecond, so the id decides. */
export interface Ordering {
  /** The table, or its alias, that has the columns `created_at` and `id`. */
  table: string
  /** When the caller does not say. */
  order: 'asc' | 'desc'
  limit: number
}

/**
 * One page of a query that is already scoped to its owner; also the cursors are looked for only there, so that a foreign id says no
 * more than a wrong one.
 * @throws Fault 400 for an `after` or `before` that is not in the list
 */
export async function readPage<Tables, Table extends keyof Tables, Row>(
  scoped: SelectQueryBuilder<Tables, Table, Row>,
  asked: PageAsked,
  usual: Ordering,
): Promise<Page<Row>> {
  const order = asked.order ?? usual.order
  const limit = asked.limit ?? usual.limit
  const time = sql.ref<number>(`${usual.table}.created_at`)
  const id = sql.ref<string>(`${usual.table}.id`)
  const backwards = typeof asked.before === 'string' && typeof asked.after !== 'string'
  const direction = (order === 'asc') === backwards ? 'desc' : 'asc'
  const place = async (name: 'after' | 'before', cursor: string) => {
    const [found] = await scoped
      .clearSelect()
      .select([time.as('time'), id.as('id')])
      .where(sql<boolean>`${id} = ${cursor}`)
      .$castTo<{ time: number; id: string }>()
      .execute()
    if (found === undefined) throw fault.unknownCursor(name, cursor.slice(0, 80))
    return sql`(${found.time}, ${found.id})`
  }
  let query = scoped
    .orderBy(time, direction)
    .orderBy(id, direction)
    .limit(limit + 1)
  const compared = (onward: boolean) => sql.raw(onward === (order === 'asc') ? '>' : '<')
  if (typeof asked.after === 'string')
    query = query.where(sql<boolean>`(${time}, ${id}) ${compared(true)} ${await place('after', asked.after)}`)
  if (typeof asked.before === 'string')
    query = query.where(sql<boolean>`(${time}, ${id}) ${compared(false)} ${await place('before', asked.before)}`)
  const rows = await query.$castTo<Row>().execute()
  const hasMore = rows.length > limit
  const shown = hasMore ? rows.slice(0, limit) : rows
  return { rows: backwards ? shown.reverse() : shown, hasMore }
}

/**
 * One page of a list that is in memory.
 * @throws Fault 400 for an `after` that is not in the list
 */
export function pageOf<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  { after, limit }: { after?: string; limit?: number },
  usualLimit = 20,
): Page<Item> {
  const before = after === undefined ? -1 : items.findIndex(item => nameOf(item) === after)
  if (after !== undefined && before === -1) throw fault.unknownCursor('after', after.slice(0, 80))
  const rest = items.slice(before + 1)
  const rows = rest.slice(0, limit ?? usualLimit)
  return { rows, hasMore: rows.length < rest.length }
}
