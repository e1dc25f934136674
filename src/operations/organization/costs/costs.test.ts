import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Till } from '../../till.fixture.ts'

const till = new Till()
before(() => till.open())
after(() => till.close())
beforeEach(() => till.forget())

const path = '/v1/organization/costs'
const day = 86_400
const start = Date.UTC(2026, 9, 1) / 1000
const at = { created_at: start * 1000 }
const range = { start_time: start, end_time: start + day }

async function results(query: object): Promise<Record<string, unknown>[]> {
  const { data } = await till.does('owner', 'GET', path, { query: { ...range, ...query } })
  return data.flatMap((bucket: { results: Record<string, unknown>[] }) => bucket.results)
}
const amounts = async (query: object) =>
  (await results(query)).map(({ amount, line_item, project_id, api_key_id }) => [
    (amount as { value: number }).value,
    line_item ?? project_id ?? api_key_id,
  ])

test('amounts are exact sums of nano-dollars, of everything that is charged for', async () => {
  await till.used(
    ...Array.from({ length: 10 }, () => ({ ...at, cost_nano: 100_000_000 })),
    { ...at, cost_nano: 1, operation: 'embeddings.create' },
    { ...at, cost_nano: 2, operation: 'something.new' },
    { ...at, cost_nano: 1_000_000_000, status: 'interrupted' },
    { ...at, cost_nano: 0, reserved_nano: 5_000_000_000, status: 'open' },
  )
  assert.deepEqual(await results({}), [
    {
      object: 'organization.costs.result',
      amount: { value: 2.000000003, currency: 'usd' },
      ...{ line_item: null, project_id: null, api_key_id: null, quantity: null, quantity_unit: null },
    },
  ])
})

test('a sum beyond what one number holds exactly is still right', async () => {
  await till.used(...[1, 2, 3].map(() => ({ ...at, cost_nano: 4_500_000_250_000_000 })))
  assert.deepEqual(await amounts({}), [[13_500_000.75, null]])
})

test('costs are split by project, key, and what is charged for', async () => {
  const image = { operation: 'images.generations.create', model: 'large', unit: 'images' as const }
  await till.used(
    { ...at, cost_nano: 1, input_tokens: 3, output_tokens: 4 },
    { ...at, cost_nano: 2, operation: 'embeddings.create', input_tokens: 5, project_id: till.a.second },
    { ...at, cost_nano: 4, ...image, quantity: 2, variant: '1024x1024 hd', key_id: 'key_2' },
    { ...at, cost_nano: 8, ...image, quantity: 1, variant: '256x256' },
    { ...at, cost_nano: 16, operation: 'audio.transcriptions.create', unit: 'milliseconds', quantity: 1500 },
  )
  const { a } = till
  assert.deepEqual(
    (await amounts({ group_by: ['project_id'] })).sort(),
    [
      [29e-9, a.project],
      [2e-9, a.second],
    ].sort(),
  )
  assert.deepEqual(
    (await amounts({ group_by: ['api_key_id'] })).sort(),
    [
      [27e-9, a.key],
      [4e-9, 'key_2'],
    ].sort(),
  )
  const lines = await results({ group_by: ['line_item'] })
  assert.deepEqual(
    lines.map(line => [line.line_item, (line.amount as { value: number }).value, line.quantity, line.quantity_unit]),
    [
      ['large, images, 1024x1024 hd', 4e-9, 2, 'images'],
      ['large, images, 256x256', 8e-9, 1, 'images'],
      ['small, audio', 16e-9, 1.5, 'duration_seconds'],
      ['small, tokens', 3e-9, 12, 'tokens'],
    ],
  )
  assert.equal((await results({ group_by: ['line_item', 'project_id', 'api_key_id'] })).length, 5)
  assert.deepEqual(await amounts({ project_ids: [a.second] }), [[2e-9, null]])
  assert.deepEqual(await amounts({ api_key_ids: ['key_2'] }), [[4e-9, null]])
})

test('costs come by day, up to 180 of them', async () => {
  const days = async (query: object) => (await till.does('owner', 'GET', path, { query: { ...query } })).data.length
  const year = { start_time: start - 365 * day, end_time: start }
  assert.deepEqual([await days(year), await days({ ...year, limit: 180 })], [7, 180])
  const refused = (query: object) => till.refuses('owner', 'GET', path, { query: { ...year, ...query } })
  assert.deepEqual(await refused({ limit: 181 }), [400, 'integer_above_max_value', 'limit'])
  assert.deepEqual(await refused({ bucket_width: '1h' }), [400, 'invalid_value', 'bucket_width'])
  assert.deepEqual(await refused({ group_by: ['model'] }), [400, 'invalid_value', 'group_by[0]'])
})

test('another organisation sees its own costs alone', async () => {
  await till.used({ ...at, cost_nano: 7 })
  const { data } = await till.does('ownerB', 'GET', path, { query: range })
  assert.deepEqual(data[0].results, [])
  const refused = await till.refuses('projectKey', 'GET', path, { query: range })
  assert.deepEqual(refused, [403, 'missing_scope', null])
})
