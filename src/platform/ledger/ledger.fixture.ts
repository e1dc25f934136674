import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeIds } from '../../lib/ids.ts'
import { type Log, silentLog } from '../../lib/log.ts'
import { seededRandom } from '../../lib/random.ts'
import { manualTime } from '../../lib/timers.ts'
import type { LimitSubject, UsageTable } from '../../store/schema/money.ts'
import { openStore, type StoreOptions } from '../../store/store.ts'
import { testCaller } from '../caller.fixture.ts'
import type { Target } from '../models.ts'
import { priceOf } from '../prices.ts'
import { type LedgerOptions, makeLedger } from './index.ts'
import { makeMeter } from './meter.ts'
import type { Intent, Notice, OpenLedger, Outcome, Worst } from './types.ts'

/** A token of input costs 1,000, one of output 2,000 nano-dollars. */
export const dollarPrice = priceOf({ input: 1, cached_input: 0.5, output: 2 })

export const dollarModel: Target = {
  name: 'words',
  ownedBy: 'test',
  created: 1,
  price: dollarPrice,
  abilities: new Set(['chat']),
  open: () => assert.fail('no engine is needed'),
}

export const worst = (inputTokens: number, outputTokens: number | null, more: Partial<Worst> = {}): Worst => ({
  inputTokens,
  outputTokens,
  choices: 1,
  ...more,
})

export const intent = (asked: Worst | (() => Worst), more: Partial<Intent> = {}): Intent => ({
  caller: testCaller(),
  operation: 'chat.completions.create',
  target: dollarModel,
  requestedModel: 'gpt-4',
  endUser: null,
  batch: false,
  worst: typeof asked === 'function' ? asked : () => asked,
  ...more,
})

export function outcome(input: number, output: number, status: Outcome['status'] = 'ok', cached = 0): Outcome {
  const reading = makeMeter()
  reading.input(input, cached)
  reading.output(output)
  return { reading, status, durationMs: 12.4 }
}

interface LimitRow {
  subject: LimitSubject
  id?: string
  hard?: number | null
  soft?: number | null
  organization?: string
}

interface GrantRow {
  id: string
  amount: number
  used?: number
  expiresAt?: number | null
  organization?: string
}

/** Of a store with the organisation `org-1`. */
export type LedgerWorld = Awaited<ReturnType<typeof ledgerWorld>>

export const november20 = Date.UTC(2026, 10, 20)

/** A store in a folder of its own, a time that stands still, and whatever is needed to open ledgers over them, one after the other. */
export async function ledgerWorld(more: Partial<StoreOptions> & { log?: Log } = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'parlance-ledger-'))
  const time = manualTime(november20)
  const log = more.log ?? silentLog
  const store = await openStore({ dataDir, clock: time, log, flushMs: 1, ...more })
  const notices: Notice[] = []
  const ledgers: OpenLedger[] = []
  const ids = makeIds(seededRandom(1))
  const organization = (id: string, credit: 0 | 1 = 0) =>
    store.write(
      store.build
        .insertInto('organizations')
        .values({ id, name: id, title: id, credit, created_at: 1 })
        .onConflict(conflict => conflict.column('id').doUpdateSet({ credit })),
    )
  await organization('org-1')

  /** Everything that was settled is on the disk. */
  const stored = () => {
    time.advance(10)
    return store.flush()
  }

  return {
    dataDir,
    store,
    time,
    notices,
    organization,

    async open(options: Partial<LedgerOptions> = {}, logTo: Log = log): Promise<OpenLedger> {
      const ledger = await makeLedger(
        { store, clock: time, ids, log: logTo, timers: time },
        { mode: 'grouped', reconcile: true, periodMs: 5, notify: notice => notices.push(notice), ...options },
      )
      ledgers.push(ledger)
      return ledger
    },

    closeLedgers() {
      for (const ledger of ledgers.splice(0)) ledger.close()
    },

    /** Sets a limit, or removes it when neither is given. */
    async limit({ subject, id = 'org-1', hard = null, soft = null, organization = 'org-1' }: LimitRow) {
      await store.write([
        store.build
          .deleteFrom('spend_limits')
          .where('organization_id', '=', organization)
          .where('subject', '=', subject)
          .where('subject_id', '=', id),
        ...(hard === null && soft === null
          ? []
          : [
              store.build.insertInto('spend_limits').values({
                organization_id: organization,
                subject,
                subject_id: id,
                hard_nano: hard,
                soft_nano: soft,
                updated_at: time.now(),
              }),
            ]),
      ])
    },

    async grant({ id, amount, used = 0, expiresAt = null, organization = 'org-1' }: GrantRow) {
      await store.write(
        store.build.insertInto('credit_grants').values({
          id,
          organization_id: organization,
          kind: 'grant',
          amount_nano: amount,
          used_nano: used,
          note: '',
          created_at: time.now(),
          expires_at: expiresAt,
        }),
      )
    },

    stored,

    /** All rows. */
    async rows(): Promise<UsageTable[]> {
      await stored()
      return store.read.selectFrom('usage').selectAll().orderBy('id').execute()
    },

    async used(): Promise<Record<string, number>> {
      await stored()
      const grants = await store.read.selectFrom('credit_grants').select(['id', 'used_nano']).execute()
      return Object.fromEntries(grants.map(grant => [grant.id, grant.used_nano]))
    },

    /** Whoever was to be told was told: rows of notices are written one after another, and so is this. */
    async told() {
      await store.write(store.build.deleteFrom('settings'))
    },

    /** As it was at the beginning. */
    async empty() {
      this.closeLedgers()
      await stored()
      const tables = ['usage', 'spend_limits', 'credit_grants', 'notices'] as const
      await store.write(tables.map(table => store.build.deleteFrom(table)))
      await organization('org-1', 0)
      time.advance(november20 - time.now())
      notices.length = 0
    },

    async close() {
      this.closeLedgers()
      await store.close()
      rmSync(dataDir, { recursive: true })
    },
  }
}
