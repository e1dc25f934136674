import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { manualClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { openStore, type Store } from '../../store/store.ts'
import { slices } from './slices.ts'
import { tally } from './tally.ts'

let dataDir: string
let store: Store
before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'parlance-slices-'))
  store = await openStore({ dataDir, clock: manualClock(), log: silentLog })
})
after(async () => {
  await store.close()
  await rm(dataDir, { recursive: true })
})

const organizationId = 'org-1'
const { signal } = new AbortController()

async function rowsAt(...times: number[]): Promise<void> {
  await store.write(store.build.deleteFrom('usage'))
  const usual = {
    ...{ organization_id: organizationId, project_id: 'p', key_id: 'k', user_id: null, end_user: null },
    ...{ operation: 'chat.completions.create', model: 'm', requested_model: 'm', input_tokens: 1, cached_tokens: 0 },
    ...{ output_tokens: 0, requests: 1, quantity: 0, unit: null, variant: null, batch: 0 as const, cost_nano: 1 },
    ...{ reserved_nano: 0, status: 'ok' as const, duration_ms: 1 },
  }
  for (const [place, created_at] of times.entries())
    await store.write(store.build.insertInto('usage').values({ ...usual, id: `use_${place}`, created_at }))
}

async function cut(fromMs: number, toMs: number, maxRows: number): Promise<number[][]> {
  const found = []
  for await (const slice of slices(store, organizationId, { fromMs, toMs }, signal, maxRows))
    found.push([slice.fromMs, slice.toMs])
  return found
}

test('a span is cut so that no row is missed or read twice', async () => {
  await rowsAt(10, 20, 30, 40, 50, 60, 70)
  assert.deepEqual(await cut(0, 100, 3), [
    [0, 40],
    [40, 70],
    [70, 100],
  ])
  assert.deepEqual(await cut(0, 100, 7), [[0, 100]])
  assert.deepEqual(await cut(20, 61, 3), [
    [20, 50],
    [50, 61],
  ])
  assert.deepEqual(await cut(5, 5, 3), [])
})

test('rows of one millisecond stay together', async () => {
  await rowsAt(10, 20, 20, 20, 20, 30)
  assert.deepEqual(await cut(0, 100, 2), [
    [0, 20],
    [20, 21],
    [21, 100],
  ])
})

test('too many groups end a tally at the end of a bucket, and what follows is told next time', async () => {
  const times = Array.from({ length: 12_000 }, (_, place) => place)
  await store.write(store.build.deleteFrom('usage'))
  const columns = { organization_id: organizationId, project_id: 'p', key_id: 'k', operation: 'o', model: 'm' }
  const counts = { input_tokens: 1, cached_tokens: 0, output_tokens: 0, requests: 1, quantity: 0, cost_nano: 1 }
  const rest = { user_id: null, end_user: null, unit: null, variant: null, batch: 0 as const, reserved_nano: 0 }
  for (let first = 0; first < times.length; first += 1000)
    await store.write(
      store.build.insertInto('usage').values(
        times.slice(first, first + 1000).map(created_at => ({
          ...{ id: `use_${created_at}`, requested_model: 'm', status: 'ok' as const, duration_ms: 1, created_at },
          ...{ ...columns, ...counts, ...rest },
        })),
      ),
    )
  const asked = { organizationId, toMs: 12_000, widthMs: 100, by: [], where: [], signal }
  const first = await tally(store, { ...asked, fromMs: 0, maxGroups: 50 })
  assert.equal(first.completeToMs, 10_000)
  assert.equal(first.groups.length, 100)
  const second = await tally(store, { ...asked, fromMs: first.completeToMs, maxGroups: 50 })
  assert.deepEqual([second.completeToMs, second.groups.length], [12_000, 20])
  const sum = [...first.groups, ...second.groups].reduce((total, { requests }) => total + requests, 0)
  assert.equal(sum, times.length)
})
