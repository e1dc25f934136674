import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Till, type Who } from '../till.fixture.ts'

const till = new Till()
before(() => till.open())
after(() => till.close())
beforeEach(() => till.forget())

const root = '/v1/dashboard/billing'
const dayMs = 86_400_000
const read = (path: string, query: Record<string, unknown> = {}, who: Who = 'projectKey') =>
  till.does(who, 'GET', path, { query })
const subscription = (who: Who = 'projectKey') => read(`${root}/subscription`, {}, who)
const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
const limit = (body: object) =>
  till.does('owner', 'POST', '/v1/organization/limits', { body: { subject: 'organization', ...body } })

test('without a limit the subscription says what clients take for none', async () => {
  const { hard_limit_usd, soft_limit_usd, access_until, has_payment_method, account_name } = await subscription()
  assert.deepEqual([hard_limit_usd, soft_limit_usd, has_payment_method], [100_000_000, 100_000_000, true])
  assert.equal(new Date(access_until * 1000).getUTCFullYear(), 9999)
  assert.equal(account_name, 'default')
})

test('the limits of the organisation are those of the subscription', async () => {
  await limit({ hard_limit_usd: 5, soft_limit_usd: 4 })
  const found = await subscription()
  assert.deepEqual([found.hard_limit_usd, found.soft_limit_usd, found.system_hard_limit_usd], [5, 4, 5])
  assert.deepEqual(
    [found.hard_limit, found.soft_limit],
    [83_334, 66_667],
    'as the console of the time counted 5 and 4 dollars',
  )
  await limit({ soft_limit_usd: 9 })
  assert.equal((await subscription()).soft_limit_usd, 5)
  assert.equal((await subscription('ownerB')).hard_limit_usd, 100_000_000)
})

test('with credit, what may be spent is what is spent and what is left', async () => {
  const grant = (body: object) => till.does('owner', 'POST', '/v1/organization/credit/grants', { body })
  await till.does('owner', 'POST', '/v1/organization/credit', { body: { enabled: true } })
  const none = await subscription()
  assert.deepEqual([none.hard_limit_usd, none.access_until, none.has_payment_method], [0, 0, false])
  const { expires_at: end } = await grant({ amount_usd: 3, valid_days: 10 })
  await till.used({ cost_nano: 250_000_000 }, { cost_nano: 9_000_000_000, created_at: till.clock.now() - 40 * dayMs })
  const found = await subscription()
  assert.deepEqual([found.hard_limit_usd, found.access_until], [3.25, end])
  await limit({ hard_limit_usd: 2 })
  assert.equal((await subscription()).hard_limit_usd, 2, 'the smaller of both')
})

test('what was spent comes by day and model, in cents', async () => {
  const midnight = Math.floor(till.clock.now() / dayMs) * dayMs
  await till.used(
    { created_at: midnight - 1, cost_nano: 1 },
    { created_at: midnight - dayMs, cost_nano: 30_000_000, model: 'large' },
    { created_at: midnight - dayMs - 1, cost_nano: 999 },
    { created_at: midnight, cost_nano: 20_000_000 },
    { created_at: midnight, cost_nano: 5, status: 'open' },
  )
  const query = { start_date: dateOf(midnight - dayMs), end_date: dateOf(midnight + dayMs) }
  assert.deepEqual(await read(`${root}/usage`, query), {
    object: 'list',
    daily_costs: [
      {
        timestamp: (midnight - dayMs) / 1000,
        line_items: [
          { name: 'large', cost: 3 },
          { name: 'small', cost: 0.0000001 },
        ],
      },
      { timestamp: midnight / 1000, line_items: [{ name: 'small', cost: 2 }] },
    ],
    total_usage: 5.0000001,
  })
  const oneDay = { start_date: dateOf(midnight), end_date: dateOf(midnight) }
  assert.equal((await read(`${root}/usage`, oneDay)).total_usage, 2, 'a day that ends when it begins is meant as a day')
  assert.equal((await read(`${root}/usage`, oneDay, 'ownerB')).total_usage, 0)
})

test('without dates the month is meant', async () => {
  const first = Date.UTC(new Date(till.clock.now()).getUTCFullYear(), new Date(till.clock.now()).getUTCMonth())
  await till.used({ created_at: first, cost_nano: 10_000_000 }, { created_at: first - 1, cost_nano: 70_000_000 })
  const { total_usage, daily_costs } = await read(`${root}/usage`)
  assert.equal(total_usage, 1)
  assert.equal(daily_costs.length, new Date(till.clock.now()).getUTCDate())
})

test('dates that are none, and more than a year, are refused', async () => {
  const rows: [object, [number, string, string]][] = [
    [{ start_date: '2023-02-29' }, [400, 'invalid_value', 'start_date']],
    [{ end_date: '20230801xx' }, [400, 'invalid_value', 'end_date']],
    [{ end_date: '2023-8-1' }, [400, 'invalid_value', 'end_date']],
    [{ start_date: '2023-08-02', end_date: '2023-08-01' }, [400, 'invalid_value', 'end_date']],
    [{ start_date: '2022-01-01', end_date: '2023-01-03' }, [400, 'invalid_value', 'end_date']],
    [{ startDate: '2023-08-02' }, [400, 'unknown_parameter', 'startDate']],
  ]
  for (const [query, expected] of rows)
    assert.deepEqual(await till.refuses('projectKey', 'GET', `${root}/usage`, { query: { ...query } }), expected)
  assert.deepEqual(await till.refuses('projectKey', 'GET', '/v1/usage'), [400, 'missing_required_parameter', 'date'])
})

