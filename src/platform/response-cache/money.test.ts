import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import { testCaller } from '../caller.fixture.ts'
import { makeLimits } from '../limits/index.ts'
import { nothing } from '../limits/limits.fixture.ts'
import { costReport } from '../reports/report.ts'
import { type Body, cacheWorld, equal, settled } from './cache.fixture.ts'

const world = await cacheWorld()
const { store, clock, ledger } = world
await store.write(
  store.build.insertInto('organizations').values({ id: 'org-1', name: 'a', title: 'a', credit: 0, created_at: 1 }),
)

describe('what replies cost that were there already', () => {
  after(() => world.close())
  let topic = 0
  const about = (more: object = {}): Body => ({ ...equal, topic, ...more })

  beforeEach(async () => {
    topic++
    world.runs.length = 0
    world.reply = (run, _, { outputMax }) => ({
      kind: 'bytes',
      bytes: Buffer.from(`{"run":${run},"max":${outputMax}}`),
    })
    await world.rows()
    await store.write([store.build.deleteFrom('usage'), store.build.deleteFrom('spend_limits')])
    await ledger.changed()
  })

  /** 10 tokens of input and 5 of output at 1 and 2 USD per million. */
  const runNano = 20_000
  /** What must be left for a request that may use 100 and 100 of them. */
  const worstNano = 300_000

  async function limitMoney(nano: number, key?: string) {
    const subject = key === undefined ? 'organization' : 'key'
    await store.write(
      store.build.insertInto('spend_limits').values({
        ...{ organization_id: 'org-1', subject, subject_id: key ?? 'org-1' },
        ...{ hard_nano: nano, soft_nano: null, updated_at: clock.now() },
      }),
    )
    await ledger.changed()
  }

  test('a reply that was kept costs nothing, uses no tokens, and is a request in the ledger that says so', async () => {
    await world.read(about())
    await world.read(about({ user: 'somebody' }))
    const rows = await world.rows()
    const told = rows.map(row => [row.requests, row.input_tokens, row.output_tokens, row.cost_nano, row.variant])
    assert.deepEqual(told, [
      [1, 10, 5, runNano, null],
      [1, 0, 0, 0, 'cached reply'],
    ])
    assert.deepEqual([rows[1]?.status, rows[1]?.end_user, rows[1]?.reserved_nano], ['ok', 'somebody', 0])
    const reader = { organizationId: 'org-1', nowMs: Date.now(), signal: new AbortController().signal }
    const day = Math.floor(clock.now() / 86_400_000) * 86_400
    const { buckets } = await costReport(store, reader, { start_time: day, limit: 1, group_by: ['line_item'] })
    const lines = buckets[0]?.results.map(({ by, costNano }) => [by.line_item, Number(costNano)])
    assert.deepEqual(lines, [
      ['words, tokens', runNano],
      ['words, tokens, cached reply', 0],
    ])
  })

  test('one of those who share a run pays for it, and it is booked although its caller has left', async () => {
    const gate = Promise.withResolvers<void>()
    world.reply = () => gate.promise.then(() => ({ kind: 'bytes', bytes: Buffer.from('{}') }))
    const leaving = new AbortController()
    const leader = world.read(about(), { signal: leaving.signal })
    const others = [1, 2, 3].map(n => world.read(about(), { caller: testCaller({ keyId: `key_${n + 1}` }) }))
    await settled()
    leaving.abort()
    await assert.rejects(leader)
    gate.resolve()
    await Promise.all(others)
    const rows = await world.rows()
    assert.equal(world.runs.length, 1)
    assert.deepEqual(rows.map(row => [row.key_id, row.cost_nano, row.status]).sort(), [
      ['key_1', runNano, 'ok'],
      ['key_2', 0, 'ok'],
      ['key_3', 0, 'ok'],
      ['key_4', 0, 'ok'],
    ])
  })

  test('an empty purse is refused what has to run, and not what is there', async () => {
    await world.read(about())
    await limitMoney(0)
    assert.equal((await world.read(about())).cache, 'hit')
    assert.equal(await world.statusOf(about({ seed: 1 })), 429)
  })

  test('a leader without money leaves the run to those who have some', async () => {
    await limitMoney(0, 'key_1')
    const poor = testCaller()
    const rich = testCaller({ keyId: 'key_2' })
    const asking = [poor, rich, poor, rich].map(caller => world.statusOf(about(), { caller }))
    const statuses = await Promise.all(asking)
    assert.deepEqual(statuses.toSorted(), [200, 200, 200, 429])
    assert.equal(statuses[0], 429)
    assert.equal(world.runs.length, 1)
  })

  test('a reply that was cut short for a purse is nobody else’s, and is not kept', async () => {
    await limitMoney(worstNano - 50_000, 'key_1')
    const [short, whole] = await Promise.all([
      world.read(about()),
      world.read(about(), { caller: testCaller({ keyId: 'key_2' }) }),
    ])
    assert.deepEqual(
      [short.cache, short.text, short.headers['x-parlance-max-tokens']],
      ['miss', '{"run":1,"max":75}', '75'],
    )
    assert.deepEqual([whole.cache, whole.text], ['miss', '{"run":2,"max":null}'])
    assert.equal((await world.read(about())).text, whole.text)
  })

  test('limits of requests hold for replies that were kept or shared, and limits of tokens do not count them', async () => {
    await store.write(
      store.build.insertInto('rate_limits').values({
        ...{ organization_id: 'org-1', subject: 'organization', subject_id: 'org-1', model: '*', ...nothing },
        ...{ requests_per_minute: 5, tokens_per_minute: 200, updated_at: clock.now() },
      }),
    )
    const limits = await makeLimits({ store, clock, log: world.log })
    const own = await cacheWorld({}, { limits })
    const gate = Promise.withResolvers<void>()
    own.reply = () => gate.promise.then(() => ({ kind: 'bytes', bytes: Buffer.from('{}') }))
    const asking = [1, 2, 3].map(() => own.read(about()))
    await settled()
    gate.resolve()
    const [, follower] = await Promise.all(asking)
    assert.equal(follower?.headers['x-ratelimit-remaining-requests'], '3')
    assert.equal((await own.read(about())).headers['x-ratelimit-remaining-tokens'], '185')
    assert.equal(await own.statusOf(about()), 200)
    assert.equal(await own.statusOf(about()), 429)
    await assert.rejects(
      own.read(about()),
      (error: unknown) => error instanceof Fault && error.code === 'rate_limit_exceeded',
    )
    assert.equal(own.runs.length, 1)
    limits.close()
    await own.close()
  })
})
