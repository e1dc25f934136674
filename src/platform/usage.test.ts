import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { manualClock } from '../lib/clock.ts'
import { makeIds } from '../lib/ids.ts'
import { silentLog } from '../lib/log.ts'
import { seededRandom } from '../lib/random.ts'
import { openStore, type Store } from '../store/store.ts'
import type { Target } from './models.ts'
import { priceOf } from './prices.ts'
import { makeMeter, makeUsage } from './usage.ts'

const clock = manualClock()
let folder = ''
let store: Store

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parlance-usage-'))
  store = await openStore({ dataDir: folder, clock, log: silentLog })
})
after(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

const target: Target = {
  name: 'words',
  ownedBy: 'test',
  created: 1,
  price: priceOf({ input: 1, cached_input: 0.5, output: 2 }),
  abilities: new Set(['chat']),
  open: () => assert.fail('no engine is needed'),
}

function settlement(input: number, cached: number, output: number) {
  const reading = makeMeter()
  reading.input(input, cached)
  reading.output(output)
  return {
    caller: { keyId: 'key_1', organizationId: 'org-1', organizationName: 'default', projectId: 'proj_1' },
    operation: 'chat.completions.create',
    target,
    requestedModel: 'gpt-4',
    endUser: null,
    reading,
    status: 'ok' as const,
    durationMs: 12.4,
  }
}

test('a row holds what was used and what it costs', async () => {
  const usage = makeUsage({ store, clock, ids: makeIds(seededRandom(1)), log: silentLog })
  usage.begin()
  usage.record(settlement(10, 4, 3))
  await store.flush()
  const row = await store.read.selectFrom('usage').selectAll().executeTakeFirstOrThrow()
  assert.equal(row.cost_nano, 6 * 1000 + 4 * 500 + 3 * 2000)
  assert.deepEqual(
    [row.model, row.requested_model, row.input_tokens, row.cached_tokens, row.output_tokens, row.duration_ms],
    ['words', 'gpt-4', 10, 4, 3, 12],
  )
})

test('the end waits for requests that are still counting, and says how many never came', async () => {
  const usage = makeUsage({ store, clock, ids: makeIds(seededRandom(2)), log: silentLog })
  assert.equal(await usage.settled(0), 0)
  usage.begin()
  usage.begin()
  const end = usage.settled(60_000)
  usage.record(settlement(1, 0, 1))
  usage.record(settlement(1, 0, 1))
  assert.equal(await end, 0)
  usage.begin()
  assert.equal(await usage.settled(1), 1)
})
