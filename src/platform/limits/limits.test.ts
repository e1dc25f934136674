import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import { seededRandom } from '../../lib/random.ts'
import { testCaller } from '../caller.fixture.ts'
import { headersOf, limitsTable, type Row, refused } from './limits.fixture.ts'

const table = await limitsTable()
const { ask, caller, clock, limitsOf, organizationId, put, reopened, store } = table
after(() => table.close())
beforeEach(async () => {
  await table.clear()
})

test('without rows nothing is asked and nothing is limited', async () => {
  const limits = await limitsOf()
  const untouched = () => assert.fail('nobody wants to know')
  assert.equal(limits.admit(caller, 'gpt-4', untouched), undefined)
  await put({ subject: 'key', subject_id: 'key_other', requests_per_minute: 1 })
  await limits.changed()
  assert.equal(limits.admit(caller, 'gpt-4', untouched), undefined, 'the limit of somebody else')
})

describe('a refusal', () => {
  test('has the words that client programs match, the numbers, and when to come back', async () => {
    const limits = await limitsOf({ tokens_per_minute: 10_000, requests_per_minute: 500 })
    ask(limits, { tokens: 4000 })
    clock.advance(50_184)
    ask(limits, { tokens: 4554 })
    const fault = refused(() => ask(limits, { tokens: 3082 }))
    assert.deepEqual([fault.status, fault.type, fault.code, fault.param], [429, 'tokens', 'rate_limit_exceeded', null])
    assert.equal(
      fault.message,
      `Rate limit reached for gpt-4 in organization ${organizationId} on tokens per min (TPM): Limit 10000, Used 8554, Requested 3082. Please try again in 9.816s. This is a limit of the organization ${organizationId}; \`parlance limits\` shows all of them.`,
    )
    assert.deepEqual(fault.headers, {
      'x-ratelimit-limit-requests': '500',
      'x-ratelimit-remaining-requests': '498',
      'x-ratelimit-reset-requests': '1m0s',
      'x-ratelimit-limit-tokens': '10000',
      'x-ratelimit-remaining-tokens': '1446',
      'x-ratelimit-reset-tokens': '1m0s',
      'retry-after': '10',
      'retry-after-ms': '9816',
    })
    clock.advance(9815)
    refused(() => ask(limits, { tokens: 3082 }))
    clock.advance(1)
    assert.ok(ask(limits, { tokens: 3082 }), 'after the time that it told')
  })

  for (const [row, asked, words] of [
    [
      { requests_per_minute: 1 },
      {},
      /requests: .* on requests per min \(RPM\): Limit 1, Used 1, Requested 1\. Please try again in 1m0s\. /,
    ],
    [
      { requests_per_day: 1 },
      {},
      /requests: .* on requests per day \(RPD\): Limit 1, Used 1, Requested 1\. Please try again in 24h0m0s\. /,
    ],
    [
      { tokens_per_day: 9 },
      { tokens: 9 },
      /tokens: .* on tokens per day \(TPD\): Limit 9, Used 9, Requested 9\. Please try again in 24h0m0s\. /,
    ],
    [
      { images_per_minute: 3 },
      { images: 2 },
      /requests: .* on images per min \(IPM\): Limit 3, Used 2, Requested 2\. Please try again in 1m0s\. /,
    ],
    [
      { concurrent_requests: 1 },
      {},
      /requests: .* on concurrent requests: Limit 1, Used 1, Requested 1\. Please try again in 1s\. /,
    ],
  ] as const)
    test(`names the kind of limit: ${Object.keys(row)}`, async () => {
      const limits = await limitsOf(row)
      ask(limits, asked)
      const { type, message } = refused(() => ask(limits, asked))
      assert.match(`${type}: ${message}`, words)
    })

  test('of a request that can never fit says so, and that retrying is no use', async () => {
    const limits = await limitsOf({ tokens_per_minute: 30_000, requests_per_minute: 3 })
    const fault = refused(() => ask(limits, { tokens: 37_313 }))
    assert.match(
      fault.message,
      /^Request too large for gpt-4 in organization org-\S+ on tokens per min \(TPM\): Limit 30000, Requested 37313\. The input or output tokens must be reduced in order to run successfully\. /,
    )
    assert.deepEqual([fault.status, fault.type, fault.code], [429, 'tokens', 'rate_limit_exceeded'])
    assert.equal(fault.headers['x-should-retry'], 'false')
    assert.equal(fault.headers['retry-after'], undefined)
    assert.equal(fault.headers['x-ratelimit-remaining-requests'], '3', 'nothing was taken')
  })

  test('tells the longest wait when several limits are reached, and is true then', async () => {
    const limits = await limitsOf(
      { requests_per_minute: 2, requests_per_day: 3 },
      { subject: 'key', tokens_per_day: 50 },
    )
    for (const tokens of [10, 40]) ask(limits, { tokens })
    assert.equal(refused(() => ask(limits)).headers['retry-after'], '60')
    const fault = refused(() => ask(limits, { tokens: 11 }))
    assert.match(fault.message, /tokens per day .* This is a limit of the key key_1; /)
    assert.equal(fault.headers['x-should-retry'], 'false', 'no client should sleep all day')
    clock.advance(Number(fault.headers['retry-after-ms']))
    assert.ok(ask(limits, { tokens: 11 }))
  })
})

