/**
 * What does the ledger cost a request?
 *
 *   node bench/ledger.ts
 *
 * Reserves and settles against a real store, so many requests in one turn of the event loop, and waits until their rows are on the disk:
 * so many at once stand for the rate of requests, because rows are written every few milliseconds. Times are for a request: of the two
 * calls by the clock (the median of the rounds), and processor time of the main thread with all that it does for the store, and of the
 * whole process with the thread that writes. Prints rows for results.md.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '../src/lib/clock.ts'
import { makeIds } from '../src/lib/ids.ts'
import { silentLog } from '../src/lib/log.ts'
import { systemRandom } from '../src/lib/random.ts'
import { testCaller } from '../src/platform/caller.fixture.ts'
import { makeLedger } from '../src/platform/ledger/index.ts'
import { makeMeter } from '../src/platform/ledger/meter.ts'
import type { Intent, Ledger, Reservation } from '../src/platform/ledger/types.ts'
import { priceOf } from '../src/platform/prices.ts'
import { openStore, type Store } from '../src/store/store.ts'

const rounds = 400
const requestsMin = 10_000
/** Rows are written after five milliseconds. */
const periodMs = 6

const clock = systemClock
const log = silentLog
const ids = makeIds(systemRandom)
const caller = testCaller()
const intent: Intent = {
  caller,
  operation: 'chat.completions.create',
  target: {
    name: 'model',
    ownedBy: 'bench',
    created: 1,
    price: priceOf({ input: 0.15, output: 0.6 }),
    abilities: new Set(['chat']),
    open: () => {
      throw new Error('No engine is needed.')
    },
  },
  requestedModel: 'gpt-4o-mini',
  endUser: 'somebody',
  batch: false,
  worst: () => ({ inputTokens: 900, outputTokens: 256, choices: 1 }),
}

async function withStore(work: (store: Store) => Promise<void>): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'parlance-bench-ledger-'))
  const store = await openStore({ dataDir, clock, log })
  await store.write(
    store.build
      .insertInto('organizations')
      .values({ id: caller.organizationId, name: 'bench', title: 'Bench', credit: 0, created_at: 1 }),
  )
  try {
    await work(store)
  } finally {
    await store.close()
    rmSync(dataDir, { recursive: true })
  }
}

async function limit(store: Store): Promise<void> {
  const rows = [
    ['organization', caller.organizationId],
    ['project', caller.projectId],
    ['key', caller.keyId],
    ['end_user', '*'],
  ] as const
  for (const [subject, subject_id] of rows)
    await store.write(
      store.build.insertInto('spend_limits').values({
        ...{ organization_id: caller.organizationId, subject, subject_id },
        ...{ hard_nano: 1e15, soft_nano: 9e14, updated_at: 1 },
      }),
    )
}

async function giveCredit(store: Store): Promise<void> {
  await store.write([
    store.build.updateTable('organizations').set({ credit: 1 }),
    store.build.insertInto('credit_grants').values({
      ...{ id: 'grant_1', organization_id: caller.organizationId, kind: 'grant', amount_nano: 1e15, used_nano: 0 },
      ...{ note: '', created_at: 1, expires_at: null },
    }),
  ])
}

const cpuUs = ({ user, system }: NodeJS.CpuUsage): number => user + system

function settle(reservation: Reservation): Promise<void> | undefined {
  const reading = makeMeter()
  reading.input(850, 100)
  reading.output(200)
  return reservation.settle({ reading, status: 'ok', durationMs: 12.5 })
}

/** Serves so many at once. @returns how long the calls took, for each request */
async function serve(ledger: Ledger, atOnce: number): Promise<number> {
  const started = performance.now()
  const waiting: Promise<unknown>[] = []
  for (let i = 0; i < atOnce; i++) {
    const reserved = ledger.reserve(intent)
    if (reserved instanceof Promise) waiting.push(reserved.then(settle))
    else settle(reserved)
  }
  const tookMs = performance.now() - started
  await Promise.all(waiting)
  return (1000 * tookMs) / atOnce
}

async function measure(
  name: string,
  atOnce: number,
  mode: 'grouped' | 'strict',
  prepare: (store: Store) => Promise<void>,
) {
  await withStore(async store => {
    await prepare(store)
    const ledger = await makeLedger({ store, clock, ids, log }, { mode, reconcile: true })
    const count = Math.max(requestsMin, rounds * atOnce)
    const round = async (requests: number) => {
      const calls: number[] = []
      for (let done = 0; done < requests; done += atOnce) {
        calls.push(await serve(ledger, atOnce))
        if (mode === 'strict') continue
        await wait(periodMs)
        await store.flush()
      }
      return calls.sort((a, b) => a - b)[Math.floor(calls.length / 2)] ?? 0
    }
    await round(count / 4)
    const [threadBefore, processBefore] = [cpuUs(process.threadCpuUsage()), cpuUs(process.cpuUsage())]
    const calls = await round(count)
    const perRequest = (us: number) => (us / count).toFixed(1)
    const thread = cpuUs(process.threadCpuUsage()) - threadBefore
    const whole = cpuUs(process.cpuUsage()) - processBefore
    ledger.close()
    console.log(
      `| ${name} | ${atOnce} | ${mode === 'strict' ? '' : calls.toFixed(1)} | ${perRequest(thread)} | ${perRequest(whole)} |`,
    )
  })
}

console.log('| who | requests at once | calls µs | main thread µs | process µs |\n|---|---|---|---|---|')
for (const atOnce of [8, 64, 500]) {
  await measure('no limits', atOnce, 'grouped', async () => {})
  await measure('organisation, project, key and end user', atOnce, 'grouped', limit)
  await measure('credit', atOnce, 'grouped', giveCredit)
  await measure('all of these', atOnce, 'grouped', async store => {
    await limit(store)
    await giveCredit(store)
  })
  await measure('strict, no limits', atOnce, 'strict', async () => {})
}
