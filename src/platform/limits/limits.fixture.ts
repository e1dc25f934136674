import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, manualClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { makeIds } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { seededRandom } from '../../lib/random.ts'
import type { RateLimitsTable } from '../../store/schema/money.ts'
import { openStore } from '../../store/store.ts'
import { testCaller } from '../caller.fixture.ts'
import { ensureHome } from '../home.ts'
import { type LimitOptions, makeLimits, type TableLimits } from './index.ts'
import { type LimitColumn, limitColumns } from './kinds.ts'

/** What a row is made of; the rest is no limit, for all models of the caller's organisation. */
export type Row = Partial<Omit<RateLimitsTable, 'subject'>> & { subject?: RateLimitsTable['subject'] }

export const nothing = Object.fromEntries(limitColumns.map(column => [column, null])) as Record<LimitColumn, null>

/** Limits over a real store in a folder of its own, and a clock that stands still. For tests. */
export async function limitsTable() {
  const dataDir = await mkdtemp(join(tmpdir(), 'parlance-limits-'))
  const clock = manualClock()
  const store = await openStore({ dataDir, clock, log: silentLog })
  const { organizationId } = await ensureHome({ store, clock, ids: makeIds(seededRandom(1)) })
  const caller = testCaller({ organizationId })
  const subjectIds = { organization: organizationId, project: caller.projectId, key: caller.keyId }
  const opened: TableLimits[] = []

  const put = async (...rows: Row[]): Promise<void> => {
    for (const row of rows) {
      const { subject = 'organization' } = row
      const usual = { organization_id: organizationId, subject, subject_id: subjectIds[subject], model: '*' }
      const values = { ...nothing, ...usual, updated_at: clock.now(), ...row, subject }
      await store.write(store.build.replaceInto('rate_limits').values(values))
    }
  }
  /** Limits as a server has them that starts now. */
  const reopened = async (time: Clock = clock, options: LimitOptions = {}): Promise<TableLimits> => {
    const limits = await makeLimits({ store, clock: time, log: silentLog }, options)
    opened.push(limits)
    return limits
  }

  return {
    ...{ clock, store, organizationId, caller, put, reopened },
    clear: () => store.write(store.build.deleteFrom('rate_limits')),
    limitsOf: async (...rows: Row[]) => {
      await put(...rows)
      return reopened()
    },
    ask: (limits: TableLimits, { tokens = 0, images = 0, model = 'gpt-4', who = caller } = {}) =>
      limits.admit(who, model, () => ({ tokens, images })),
    async close() {
      for (const limits of opened) limits.close()
      await store.close()
      await rm(dataDir, { recursive: true })
    },
  }
}

/** @returns the refusal. Fails when it is let in */
export function refused(run: () => unknown): Fault {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof Fault, String(error))
    return error
  }
  assert.fail('it was let in')
}

export const headersOf = (list: readonly string[] = []): Record<string, string | undefined> =>
  Object.fromEntries(Array.from({ length: list.length / 2 }, (_, at) => [list[2 * at], list[2 * at + 1]]))
