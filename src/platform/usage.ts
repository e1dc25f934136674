import type { Meter } from '../engines/engine.ts'
import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import { describe, type Log } from '../lib/log.ts'
import { preparedInsert, type Store } from '../store/store.ts'
import type { Caller } from './keys.ts'
import type { Target } from './models.ts'
import { cost } from './prices.ts'

/** A meter that can be read. */
export interface Reading extends Meter {
  readonly total: Readonly<{ input: number; cached: number; output: number }>
}

export function makeMeter(): Reading {
  const total = { input: 0, cached: 0, output: 0 }
  return {
    total,
    input(tokens, cachedTokens = 0) {
      total.input = tokens
      total.cached = Math.min(cachedTokens, tokens)
    },
    output(tokens) {
      total.output = tokens
    },
  }
}

/** What a request came to. */
export interface Settlement {
  caller: Caller
  operation: string
  target: Target
  requestedModel: string
  endUser: string | null
  reading: Reading
  status: 'ok' | 'cancelled' | 'failed'
  durationMs: number
}

/** Writes one row of usage per request, behind the request: nothing waits for the database while tokens flow. */
export function makeUsage({ store, clock, ids, log }: { store: Store; clock: Clock; ids: Ids; log: Log }) {
  const insert = preparedInsert(store.build, 'usage', columns)
  const nextId = sortable(ids.make('usage'))
  let running = 0
  let settledAll: (() => void) | undefined
  return {
    /** A request has begun; `record` is called for it exactly once. */
    begin(): void {
      running++
    },

    /**
     * Resolves when every request that has begun is recorded, or after so long: before the store closes, because a reply that was left
     * may still be counting its tokens.
     * @returns how many are left
     */
    async settled(withinMs: number): Promise<number> {
      if (running > 0) {
        const { promise, resolve } = Promise.withResolvers<void>()
        settledAll = resolve
        const timer = setTimeout(resolve, withinMs)
        await promise
        clearTimeout(timer)
      }
      return running
    },

    record({ caller, operation, target, requestedModel, endUser, reading, status, durationMs }: Settlement): void {
      const { input, cached, output } = reading.total
      const createdAt = clock.now()
      const row = {
        id: nextId(createdAt),
        organization_id: caller.organizationId,
        project_id: caller.projectId,
        key_id: caller.keyId,
        operation,
        model: target.name,
        requested_model: requestedModel,
        end_user: endUser,
        input_tokens: input,
        cached_tokens: cached,
        output_tokens: output,
        requests: 1,
        cost_nano: cost(target.price, reading.total),
        status,
        duration_ms: Math.round(durationMs),
        created_at: createdAt,
      }
      store
        .writeSoon(insert(row))
        .catch((error: unknown) => log.error('usage.lost', { ...row, cause: describe(error) }))
      if (--running === 0) settledAll?.()
    },
  }
}

/**
 * Ids that sort by time: `use_`, milliseconds, ten random characters of this process, a count. Rows then go to the end of the index;
 * with random ids every row changes another page of it, and costs three times as much to store.
 */
function sortable(random: string): (nowMs: number) => string {
  const origin = random.slice(-10)
  let count = 0
  return nowMs => `use_${nowMs.toString(36).padStart(9, '0')}${origin}${(count++).toString(36)}`
}

export type Usage = ReturnType<typeof makeUsage>

const columns = [
  ...(['id', 'organization_id', 'project_id', 'key_id', 'operation', 'model', 'requested_model', 'end_user'] as const),
  ...(['input_tokens', 'cached_tokens', 'output_tokens', 'requests', 'cost_nano'] as const),
  ...(['status', 'duration_ms', 'created_at'] as const),
]
