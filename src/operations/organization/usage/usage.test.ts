import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { seededRandom } from '../../../lib/random.ts'
import { isMeant, kindOf, usageKinds } from '../../../platform/reports/kinds.ts'
import type { UsageTable } from '../../../store/schema/money.ts'
import { operations } from '../../index.ts'
import { Till, type Who } from '../../till.fixture.ts'

const till = new Till()
before(() => till.open())
after(() => till.close())
beforeEach(() => till.forget())

const root = '/v1/organization/usage'
const day = 86_400
/** Midnight of UTC. */
const start = Date.UTC(2026, 9, 1) / 1000
const month = { start_time: start, end_time: start + 31 * day, limit: 31 }
const at = (seconds: number) => ({ created_at: seconds * 1000 })

interface Result {
  [field: string]: unknown
}
interface Bucket {
  start_time: number
  end_time: number
  results: Result[]
}

const buckets = async (kind: string, query: object, who: Who = 'owner'): Promise<Bucket[]> =>
  (await till.does(who, 'GET', `${root}/${kind}`, { query: { ...query } })).data
const results = async (kind: string, query: object, who: Who = 'owner') =>
  (await buckets(kind, query, who)).flatMap(bucket => bucket.results)

test('every operation that is charged for belongs to exactly one kind of usage', () => {
  const billed = operations.filter(({ bills }) => bills !== 'nothing').map(({ id }) => id)
  assert.ok(billed.length > 5)
  for (const id of billed) {
    const kinds = Object.entries(usageKinds).filter(([, kind]) => isMeant(id, kind.operations))
    assert.equal(kinds.length, 1, `${id}: ${kinds.map(([name]) => name)}. Name it in platform/reports/kinds.ts.`)
  }
  assert.equal(kindOf('models.list'), undefined)
})

test('each kind tells its own rows in its own words', async () => {
  const tokens = { input_tokens: 10, cached_tokens: 4, output_tokens: 3 }
  const of = (operation: string, unit: UsageTable['unit'], quantity: number, variant: string | null = null) => ({
    ...at(start),
    operation,
    ...{ unit, quantity, variant },
  })
  await till.used(
    { ...at(start), ...tokens },
    { ...at(start), ...tokens, operation: 'edits.create', cached_tokens: 0 },
    { ...at(start), operation: 'embeddings.create', input_tokens: 7 },
    { ...at(start), operation: 'rerank.create', input_tokens: 5 },
    { ...at(start), operation: 'moderations.create', input_tokens: 2 },
    of('images.generations.create', 'images', 2, '1024x1024 hd'),
    of('audio.speech.create', 'characters', 99),
    of('audio.transcriptions.create', 'milliseconds', 1001),
    of('audio.translations.create', 'milliseconds', 1000),
    of('vector_stores.storage', 'bytes', 4096),
    of('code_interpreter.sessions.create', 'sessions', 3),
  )
  const none = { project_id: null, user_id: null, api_key_id: null, model: null }
  const expected: Record<string, Result> = {
    completions: {
      ...{ input_tokens: 20, input_cached_tokens: 4, input_uncached_tokens: 16, output_tokens: 6 },
      ...{ num_model_requests: 2, ...none, batch: null, service_tier: null },
    },
    embeddings: { input_tokens: 12, num_model_requests: 2, ...none },
    moderations: { input_tokens: 2, num_model_requests: 1, ...none },
    images: { images: 2, num_model_requests: 1, source: null, size: null, ...none },
    audio_speeches: { characters: 99, num_model_requests: 1, ...none },
    audio_transcriptions: { seconds: 3, num_model_requests: 2, ...none },
    vector_stores: { usage_bytes: 4096, project_id: null },
    code_interpreter_sessions: { num_sessions: 3, project_id: null },
  }
  assert.deepEqual(Object.keys(expected), Object.keys(usageKinds))
  for (const [kind, result] of Object.entries(expected)) {
    const found = await buckets(kind, { start_time: start, end_time: start + day })
    assert.deepEqual(found, [
      {
        object: 'bucket',
        start_time: start,
        end_time: start + day,
        results: [{ object: `organization.usage.${kind}.result`, ...result }],
      },
    ])
  }
})