describe('headers of what is let in', () => {
  const cases: [name: string, rows: Row[], tokens: number, headers: object][] = [
    [
      'both kinds',
      [{ requests_per_minute: 60, tokens_per_minute: 150_000 }],
      16,
      {
        'x-ratelimit-limit-requests': '60',
        'x-ratelimit-remaining-requests': '59',
        'x-ratelimit-reset-requests': '1m0s',
        'x-ratelimit-limit-tokens': '150000',
        'x-ratelimit-remaining-tokens': '149984',
        'x-ratelimit-reset-tokens': '1m0s',
      },
    ],
    [
      'the one with the least left, whoever has it',
      [
        { requests_per_minute: 9, requests_per_day: 20 },
        { subject: 'project', requests_per_minute: 5 },
      ],
      0,
      {
        'x-ratelimit-limit-requests': '5',
        'x-ratelimit-remaining-requests': '4',
        'x-ratelimit-reset-requests': '1m0s',
      },
    ],
    ['none for images and concurrent requests', [{ images_per_minute: 3, concurrent_requests: 4 }], 0, {}],
  ]
  for (const [name, rows, tokens, headers] of cases)
    test(name, async () => {
      const limits = await limitsOf(...rows)
      assert.deepEqual(headersOf(ask(limits, { tokens })?.headers), headers)
    })
})

test('a model’s own row takes the place of the general one, which counts each model by itself', async () => {
  const limits = await limitsOf(
    { requests_per_minute: 1 },
    { model: 'gpt-4', requests_per_minute: 2 },
    { model: 'open' },
  )
  const admitted = (model: string) =>
    Array.from({ length: 4 }, () => {
      try {
        ask(limits, { model })
        return 1
      } catch {
        return 0
      }
    })
  assert.deepEqual(admitted('gpt-4'), [1, 1, 0, 0])
  assert.deepEqual(admitted('gpt-3.5-turbo'), [1, 0, 0, 0])
  assert.deepEqual(admitted('tts-1'), [1, 0, 0, 0])
  assert.deepEqual(admitted('open'), [1, 1, 1, 1], 'a row without limits frees a model')
})

test('whoever is refused by one limit has taken nothing from the others', async () => {
  const limits = await limitsOf(
    { requests_per_minute: 100, tokens_per_minute: 1000 },
    { subject: 'project', requests_per_minute: 50 },
    { subject: 'key', requests_per_minute: 3, concurrent_requests: 90 },
  )
  for (let request = 0; request < 3; request++) ask(limits, { tokens: 10 })
  for (let request = 0; request < 20; request++) refused(() => ask(limits, { tokens: 10 }))
  const other = testCaller({ organizationId, keyId: 'key_2' })
  const headers = headersOf(ask(limits, { who: other })?.headers)
  assert.equal(headers['x-ratelimit-remaining-requests'], '46')
  assert.equal(headers['x-ratelimit-remaining-tokens'], '970')
})

