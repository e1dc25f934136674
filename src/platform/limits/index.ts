import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Store } from '../../store/store.ts'
import { watchRows } from '../changes.ts'
import { type Bucket, Buckets } from './buckets.ts'
import { restoreDays } from './history.ts'
import type { Amounts, Kind } from './kinds.ts'
import { limitHeaders, type Reached, refusal } from './refusals.ts'
import { markOf, readSubjects } from './rows.ts'
import type { Admission, Asked, Limits } from './types.ts'

export type { Admission, Asked, Limits } from './types.ts'

export interface LimitServices {
  store: Store
  clock: Clock
  log: Log
}

export interface LimitOptions {
  /** Subjects times models that are counted at once; beyond it, and when none of them is empty, requests are refused. Default 100,000. */
  bucketsMax?: number
}

/** Limits that follow the table `rate_limits`. */
export interface TableLimits extends Limits {
  /** Looks whether another process has changed the rows, as it happens by itself all the time. */
  look(): Promise<void>
}

/**
 * The limits of organisations, projects and keys, counted in this process. Checking and taking is one synchronous step, so that
 * requests that come at once cannot pass a limit together. Windows slide: in no span of a minute (a day) is more let in than the limit,
 * and what was let in a minute ago makes room at that moment.
 *
 * Tokens are taken as estimated and corrected when the request ends; what it used beyond the estimate counts from then on, and holds up
 * later requests. A refused request takes nothing.
 */
export async function makeLimits(
  { store, clock, log }: LimitServices,
  { bucketsMax = 100_000 }: LimitOptions = {},
): Promise<TableLimits> {
  const buckets = new Buckets(clock, bucketsMax)
  const rows = await watchRows({
    name: 'limits',
    mark: () => markOf(store),
    read: async () => buckets.renew(await readSubjects(store)),
    log,
  })
  if (!buckets.isIdle) await restoreDays(buckets, { store, clock })
  const sweeper = setInterval(() => buckets.sweep(), sweepEveryMs).unref()

  return {
    admit(caller, model, ask) {
      if (buckets.isIdle) return undefined
      const concerned = buckets.concerning(caller, model)
      if (concerned.length === 0) return undefined
      const asked = oneOf(ask())
      const nowMs = clock.monotonic()
      const reached = reachedOf(concerned, asked, nowMs)
      if (reached !== undefined) throw refusal(reached, { caller, model, nowMs, buckets: concerned })
      return admitted(concerned, asked, nowMs, clock)
    },
    changed: rows.changed,
    look: rows.look,
    close() {
      clearInterval(sweeper)
      rows.close()
    },
  }
}

const sweepEveryMs = 60_000

/** The limit that holds this request up longest; one that can never let it in comes first. */
function reachedOf(buckets: readonly Bucket[], asked: Amounts, nowMs: number): Reached | undefined {
  let longest: Reached | undefined
  for (const { subject, counts } of buckets)
    for (const count of counts) {
      const requested = amountOf(count.kind, asked)
      const over = requested === 0 ? 0 : count.gauge.used(nowMs) + requested - count.most
      if (over <= 0) continue
      const waitMs = requested > count.most ? Number.POSITIVE_INFINITY : count.gauge.waitMs(nowMs, over)
      if (longest === undefined || waitMs > longest.waitMs) longest = { subject, count, requested, waitMs }
    }
  return longest
}

function admitted(buckets: readonly Bucket[], asked: Amounts, nowMs: number, clock: Clock): Admission {
  for (const { counts } of buckets) for (const { kind, gauge } of counts) gauge.take(nowMs, amountOf(kind, asked))
  let running = true
  return {
    headers: limitHeaders(buckets, nowMs),
    settle(used) {
      if (!running) return
      running = false
      const endMs = clock.monotonic()
      const real = oneOf(used)
      for (const { counts } of buckets)
        for (const { kind, gauge } of counts) gauge.settle(nowMs, endMs, amountOf(kind, asked), amountOf(kind, real))
    },
  }
}

const oneOf = ({ tokens, images }: Asked): Amounts => ({ requests: 1, tokens, images })

/** What is no number must not spoil the sums for ever. */
function amountOf(kind: Kind, of: Amounts): number {
  const amount = kind.amount(of)
  return amount > 0 ? Math.ceil(amount) : 0
}
