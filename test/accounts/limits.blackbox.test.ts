import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import OpenAI, { RateLimitError } from 'openai'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { RateLimitsTable } from '../../src/store/schema/money.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { type Product, startProduct } from '../support/product.ts'

/** Rate limits as an official client meets them; another process sets them while the server runs. */
describe('rate limits', { timeout: 120_000 }, () => {
  let product: Product
  let store: Store
  let client: OpenAI
  before(async () => {
    product = await startProduct()
    store = await openStore({ dataDir: product.dataDir, clock: systemClock, log: silentLog })
    client = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: product.key, maxRetries: 2 })
    await ask()
  })
  after(async () => {
    await store?.close()
    await product?.stop()
  })

  const ask = async (input = 'Hello') =>
    (await client.embeddings.create({ model: 'parlance-embed-1', input }).withResponse()).response.headers

  const limitOf = async () => (await ask()).get('x-ratelimit-limit-requests')

  /** Asks until the server has noticed. @returns how long that took, in milliseconds */
  async function noticed(limit: number | null): Promise<number> {
    const startedMs = performance.now()
    const wanted = limit === null ? null : String(limit)
    while ((await limitOf().catch(() => 'refused')) !== wanted)
      assert.ok(performance.now() - startedMs < 5000, 'the server does not notice')
    return performance.now() - startedMs
  }

  const clear = () => store.write(store.build.deleteFrom('rate_limits'))

  async function set(subject: RateLimitsTable['subject'], limits: Partial<RateLimitsTable>): Promise<void> {
    const key = await store.read.selectFrom('api_keys').selectAll().executeTakeFirstOrThrow()
    const { organization_id, project_id, id } = key
    await store.write(
      store.build.replaceInto('rate_limits').values({
        ...{ organization_id, subject, model: '*', updated_at: Date.now() },
        subject_id: { organization: organization_id, project: project_id!, key: id }[subject],
        ...{ requests_per_minute: null, requests_per_day: null, tokens_per_minute: null, tokens_per_day: null },
        ...{ images_per_minute: null, concurrent_requests: null, ...limits },
      }),
    )
  }

  /** Asks until it is refused. */
  async function refusal(run: () => Promise<unknown>): Promise<RateLimitError> {
    const started = performance.now()
    while (performance.now() - started < 5000)
      try {
        await run()
      } catch (error) {
        assert.ok(error instanceof RateLimitError, String(error))
        return error
      }
    assert.fail('the server does not notice')
  }

  for (const subject of ['organization', 'project', 'key'] as const)
    test(`of the ${subject} hold within two seconds, and say when to come back`, async () => {
      await set(subject, { requests_per_day: 100_000 })
      assert.ok((await noticed(100_000)) < 2000)
      await set(subject, { requests_per_day: 1 })
      const error = await refusal(() => ask())
      assert.deepEqual([error.code, error.type, error.status], ['rate_limit_exceeded', 'requests', 429])
      assert.match(
        error.message,
        /Rate limit reached for parlance-embed-1 in organization org-\w+ on requests per day \(RPD\): Limit 1, Used \d+, Requested 1\. Please try again in 2[34]h\d+m[\d.]+s\./,
      )
      assert.ok(error.message.includes(`limit of the ${subject} `))
      assert.equal(error.headers?.get('x-ratelimit-remaining-requests'), '0')
      const waitMs = Number(error.headers?.get('retry-after-ms'))
      assert.ok(waitMs > 86_000_000 && waitMs <= 86_400_000)
      assert.equal(error.headers?.get('retry-after'), String(Math.ceil(waitMs / 1000)))
      assert.equal(error.headers?.get('x-should-retry'), 'false', 'the client would sleep all day')
      await clear()
      await noticed(null)
    })

  test('that a request can never fit into are not tried again by the client', async () => {
    await set('organization', { requests_per_minute: 100_000, tokens_per_minute: 1 })
    const error = await refusal(() => ask('Hello '.repeat(50)))
    assert.match(error.message, /Request too large for parlance-embed-1 .* \(TPM\): Limit 1, Requested \d+\. The input/)
    assert.equal(error.headers?.get('x-should-retry'), 'false')
    assert.equal(error.headers?.get('retry-after'), null)
    await clear()
    await noticed(null)
  })
})