test('rows of another organisation do not reach a project, and a key is held to its limits wherever it works', async () => {
  await store.write(
    store.build
      .insertInto('organizations')
      .values({ id: 'org-2', name: 'two', title: 'Two', credit: 0, created_at: 0 }),
  )
  const limits = await limitsOf(
    { organization_id: 'org-2', subject: 'project', requests_per_minute: 0 },
    { organization_id: 'org-2', subject: 'organization', subject_id: organizationId, requests_per_minute: 0 },
    { subject: 'key', requests_per_minute: 2, tokens_per_minute: 10 },
    { organization_id: 'org-2', subject: 'key', requests_per_minute: 3, tokens_per_minute: 5 },
  )
  const { headers } = ask(limits)!
  assert.deepEqual(headersOf(headers)['x-ratelimit-limit-requests'], '2')
  assert.deepEqual(headersOf(headers)['x-ratelimit-limit-tokens'], '5')
  ask(limits, { who: testCaller({ organizationId: 'org-2', projectId: 'proj_2' }) })
  assert.match(refused(() => ask(limits)).message, /limit of the key key_1/)
  await store.write(store.build.deleteFrom('rate_limits'))
  await store.write(store.build.deleteFrom('organizations').where('id', '=', 'org-2'))
})

test('tokens become what was really used when the request ends, however often it is said', async () => {
  const limits = await limitsOf({ tokens_per_minute: 100 })
  const admission = ask(limits, { tokens: 90 })!
  refused(() => ask(limits, { tokens: 40 }))
  admission.settle({ tokens: 50, images: 0 })
  admission.settle({ tokens: 0, images: 0 })
  ask(limits, { tokens: 40 })!.settle({ tokens: 70, images: 0 })
  const { message } = refused(() => ask(limits, { tokens: 1 }))
  assert.match(message, /Limit 100, Used 120, Requested 1\./)
})

test('a request that runs counts as long as it runs, whatever else it does', async () => {
  const limits = await limitsOf({ concurrent_requests: 2 })
  const [first, second] = [ask(limits)!, ask(limits)!]
  clock.advance(3_600_000)
  refused(() => ask(limits))
  first.settle({ tokens: 0, images: 0 })
  const third = ask(limits)!
  refused(() => ask(limits))
  for (const running of [second, third]) running.settle({ tokens: 5, images: 1 })
  for (let round = 0; round < 1000; round++) ask(limits)!.settle({ tokens: 0, images: 0 })
  ask(limits)
  ask(limits)
  refused(() => ask(limits))
})

test('an amount that is no number does not open the gate', async () => {
  const limits = await limitsOf({ tokens_per_minute: 10, requests_per_minute: 4 })
  ask(limits, { tokens: Number.NaN })!.settle({ tokens: Number.NaN, images: Number.NaN })
  ask(limits, { tokens: -5 })!.settle({ tokens: -50, images: 0 })
  refused(() => ask(limits, { tokens: Number.POSITIVE_INFINITY }))
  ask(limits, { tokens: 10 })
  refused(() => ask(limits, { tokens: 1 }))
})

test('clients who come back when they are told fill each of 100 minutes exactly', async () => {
  const limits = await limitsOf({ requests_per_minute: 600 }, { subject: 'key', requests_per_minute: 20 })
  const random = seededRandom(7)
  const minutes = 100
  const start = clock.monotonic()
  const counts = new Array<number>(minutes).fill(0)
  for (;;) {
    const minute = Math.floor((clock.monotonic() - start) / 60_000)
    if (minute >= minutes) break
    try {
      ask(limits, { tokens: 1 })!.settle({ tokens: random.uint32() % 9, images: 0 })
      counts[minute]!++
      clock.advance(random.uint32() % 20)
    } catch (error) {
      assert.ok(error instanceof Fault)
      clock.advance(Number(error.headers['retry-after-ms']))
    }
  }
  assert.deepEqual(counts, new Array(minutes).fill(20))
})

test('a wall clock that is put forward or back changes nothing', async () => {
  let wall = 1_700_000_000_000
  let steady = 0
  const time = { now: () => wall, monotonic: () => steady }
  await put({ requests_per_minute: 2, requests_per_day: 3 })
  const limits = await reopened(time)
  for (const jump of [0, 86_400_000 * 365]) {
    wall += jump
    ask(limits)
  }
  wall -= 86_400_000 * 800
  assert.match(refused(() => ask(limits)).message, /Please try again in 1m0s/)
  steady += 60_000
  ask(limits)
  assert.match(refused(() => ask(limits)).message, /requests per day .* Please try again in 23h59m0s/)
})
