import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { Database, Store } from '../../store/store.ts'
import { type Span, slices } from './slices.ts'

/** Columns by which rows of the ledger can be added up. */
export type Column = 'project_id' | 'user_id' | 'key_id' | 'model' | 'batch' | 'operation' | 'unit' | 'variant'

export type Narrowing = (eb: ExpressionBuilder<Database, 'usage'>) => Expression<SqlBool>

export interface TallyAsked extends Span {
  organizationId: string
  /** Unix milliseconds at which buckets begin are multiples of this. */
  widthMs: number
  by: readonly Column[]
  /** All of them must hold. */
  where: readonly Narrowing[]
  signal: AbortSignal
  /** When there are more groups than this at the end of a bucket, the rest is left for another time. */
  maxGroups?: number
}

/** What the rows of one bucket with the same values come to. */
export interface Group {
  /** Unix milliseconds: the multiple of `widthMs` at or before its rows. */
  bucketMs: number
  /** In the order of `by`. */
  values: readonly (string | number | null)[]
  inputTokens: number
  cachedTokens: number
  outputTokens: number
  requests: number
  quantity: number
  costNano: bigint
}

export interface Tally {
  groups: Group[]
  /** Unix milliseconds: what is before this has been added up; `toMs`, or the end of a bucket. */
  completeToMs: number
}

/**
 * Adds up what is settled in an organisation's ledger, by bucket and columns. What failed before anything was used is no usage, and
 * what still runs is not yet.
 */
export async function tally(store: Store, asked: TallyAsked): Promise<Tally> {
  const { organizationId, toMs, widthMs, signal, maxGroups = Number.POSITIVE_INFINITY } = asked
  const groups = new Map<string, Group>()
  for await (const slice of slices(store, organizationId, asked, signal)) {
    for (const row of await rowsOf(store, asked, slice)) add(groups, row, asked)
    const completeToMs = Math.floor(slice.toMs / widthMs) * widthMs
    if (groups.size <= maxGroups || completeToMs <= asked.fromMs || slice.toMs >= toMs) continue
    return { groups: [...groups.values()].filter(group => group.bucketMs < completeToMs), completeToMs }
  }
  return { groups: [...groups.values()], completeToMs: toMs }
}

function rowsOf(store: Store, { organizationId, widthMs, by, where }: TallyAsked, { fromMs, toMs }: Span) {
  // Written out, because PostgreSQL takes two parameters for two values, and then misses the column in `group by`.
  const bucket = sql<number>`created_at / ${sql.raw(String(widthMs))}`
  return store.read
    .selectFrom('usage')
    .select(bucket.as('bucket'))
    .select([...by])
    .select([sum('input_tokens'), sum('cached_tokens'), sum('output_tokens')])
    .select([sum('requests'), sum('quantity'), ...costs])
    .where('organization_id', '=', organizationId)
    .where('created_at', '>=', fromMs)
    .where('created_at', '<', toMs)
    .where('status', '<>', 'open')
    .where(isUsage)
    .where(eb => eb.and(where.map(narrow => narrow(eb))))
    .groupBy(bucket)
    .groupBy([...by])
    .execute()
}

/** PostgreSQL adds bigints up to a numeric, which would not arrive as a number. */
const sum = <Name extends 'input_tokens' | 'cached_tokens' | 'output_tokens' | 'requests' | 'quantity'>(column: Name) =>
  sql<number>`cast(sum(${sql.ref(column)}) as bigint)`.as(`sum_${column}` as const)

/** Dollars and the rest apart: a sum of nano-dollars would leave the integers of the store at nine million dollars. */
const costs = [
  sql<number>`cast(sum(cost_nano / 1000000000) as bigint)`.as('sum_usd'),
  sql<number>`cast(sum(cost_nano % 1000000000) as bigint)`.as('sum_nano'),
] as const

const isUsage: Narrowing = eb =>
  eb.or([
    eb('status', '<>', 'failed'),
    eb('input_tokens', '>', 0),
    eb('output_tokens', '>', 0),
    eb('quantity', '>', 0),
    eb('cost_nano', '>', 0),
  ])

type Row = Awaited<ReturnType<typeof rowsOf>>[number]

function add(groups: Map<string, Group>, row: Row, { by, widthMs }: TallyAsked): void {
  const group: Group = {
    bucketMs: row.bucket * widthMs,
    values: by.map(column => row[column]),
    inputTokens: row.sum_input_tokens,
    cachedTokens: row.sum_cached_tokens,
    outputTokens: row.sum_output_tokens,
    requests: row.sum_requests,
    quantity: row.sum_quantity,
    costNano: BigInt(row.sum_usd) * 1_000_000_000n + BigInt(row.sum_nano),
  }
  const name = JSON.stringify([group.bucketMs, ...group.values])
  const known = groups.get(name)
  groups.set(name, known === undefined ? group : together(known, group))
}

/** Both in one, with the values of the first. */
export function together(one: Group, other: Group): Group {
  return {
    ...one,
    inputTokens: one.inputTokens + other.inputTokens,
    cachedTokens: one.cachedTokens + other.cachedTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    requests: one.requests + other.requests,
    quantity: one.quantity + other.quantity,
    costNano: one.costNano + other.costNano,
  }
}