test('a row counts in the bucket of its moment: the first millisecond is in, the last of the day before is not', async () => {
  const row = (ms: number, tokens: number) => ({ created_at: ms, output_tokens: tokens })
  const midnight = start * 1000
  await till.used(row(midnight - 1, 1), row(midnight, 10), row(midnight + day * 1000 - 1, 100))
  await till.used(row(midnight + day * 1000, 1000), row(midnight + 2 * day * 1000, 10_000))
  const sums = async (query: object) =>
    (await buckets('completions', query)).map(({ results: [result] }) => result?.output_tokens ?? 0)
  assert.deepEqual(await sums({ start_time: start, end_time: start + 2 * day }), [110, 1000])
  assert.deepEqual(await sums({ start_time: start + 1, end_time: start + day }), [100], 'the start is exact')
  assert.deepEqual(await sums({ start_time: start - 1, end_time: start + 1 }), [1, 10], 'the end is exact')
  const hours = await sums({ start_time: start, end_time: start + day, bucket_width: '1h' })
  assert.deepEqual([hours.length, hours[0], hours[23]], [24, 10, 100])
  const minutes = await sums({ start_time: start - 60, end_time: start + 60, bucket_width: '1m' })
  assert.deepEqual(minutes, [1, 10])
})

test('what still runs and what failed before anything was used is no usage; all else is', async () => {
  const tokens = { input_tokens: 5, output_tokens: 1 }
  await till.used(
    { ...at(start), ...tokens },
    { ...at(start), ...tokens, status: 'cancelled' },
    { ...at(start), ...tokens, status: 'failed' },
    { ...at(start), status: 'interrupted', cost_nano: 9 },
    { ...at(start), status: 'failed' },
    { ...at(start), ...tokens, status: 'open', reserved_nano: 50 },
  )
  const [result] = await results('completions', month)
  assert.deepEqual([result?.num_model_requests, result?.input_tokens, result?.output_tokens], [4, 15, 3])
})

const dimensions = ['project_id', 'user_id', 'api_key_id', 'model', 'batch'] as const
const columns = {
  project_id: 'project_id',
  user_id: 'user_id',
  api_key_id: 'key_id',
  model: 'model',
  batch: 'batch',
} as const

/** What must come out, added up one by one. */
function reference(rows: readonly UsageTable[], by: readonly (typeof dimensions)[number][]): Map<string, number[]> {
  const groups = new Map<string, number[]>()
  for (const row of rows) {
    const bucket = Math.floor(row.created_at / 1000 / day) * day
    const values = by.map(name => (name === 'batch' ? row.batch === 1 : row[columns[name]]))
    const name = JSON.stringify([bucket, ...values])
    const [requests = 0, input = 0, cached = 0, output = 0] = groups.get(name) ?? []
    groups.set(name, [
      requests + row.requests,
      input + row.input_tokens,
      cached + row.cached_tokens,
      output + row.output_tokens,
    ])
  }
  return groups
}

function told(found: readonly Bucket[], by: readonly string[]): Map<string, unknown[]> {
  return new Map(
    found.flatMap(({ start_time, results }) =>
      results.map(result => [
        JSON.stringify([start_time, ...by.map(name => result[name])]),
        ['num_model_requests', 'input_tokens', 'input_cached_tokens', 'output_tokens'].map(name => result[name]),
      ]),
    ),
  )
}

function someRows(count: number, days = 31): Partial<UsageTable>[] {
  const random = seededRandom(3)
  const below = (bound: number) => random.bytes(4).readUInt32BE() % bound
  return Array.from({ length: count }, () => {
    const input = below(5000)
    return {
      created_at: (start + below(days * day)) * 1000 + below(1000),
      project_id: [till.a.project, till.a.second][below(2)]!,
      key_id: `key_${below(4)}`,
      user_id: [till.a.user, 'user-2', null][below(3)]!,
      model: ['large', 'small', 'org/odd:name'][below(3)]!,
      batch: below(3) === 0 ? 1 : 0,
      input_tokens: input,
      cached_tokens: below(input + 1),
      output_tokens: below(900),
    }
  })
}

