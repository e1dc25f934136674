import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from '../src/lib/clock.ts'
import { silentLog } from '../src/lib/log.ts'
import { costReport, type ReportAsked, usageReport } from '../src/platform/reports/report.ts'
import { openStore, preparedInsert } from '../src/store/store.ts'

/** How long does a report over a million rows of usage take, and for how long does it hold up everybody else? Medians of rounds. */
const rows = 1_000_000
const rounds = 5
const days = 31
const dayMs = 86_400_000
const startMs = Date.UTC(2026, 9, 1)
const organizationId = 'org-000000000000000000000000'

const dataDir = await mkdtemp(join(tmpdir(), 'parlance-bench-'))
const store = await openStore({ dataDir, clock: systemClock, log: silentLog })
await fill()

const reader = { organizationId, nowMs: startMs + days * dayMs, signal: new AbortController().signal }
const month: ReportAsked = { start_time: startMs / 1000, end_time: (startMs + days * dayMs) / 1000, limit: days }
const day: ReportAsked = { ...month, end_time: month.start_time + dayMs / 1000 }
const everything = ['project_id', 'user_id', 'api_key_id', 'model'] as const
const reports: Record<string, () => Promise<unknown>> = {
  'usage of a month by day': () => usageReport(store, reader, 'completions', month),
  'the same by project, user, key and model': () =>
    usageReport(store, reader, 'completions', { ...month, group_by: everything }),
  'the same of one project': () => usageReport(store, reader, 'completions', { ...month, project_ids: ['proj_1'] }),
  'costs of a month by day and line': () => costReport(store, reader, { ...month, group_by: ['line_item'] }),
  'usage of a day by hour': () => usageReport(store, reader, 'completions', { ...day, bucket_width: '1h', limit: 24 }),
}
console.log(`| report, ${rows} rows | ms | longest hold-up, ms |\n|---|---|---|`)
for (const [name, work] of Object.entries(reports)) {
  const found: { ms: number; heldMs: number }[] = []
  for (let round = 0; round < rounds; round++) found.push(await timed(work))
  const median = (of: 'ms' | 'heldMs') =>
    found
      .map(one => one[of])
      .sort((a, b) => a - b)
      [rounds >> 1]!.toFixed(0)
  console.log(`| ${name} | ${median('ms')} | ${median('heldMs')} |`)
}
await store.close()
await rm(dataDir, { recursive: true })

async function timed(work: () => Promise<unknown>): Promise<{ ms: number; heldMs: number }> {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const began = performance.now()
  await work()
  const ms = performance.now() - began
  delays.disable()
  return { ms, heldMs: delays.max / 1e6 }
}

/** A month of requests by 100 keys in 10 projects to 5 models, one after another. */
async function fill(): Promise<void> {
  const usual = {
    ...{ organization_id: organizationId, requested_model: 'gpt-4', end_user: null, requests: 1, quantity: 0 },
    ...{ unit: null, variant: null, batch: 0, reserved_nano: 0, status: 'ok', duration_ms: 900 },
  }
  const rowAt = (place: number) => ({
    ...usual,
    id: `use_${String(place).padStart(24, '0')}`,
    project_id: `proj_${place % 10}`,
    key_id: `key_${place % 100}`,
    user_id: `user-${place % 50}`,
    operation: place % 7 === 0 ? 'embeddings.create' : 'chat.completions.create',
    model: `model-${place % 5}`,
    input_tokens: place % 1000,
    cached_tokens: place % 100,
    output_tokens: place % 300,
    cost_nano: place % 100_000,
    created_at: startMs + Math.floor((place * days * dayMs) / rows),
  })
  const columns = Object.keys(rowAt(0)) as (keyof ReturnType<typeof rowAt>)[]
  const insert = preparedInsert(store.build, 'usage', columns)
  for (let place = 0; place < rows; place++) await store.writeSoon(insert(rowAt(place) as Parameters<typeof insert>[0]))
  await store.flush()
}
