import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import OpenAI from 'openai'
import { request } from 'undici'
import { type Product, startProduct } from '../support/product.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'

/** Dollars per token: a cent and two. */
const price = { input: 0.01, output: 0.02 }
const settings = (upstream: Upstream) => `
upstreams:
  partner: { base_url: ${upstream.baseUrl}, api_key: "\${PARTNER_KEY}" }
models:
  team-chat: { upstream: partner, name: ${upstreamModels.chat}, price: { input: ${price.input * 1e6}, output: ${price.output * 1e6} } }
`

/**
 * The line that ChatGPT-Next-Web shows: it asks for both, without `/v1` because its address of the server has none, takes cents for what
 * is used and dollars for what may be used, and shows both with two decimals. Days are those of the browser's calendar; this one is in
 * Greenwich, so that the test means the same on the last day of a month everywhere.
 */
async function balanceLine(address: string, key: string): Promise<string> {
  const now = new Date()
  const date = (at: Date) => [at.getUTCFullYear(), pad(at.getUTCMonth() + 1), pad(at.getUTCDate())].join('-')
  const start = date(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth())))
  const end = date(new Date(now.getTime() + 86_400_000))
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const ask = async <Reply>(path: string): Promise<Reply> => {
    const { statusCode, body } = await request(`${address}/${path}`, { headers })
    assert.equal(statusCode, 200, path)
    return (await body.json()) as Reply
  }
  const [used, may] = await Promise.all([
    ask<{ total_usage: number; error?: object }>(`dashboard/billing/usage?start_date=${start}&end_date=${end}`),
    ask<{ hard_limit_usd: number }>('dashboard/billing/subscription'),
  ])
  assert.equal(used.error, undefined)
  return `Used this month $${Math.round(used.total_usage) / 100}, subscription $${Math.round(may.hard_limit_usd * 100) / 100}`
}

const pad = (number: number): string => String(number).padStart(2, '0')

/** Rows of the ledger are written a moment after their reply. */
async function soon<Value>(read: () => Promise<Value>, isThere: (value: Value) => boolean): Promise<Value> {
  const untilMs = performance.now() + 10_000
  for (;;) {
    const value = await read()
    if (isThere(value) || performance.now() > untilMs) return value
    await turn()
  }
}

describe('what is spent and what may be spent, as clients see it', { timeout: 60_000 }, () => {
  let upstream: Upstream
  let product: Product
  let client: OpenAI
  before(async () => {
    upstream = await startUpstream()
    product = await startProduct({ yaml: settings(upstream), env: { PARTNER_KEY: upstream.key } })
    client = new OpenAI({ apiKey: product.key, adminAPIKey: product.key, baseURL: `${product.url}/v1`, maxRetries: 0 })
  })
  after(async () => {
    await upstream?.close()
    await product?.stop()
  })

  test("ChatGPT-Next-Web's balance line shows our numbers", async () => {
    const messages = [{ role: 'user' as const, content: 'What does it cost?' }]
    const { usage } = await client.chat.completions.create({ model: 'team-chat', messages })
    const cents = Math.round((usage!.prompt_tokens * price.input + usage!.completion_tokens * price.output) * 100)
    assert.ok(cents > 0)
    await client.admin.organization.spendLimit.update({ threshold_amount: 123_456, currency: 'USD', interval: 'month' })
    const expected = `Used this month $${cents / 100}, subscription $1234.56`
    for (const address of [product.url, `${product.url}/v1`]) {
      const line = await soon(
        () => balanceLine(address, product.key),
        line => line === expected,
      )
      assert.equal(line, expected)
    }
  })

  test('a wrong method is told on every path of an endpoint', async () => {
    for (const path of ['/dashboard/billing/usage', '/v1/dashboard/billing/usage']) {
      const { statusCode, headers, body } = await request(product.url + path, { method: 'POST' })
      await body.dump()
      assert.deepEqual([statusCode, headers.allow], [405, 'GET'], path)
    }
  })

  test('the official client reads usage and costs, page by page, to the token and the nano-dollar', async () => {
    const messages = [{ role: 'user' as const, content: 'And again?' }]
    const { usage } = await client.chat.completions.create({ model: 'team-chat', messages })
    const now = Math.floor(Date.now() / 1000)
    const range = { start_time: now - 3 * 86_400, end_time: now + 86_400 }
    const total = async () => {
      let [input, output, requests, pages] = [0, 0, 0, 0]
      for (let page: string | undefined; ; ) {
        const query = { ...range, limit: 2, group_by: ['model' as const], ...(page !== undefined && { page }) }
        const reply = await client.admin.organization.usage.completions(query)
        for (const result of reply.data.flatMap(bucket => bucket.results)) {
          assert.ok(result.object === 'organization.usage.completions.result')
          assert.equal(result.model, 'team-chat')
          input += result.input_tokens
          output += result.output_tokens
          requests += result.num_model_requests
        }
        pages++
        if (!reply.has_more || reply.next_page === null) return { input, output, requests, pages }
        page = reply.next_page
      }
    }
    const found = await soon(total, ({ requests }) => requests === 2)
    assert.equal(found.requests, 2)
    assert.ok(found.pages > 1)
    assert.ok(found.input > usage!.prompt_tokens)
    const costs = await client.admin.organization.usage.costs(range)
    const amounts = costs.data
      .flatMap(bucket => bucket.results)
      .map(result => 'amount' in result && result.amount?.value)
    const nano = found.input * price.input * 1e9 + found.output * price.output * 1e9
    assert.deepEqual(amounts, [Math.round(nano) / 1e9])
  })

  test('the official client manages limits of a project', async () => {
    const { projects } = client.admin.organization
    const [project] = (await projects.list()).data
    const limits = []
    for await (const limit of projects.rateLimits.listRateLimits(project!.id)) limits.push(limit)
    const ours = limits.find(({ model }) => model === 'team-chat')!
    const changed = await projects.rateLimits.updateRateLimit(ours.id, {
      project_id: project!.id,
      max_requests_per_1_day: 77,
    })
    assert.deepEqual([changed.id, changed.max_requests_per_1_day], [ours.id, 77])
    const spend = { threshold_amount: 50_000, currency: 'USD' as const, interval: 'month' as const }
    assert.equal((await projects.spendLimit.update(project!.id, spend)).threshold_amount, 50_000)
    assert.equal((await projects.spendLimit.delete(project!.id)).deleted, true)
    await assert.rejects(projects.spendLimit.retrieve(project!.id), { status: 404 })
  })
})