test('grants of credit are told as the console told them', async () => {
  const grant = (body: object) => till.does('owner', 'POST', '/v1/organization/credit/grants', { body })
  const given = await grant({ amount_usd: 5, valid_days: 3 })
  till.clock.advance(1000)
  const paid = await grant({ amount_usd: 10, kind: 'top_up' })
  const { store } = till
  await store.write(
    store.build.updateTable('credit_grants').set({ used_nano: 1_250_000_000 }).where('id', '=', given.id),
  )
  const entry = { object: 'credit_grant' }
  const never = Date.parse('9999-12-31T23:59:59Z') / 1000
  assert.deepEqual(await read(`${root}/credit_grants`), {
    object: 'credit_summary',
    ...{ total_granted: 15, total_used: 1.25, total_available: 13.75, total_paid_available: 10 },
    grants: {
      object: 'list',
      data: [
        { ...entry, id: paid.id, grant_amount: 10, used_amount: 0, effective_at: paid.created_at, expires_at: never },
        {
          ...entry,
          id: given.id,
          grant_amount: 5,
          used_amount: 1.25,
          effective_at: given.created_at,
          expires_at: given.expires_at,
        },
      ],
    },
  })
  assert.equal((await read(`${root}/credit_grants`, {}, 'ownerB')).total_granted, 0)
})

test('a day of usage comes in pieces of five minutes, each kind in its own list', async () => {
  const start = Date.parse('2023-07-31T00:00:00Z')
  const tokens = { input_tokens: 10, cached_tokens: 4, output_tokens: 3, cost_nano: 1_000_000 }
  await till.used(
    { created_at: start, ...tokens },
    { created_at: start + 299_999, ...tokens, operation: 'completions.create' },
    { created_at: start + 300_000, ...tokens, user_id: 'user-2' },
    { created_at: start, input_tokens: 7, operation: 'embeddings.create', model: 'large' },
    {
      created_at: start,
      operation: 'images.edits.create',
      model: 'large',
      unit: 'images',
      quantity: 2,
      variant: '256x256 hd',
    },
    { created_at: start, operation: 'audio.transcriptions.create', unit: 'milliseconds', quantity: 1500 },
    { created_at: start, operation: 'audio.speech.create', unit: 'characters', quantity: 12 },
    { created_at: start - 1, ...tokens },
    { created_at: start + dayMs, ...tokens },
  )
  const at = start / 1000
  const completion = (aggregation_timestamp: number, requests: number) => ({
    ...{ aggregation_timestamp, n_requests: requests, operation: 'completion', snapshot_id: 'small' },
    ...{ n_context: requests, n_context_tokens_total: 10 * requests, n_cached_context_tokens_total: 4 * requests },
    ...{ n_generated: requests, n_generated_tokens_total: 3 * requests },
  })
  const found = await read('/v1/usage', { date: '2023-07-31' })
  assert.deepEqual(
    found.data.filter(({ operation }: { operation: string }) => operation === 'completion'),
    [completion(at, 2), completion(at + 300, 1)],
  )
  assert.deepEqual(
    found.data.filter(({ operation }: { operation: string }) => operation !== 'completion'),
    [
      {
        ...{ aggregation_timestamp: at, n_requests: 1, operation: 'embedding', snapshot_id: 'large', n_context: 1 },
        ...{ n_context_tokens_total: 7, n_cached_context_tokens_total: 0, n_generated: 0, n_generated_tokens_total: 0 },
      },
    ],
  )
  assert.deepEqual(found.dalle_api_data, [
    { timestamp: at, num_images: 2, num_requests: 1, image_size: '256x256', operation: 'edits', model_id: 'large' },
  ])
  assert.deepEqual(found.whisper_api_data, [{ timestamp: at, model_id: 'small', num_seconds: 2, num_requests: 1 }])
  assert.deepEqual(found.tts_api_data, [{ timestamp: at, model_id: 'small', num_characters: 12, num_requests: 1 }])
  assert.deepEqual([found.ft_data, found.current_usage_usd], [[], 0.003])
  const ofOne = await read('/v1/usage', { date: '2023-07-31', user_public_id: 'user-2' })
  assert.deepEqual(ofOne.data, [completion(at + 300, 1)])
  assert.deepEqual((await read('/v1/usage', { date: '2023-07-31' }, 'ownerB')).data, [])
})

test('keys of every kind read their own organisation', async () => {
  for (const who of ['owner', 'admin', 'reader', 'projectKey', 'operator'] as const)
    assert.equal((await read(`${root}/credit_grants`, {}, who)).object, 'credit_summary', who)
})
