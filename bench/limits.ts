import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/lib/clock.ts'
import { Fault } from '../src/lib/faults.ts'
import { makeIds } from '../src/lib/ids.ts'
import { silentLog } from '../src/lib/log.ts'
import { systemRandom } from '../src/lib/random.ts'
import { testCaller } from '../src/platform/caller.fixture.ts'
import { ensureHome } from '../src/platform/home.ts'
import { makeLimits } from '../src/platform/limits/index.ts'
import { type LimitColumn, limitColumns } from '../src/platform/limits/kinds.ts'
import { classicPrices, costOf, makePrices } from '../src/platform/prices.ts'
import type { RateLimitsTable } from '../src/store/schema/money.ts'
import { openStore } from '../src/store/store.ts'

/** What do the limits cost a request, and its price? Nanoseconds of this thread's processor time, medians of rounds, after warming up. */
const rounds = 9
const roundMs = 300

const dataDir = await mkdtemp(join(tmpdir(), 'parlance-bench-'))
const store = await openStore({ dataDir, clock: systemClock, log: silentLog })
const services = { store, clock: systemClock, log: silentLog }
const { organizationId } = await ensureHome({ ...services, ids: makeIds(systemRandom) })
const caller = testCaller({ organizationId })
const used = { tokens: 120, images: 0 }
const asked = () => ({ tokens: 500, images: 0 })

type Subject = RateLimitsTable['subject']
const ids: Record<Subject, string> = { organization: organizationId, project: caller.projectId, key: caller.keyId }
const nothing = Object.fromEntries(limitColumns.map(column => [column, null])) as Record<LimitColumn, null>

async function limitsOf(subjects: readonly Subject[], values: Partial<Record<LimitColumn, number>>) {
  await store.write(store.build.deleteFrom('rate_limits'))
  for (const subject of subjects)
    await store.write(
      store.build.insertInto('rate_limits').values({
        ...nothing,
        ...values,
        ...{ organization_id: organizationId, subject, subject_id: ids[subject], model: '*', updated_at: 1 },
      }),
    )
  return makeLimits(services)
}

const plenty = 1e12
const three = { requests_per_minute: plenty, tokens_per_minute: plenty, requests_per_day: plenty }
const every: Subject[] = ['organization', 'project', 'key']

interface Row {
  name: string
  run(): void
  close?(): void
}

async function admission(
  name: string,
  subjects: Subject[],
  values: Partial<Record<LimitColumn, number>>,
): Promise<Row> {
  const limits = await limitsOf(subjects, values)
  const run = () => limits.admit(caller, 'gpt-4', asked)?.settle(used)
  return { name, run, close: limits.close }
}

async function refusals(): Promise<Row> {
  const limits = await limitsOf(every, { ...three, requests_per_minute: 1 })
  limits.admit(caller, 'gpt-4', asked)
  const run = () => {
    try {
      limits.admit(caller, 'gpt-4', asked)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
    }
  }
  return { name: 'a refusal, 9 limits', run, close: limits.close }
}

async function prices(): Promise<Row[]> {
  const book = await makePrices(services, { settings: new Map(), preset: 'classic' })
  await book.set('gpt-4', { input: 1, output: 2 })
  const price = classicPrices.get('gpt-4o')!
  const tokens = { input: 1200, cached: 200, output: 300 }
  const image = {
    input: 0,
    cached: 0,
    output: 0,
    quantity: { unit: 'images', amount: 1, variant: '1024x1024 hd' },
  } as const
  const drawn = classicPrices.get('dall-e-3')!
  return [
    { name: 'the price of a model', run: () => void book.of('gpt-4'), close: book.close },
    { name: 'the cost of tokens', run: () => void costOf(price, tokens) },
    { name: 'the cost of an image', run: () => void costOf(drawn, image) },
  ]
}

function measured(run: () => void): number {
  const perRound = Math.ceil(repeated(run, 20_000, roundMs) / 1000) * 1000
  const times = Array.from({ length: rounds }, () => {
    const started = process.threadCpuUsage()
    for (let index = 0; index < perRound; index++) run()
    const { user, system } = process.threadCpuUsage(started)
    return ((user + system) * 1000) / perRound
  })
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!
}

/** How often it runs in so much time, warm. */
function repeated(run: () => void, atOnce: number, ms: number): number {
  for (let index = 0; index < 5 * atOnce; index++) run()
  const endMs = performance.now() + ms
  let count = 0
  for (; performance.now() < endMs; count += atOnce) for (let index = 0; index < atOnce; index++) run()
  return count
}

console.log('| | ns |\n|---|---|')
const makers: (() => Promise<Row[]>)[] = [
  async () => [await admission('admission and settlement, no limit', [], {})],
  async () => [await admission('admission and settlement, 1 limit', ['organization'], { requests_per_minute: plenty })],
  async () => [await admission('admission and settlement, 9 limits', every, three)],
  async () => [await refusals()],
  prices,
]
for (const make of makers)
  for (const { name, run, close } of await make()) {
    console.log(`| ${name} | ${measured(run).toFixed(0)} |`)
    close?.()
  }
await store.close()
await rm(dataDir, { recursive: true })
