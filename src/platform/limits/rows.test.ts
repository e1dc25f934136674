import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'
import { limitColumns } from './kinds.ts'
import { headersOf, limitsTable, nothing, refused } from './limits.fixture.ts'
import { presetRows, tiers } from './presets.ts'

const table = await limitsTable()
const { ask, caller, clock, limitsOf, organizationId, put, reopened, store } = table
after(() => table.close())
beforeEach(async () => {
  await table.clear()
})

describe('changed rows', () => {
  test('count at once here, and are found by the look when another process made them', async () => {
    const limits = await limitsOf({ requests_per_minute: 1 })
    ask(limits)
    refused(() => ask(limits))
    await put({ requests_per_minute: 3 })
    refused(() => ask(limits))
    clock.advance(1)
    await put({ requests_per_minute: 3 })
    await limits.look()
    ask(limits)
    ask(limits)
    assert.match(refused(() => ask(limits)).message, /Limit 3, Used 3/)
    await store.write(store.build.deleteFrom('rate_limits'))
    await limits.look()
    assert.equal(ask(limits), undefined)
  })

  test('leave what runs and what was used where it was', async () => {
    const limits = await limitsOf({ concurrent_requests: 1, tokens_per_minute: 100 })
    const admission = ask(limits, { tokens: 80 })!
    await put({ concurrent_requests: 1, tokens_per_minute: 90, requests_per_minute: 5 })
    await limits.changed()
    assert.match(refused(() => ask(limits, { tokens: 10 })).message, /concurrent/)
    assert.match(refused(() => ask(limits, { tokens: 20 })).message, /Limit 90, Used 80/)
    admission.settle({ tokens: 90, images: 0 })
    assert.match(refused(() => ask(limits, { tokens: 1 })).message, /Limit 90, Used 90/)
    clock.advance(60_000)
    assert.equal(headersOf(ask(limits)!.headers)['x-ratelimit-remaining-requests'], '4')
  })

  test('that cannot be read are told to whoever changed them, and the old ones hold', async () => {
    const limits = await limitsOf({ requests_per_minute: 1 })
    ask(limits)
    const { read } = store
    Object.defineProperty(store, 'read', { configurable: true, get: () => assert.fail('the disk is gone') })
    try {
      await assert.rejects(limits.changed(), /the disk is gone/)
      refused(() => ask(limits))
    } finally {
      Object.defineProperty(store, 'read', { configurable: true, value: read })
    }
    await limits.changed()
  })
})

test('a limit of a day survives a restart, as far as the ledger knows', async () => {
  await put(
    { requests_per_day: 5, tokens_per_day: 1000, requests_per_minute: 2 },
    { subject: 'key', requests_per_day: 9 },
  )
  const row = {
    ...{ organization_id: organizationId, project_id: caller.projectId, key_id: caller.keyId, user_id: null },
    ...{ operation: 'x', model: 'gpt-4', requested_model: 'gpt-4', end_user: null, cached_tokens: 0, requests: 1 },
    ...{ input_tokens: 100, output_tokens: 20, quantity: 0, unit: null, variant: null, batch: 0 as const },
    ...{ cost_nano: 0, reserved_nano: 0, status: 'ok' as const, duration_ms: 1 },
  }
  const hour = 3_600_000
  for (const [id, ageMs, more] of [
    ['use_1', 25 * hour, {}],
    ['use_2', 23 * hour, {}],
    ['use_3', hour, { key_id: 'key_2' }],
    ['use_4', 1000, {}],
    ['use_5', 1000, { model: 'other' }],
  ] as const)
    await store.write(store.build.insertInto('usage').values({ ...row, ...more, id, created_at: clock.now() - ageMs }))
  const limits = await reopened()
  const headers = headersOf(ask(limits, { tokens: 40 })!.headers)
  assert.equal(headers['x-ratelimit-remaining-requests'], '1', 'five a day, three used, one now')
  assert.equal(headers['x-ratelimit-remaining-tokens'], '600')
  assert.equal(headers['x-ratelimit-reset-tokens'], '24h0m0s')
  ask(limits)
  assert.match(refused(() => ask(limits)).message, /requests per day .* Please try again in 1h0m0s\./)
  await store.write(store.build.deleteFrom('usage'))
})

test('there are never more buckets than the bound: empty ones make room, and nothing is let in uncounted', async () => {
  await put({ requests_per_minute: 5 })
  const limits = await reopened(clock, { bucketsMax: 10 })
  clock.advance(10_000)
  for (let model = 0; model < 10; model++) ask(limits, { model: `m${model}` })
  const full = refused(() => ask(limits, { model: 'one more' }))
  assert.deepEqual([full.status, full.code, full.headers['retry-after']], [503, 'limits_full', '2'])
  assert.ok(ask(limits, { model: 'm3' }), 'who is counted already is counted on')
  clock.advance(60_000)
  ask(limits, { model: 'one more' })
})

describe('the presets', () => {
  test('are rows that can be put into the table, and hold', async () => {
    for (const tier of tiers)
      for (const { model, ...limits } of presetRows(tier)) await put({ ...limits, model, subject: 'project' })
    assert.deepEqual(
      presetRows('tier-1').find(({ model }) => model === 'gpt-4'),
      { ...nothing, model: 'gpt-4', requests_per_minute: 500, requests_per_day: 10_000, tokens_per_minute: 10_000 },
    )
    await store.write(store.build.deleteFrom('rate_limits'))
    const limits = await limitsOf(...presetRows('free'))
    for (let request = 0; request < 3; request++) ask(limits, { model: 'gpt-3.5-turbo', tokens: 100 })
    assert.match(refused(() => ask(limits, { model: 'gpt-3.5-turbo' })).message, /RPM\): Limit 3, Used 3/)
    assert.equal(ask(limits, { model: 'parlance-tiny-1' }), undefined)
  })

  test('never give less in a higher tier, and name every model once', () => {
    for (const [index, tier] of tiers.entries()) {
      const rows = presetRows(tier)
      assert.equal(new Set(rows.map(({ model }) => model)).size, rows.length)
      if (index < 2) continue // the first paid tier has limits that free has not
      for (const row of rows) {
        const lower = presetRows(tiers[index - 1]!).find(({ model }) => model === row.model)!
        for (const column of limitColumns)
          assert.ok((row[column] ?? Number.POSITIVE_INFINITY) >= (lower[column] ?? 0), `${tier} ${row.model} ${column}`)
      }
    }
  })
})
