import { sql } from 'kysely'
import type { Clock } from '../../lib/clock.ts'
import { fault } from '../../lib/faults.ts'
import type { Log } from '../../lib/log.ts'
import type { Statement, Store } from '../../store/store.ts'
import { fits } from '../../wire/check.ts'
import { watchRows } from '../changes.ts'
import { classicPrices } from './classic.ts'
import { free, type Price, priceOf } from './price.ts'
import { UsdPrice, usdProblem } from './usd.ts'

/** Where a model is, as far as its price depends on that. */
export interface Origin {
  /** It runs on this machine: free until it gets a price. */
  readonly local?: boolean
  /** What it is called where it runs: the preset knows it by either name, the one here first. */
  readonly nameThere?: string
  /** Of all models of that place, where nobody has set one for this model. */
  readonly price?: Price
}

/** A price of the table. */
export interface ListedPrice {
  model: string
  /** Unix milliseconds: what starts from then on is charged by it. */
  fromAt: number
  createdAt: number
  /** Null: the row cannot be read, and the model cannot be called. */
  price: UsdPrice | null
}

export interface Prices {
  /** What a request that starts now is charged by; null: it has no price and cannot be called. */
  of(model: string, origin?: Origin): Price | null
  /** The rows of the table, by model and date. */
  list(): Promise<ListedPrice[]>
  /**
   * From that moment on (default: now); a price from the same moment is replaced.
   * @param beside what is written in the same breath, such as the row of the audit log
   * @throws Fault 400 for what is no price
   */
  set(model: string, price: UsdPrice, fromAtMs?: number, beside?: readonly Statement[]): Promise<ListedPrice>
  /**
   * All prices of the table for this model, or the one from that moment: those of the settings count again.
   * @returns how many there were
   */
  remove(model: string, fromAtMs?: number, beside?: readonly Statement[]): Promise<number>
  /** Rows were changed: read them anew. */
  changed(): Promise<void>
  /** Looks whether another process has changed them, as it happens by itself all the time. */
  look(): Promise<void>
  close(): void
}

export interface PriceOptions {
  /** By the model's name: of `parlance.yaml`, and of routes. */
  settings: Pick<ReadonlyMap<string, Price>, 'get'>
  preset: 'none' | 'classic'
}

/** From its date on a price of the table wins, then that of the settings, then the preset's. */
export async function makePrices(
  { store, clock, log }: { store: Store; clock: Clock; log: Log },
  { settings, preset }: PriceOptions,
): Promise<Prices> {
  let dated: ReadonlyMap<string, readonly Dated[]> = new Map()
  const rows = await watchRows({
    name: 'prices',
    mark: () => markOf(store),
    read: async () => {
      dated = datedPrices(await listed(store), log)
    },
    log,
  })
  const named: ReadonlyMap<string, Price> = preset === 'classic' ? classicPrices : new Map()

  return {
    of(model, { local = false, nameThere = model, price } = {}) {
      const now = inEffect(dated.get(model), clock.now())
      if (now !== undefined) return now.price
      return settings.get(model) ?? price ?? named.get(model) ?? named.get(nameThere) ?? (local ? free : null)
    },
    list: () => listed(store),
    async set(model, price, fromAtMs = clock.now(), beside = []) {
      const problem = usdProblem(price)
      if (problem !== undefined) throw fault.invalidValue('price', `Invalid 'price': it ${problem}.`)
      const row = { model, from_at: fromAtMs, price: JSON.stringify(price), created_at: clock.now() }
      await store.write([
        store.build.deleteFrom('prices').where('model', '=', model).where('from_at', '=', fromAtMs),
        store.build.insertInto('prices').values(row),
        ...beside,
      ])
      await rows.changed()
      return { model, fromAt: fromAtMs, createdAt: row.created_at, price }
    },
    async remove(model, fromAtMs, beside = []) {
      const every = store.build.deleteFrom('prices').where('model', '=', model)
      const [removed] = await store.write([
        fromAtMs === undefined ? every : every.where('from_at', '=', fromAtMs),
        ...beside,
      ])
      await rows.changed()
      return removed?.changes ?? 0
    },
    changed: rows.changed,
    look: rows.look,
    close: rows.close,
  }
}

interface Dated {
  readonly fromAt: number
  readonly price: Price | null
}

/** The newest that has begun. */
function inEffect(prices: readonly Dated[] | undefined, nowMs: number): Dated | undefined {
  return prices?.findLast(({ fromAt }) => fromAt <= nowMs)
}

function datedPrices(rows: readonly ListedPrice[], log: Log): Map<string, Dated[]> {
  const dated = new Map<string, Dated[]>()
  for (const { model, fromAt, price } of rows) {
    if (price === null) log.error('prices.unreadable', { model, fromAt })
    const prices = dated.get(model) ?? []
    prices.push({ fromAt, price: price && priceOf(price) })
    dated.set(model, prices)
  }
  return dated
}

async function listed(store: Store): Promise<ListedPrice[]> {
  const rows = await store.read.selectFrom('prices').selectAll().orderBy('model').orderBy('from_at').execute()
  return rows.map(({ model, from_at: fromAt, created_at: createdAt, price }) => ({
    ...{ model, fromAt, createdAt },
    price: usdOf(price),
  }))
}

/** @returns null for what is no price: only somebody else can have written it */
function usdOf(json: string): UsdPrice | null {
  try {
    const value: unknown = JSON.parse(json)
    return fits(UsdPrice, value) && usdProblem(value) === undefined ? value : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** Another one after each change. */
async function markOf(store: Store): Promise<string> {
  const row = await store.read
    .selectFrom('prices')
    .select([sql<number | null>`max(created_at)`.as('newest'), sql<number>`count(*)`.as('count')])
    .executeTakeFirst()
  return `${row?.count} ${row?.newest}`
}