test('every combination of groups adds up to the token, more rows than one query reads included', async () => {
  const rows = await till.used(...someRows(12_000, 2))
  for (let mask = 0; mask < 2 ** dimensions.length; mask++) {
    const by = dimensions.filter((_, place) => (mask >> place) % 2 === 1)
    const found = await buckets('completions', { ...month, limit: 2, ...(by.length > 0 && { group_by: by }) })
    assert.deepEqual(told(found, by), reference(rows, by), by.join())
  }
})

test('filters let through what they name, all of them at once', async () => {
  const rows = await till.used(...someRows(600))
  const filters: [string, object, (row: UsageTable) => boolean][] = [
    ['one project', { project_ids: [till.a.second] }, row => row.project_id === till.a.second],
    ['both projects', { project_ids: [till.a.second, till.a.project] }, () => true],
    ['a user', { user_ids: ['user-2'] }, row => row.user_id === 'user-2'],
    ['keys', { api_key_ids: ['key_0', 'key_3'] }, row => row.key_id === 'key_0' || row.key_id === 'key_3'],
    ['a model', { models: ['org/odd:name'] }, row => row.model === 'org/odd:name'],
    ['batches', { batch: true }, row => row.batch === 1],
    ['no batches', { batch: false }, row => row.batch === 0],
    [
      'together',
      { project_ids: [till.a.project], models: ['small'], batch: false },
      row => row.project_id === till.a.project && row.model === 'small' && row.batch === 0,
    ],
    ['nobody', { user_ids: ['user-3'] }, () => false],
    ['what no text is', { user_ids: ['\0'] }, () => false],
  ]
  for (const [name, query, passes] of filters) {
    const found = await buckets('completions', { ...month, ...query, group_by: ['model'] })
    assert.deepEqual(told(found, ['model']), reference(rows.filter(passes), ['model']), name)
  }
})

test('all pages one after another are one big page', async () => {
  await till.used(...someRows(300))
  const asked = { start_time: start - 100, end_time: start + 30 * day + 5, group_by: ['model', 'user_id'] }
  const whole = await buckets('completions', { ...asked, limit: 31 })
  const pages: Bucket[] = []
  let page: string | null = null
  let count = 0
  do {
    const query: Record<string, unknown> = { ...asked, limit: 4, ...(page !== null && { page }) }
    const reply = await till.does('owner', 'GET', `${root}/completions`, { query })
    assert.equal(reply.has_more, reply.next_page !== null)
    pages.push(...reply.data)
    page = reply.next_page
    count++
  } while (page !== null)
  assert.equal(count, 8)
  assert.deepEqual(pages, whole.concat(await buckets('completions', { ...asked, start_time: start + 30 * day })))
})

test('images are split by size and source, whatever their quality and operation', async () => {
  const image = (kind: string, variant: string, quantity: number) => ({
    ...at(start),
    operation: `images.${kind}.create`,
    unit: 'images' as const,
    ...{ variant, quantity },
  })
  await till.used(
    image('generations', '1024x1024 hd', 1),
    image('generations', '1024x1024', 2),
    image('edits', '1024x1024', 4),
    image('variations', '256x256', 8),
  )
  const split = async (query: object) =>
    (await results('images', { ...month, ...query })).map(({ source, size, images }) => [source, size, images])
  assert.deepEqual(await split({ group_by: ['size'] }), [
    [null, '1024x1024', 7],
    [null, '256x256', 8],
  ])
  assert.deepEqual(await split({ group_by: ['source', 'size'] }), [
    ['image.edit', '1024x1024', 4],
    ['image.generation', '1024x1024', 3],
    ['image.variation', '256x256', 8],
  ])
  assert.deepEqual(await split({ sizes: ['1024x1024'] }), [[null, null, 7]])
  assert.deepEqual(await split({ sources: ['image.edit', 'image.variation'] }), [[null, null, 12]])
})

test('tiers of service are not recorded: splitting by them gives null, and loses nothing', async () => {
  await till.used({ ...at(start), input_tokens: 5 }, { ...at(start), input_tokens: 6, model: 'large' })
  const found = await results('completions', { ...month, group_by: ['service_tier'] })
  assert.deepEqual(
    found.map(result => [result.service_tier, result.input_tokens]),
    [[null, 11]],
  )
})

test('another organisation is never seen, whoever it is that asks and whatever they name', async () => {
  await till.used({ ...at(start), input_tokens: 1 })
  await till.used({
    ...at(start),
    input_tokens: 1000,
    ...{ organization_id: till.b.organization, project_id: till.b.project, key_id: till.b.key },
  })
  const inputs = async (who: Who, query: object = {}) =>
    (await results('completions', { ...month, ...query }, who)).map(result => result.input_tokens)
  for (const who of ['owner', 'admin', 'reader', 'operator'] as const) assert.deepEqual(await inputs(who), [1], who)
  assert.deepEqual(await inputs('ownerB'), [1000])
  for (const query of [{ project_ids: [till.b.project] }, { api_key_ids: [till.b.key] }])
    assert.deepEqual(await inputs('owner', query), [])
  const { next_page: page } = await till.does('ownerB', 'GET', `${root}/completions`, {
    query: { ...month, limit: 1 },
  })
  assert.deepEqual(await inputs('owner', { page, start_time: start - day, end_time: month.end_time, limit: 31 }), [])
})

test('a key of a project does not see it', async () => {
  const refused = await till.refuses('projectKey', 'GET', `${root}/completions`, { query: month })
  assert.deepEqual(refused, [403, 'missing_scope', null])
})

test('what cannot be answered is refused by name', async () => {
  const rows: [string, object, [number, string | null, string | null]][] = [
    ['completions', {}, [400, 'missing_required_parameter', 'start_time']],
    ['completions', { start_time: start, bucket_width: '5m' }, [400, 'invalid_value', 'bucket_width']],
    ['completions', { start_time: -1 }, [400, 'integer_below_min_value', 'start_time']],
    ['completions', { start_time: start * 1000 }, [400, 'integer_above_max_value', 'start_time']],
    ['completions', { start_time: 'yesterday' }, [400, 'invalid_type', 'start_time']],
    ['completions', { start_time: start, end_time: start }, [400, 'invalid_value', 'end_time']],
    ['completions', { start_time: start, limit: 0 }, [400, 'integer_below_min_value', 'limit']],
    ['completions', { start_time: start, limit: 32 }, [400, 'integer_above_max_value', 'limit']],
    ['completions', { start_time: start, bucket_width: '1m', limit: 1441 }, [400, 'integer_above_max_value', 'limit']],
    ['completions', { start_time: start, group_by: ['size'] }, [400, 'invalid_value', 'group_by[0]']],
    ['completions', { start_time: start, page: 'page_1' }, [400, 'invalid_value', 'page']],
    ['completions', { start_time: start, startTime: 1 }, [400, 'unknown_parameter', 'startTime']],
    ['completions', { start_time: start, models: Array(101).fill('a') }, [400, 'array_above_max_length', 'models']],
    ['embeddings', { start_time: start, batch: true }, [400, 'unknown_parameter', 'batch']],
    ['embeddings', { start_time: start, group_by: ['batch'] }, [400, 'invalid_value', 'group_by[0]']],
    ['images', { start_time: start, sizes: ['1x1'] }, [400, 'invalid_value', 'sizes[0]']],
    ['vector_stores', { start_time: start, user_ids: ['a'] }, [400, 'unknown_parameter', 'user_ids']],
    ['code_interpreter_sessions', { start_time: start, group_by: ['model'] }, [400, 'invalid_value', 'group_by[0]']],
  ]
  for (const [kind, query, expected] of rows)
    assert.deepEqual(
      await till.refuses('owner', 'GET', `${root}/${kind}`, { query: { ...query } }),
      expected,
      `${kind} ${JSON.stringify(query).slice(0, 80)}`,
    )
})

test('whoever leaves ends the reading', async () => {
  await till.used({ ...at(start), input_tokens: 1 })
  const { run } = operations.find(({ id }) => id === 'organization.usage.completions')!
  const context = { ...till.context(till.caller('owner')), signal: AbortSignal.abort() }
  const input = { body: undefined, params: {}, query: month }
  // biome-ignore lint/suspicious/noExplicitAny: an operation's own context is wider than this one reads
  await assert.rejects(async () => run(input, context as any), { name: 'AbortError' })
})
