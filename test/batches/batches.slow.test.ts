import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type OpenAI from 'openai'
import type { Batch } from 'openai/resources/batches'
import { killRounds } from '../support/kills.ts'
import { type Product, startProduct } from '../support/product.ts'
import {
  assertEachOnce,
  charged,
  clientOf,
  createBatch,
  embedding,
  ended,
  inputOf,
  outputOf,
  residentBytes,
} from './batches.ts'
import { batchKills } from './kills.ts'

/** Dollars for a million tokens. */
const price = { input: 2, output: 4 }
const megabyte = 1_048_576

describe('batches through the official client', { timeout: 240_000 }, () => {
  let product: Product
  let client: OpenAI
  before(async () => {
    // The heap takes up to 100 MB more for young objects whenever it likes, which would hide what is looked for.
    const NODE_OPTIONS = '--max-semi-space-size=8'
    product = await startProduct({ env: { PARLANCE_LOG_REQUESTS: 'false', NODE_OPTIONS } })
    client = clientOf(product)
    for (const model of ['parlance-embed-1', 'parlance-tiny-1'])
      await client.post('/organization/prices', { body: { model, price } })
  })
  after(() => product?.stop())

  /** Runs a batch to its end. @returns it, with the counts that were seen on the way */
  async function run(...asked: Parameters<typeof inputOf>): Promise<{ batch: Batch; counts: number[] }> {
    const [endpoint, lines] = asked
    const made = await createBatch(client, endpoint, inputOf(...asked))
    const counts = new Set<number>()
    const batch = await ended(client, made.id, ({ request_counts: now }) => counts.add(now?.completed ?? 0))
    assert.equal(batch.status, 'completed', JSON.stringify(batch.errors))
    assert.deepEqual(batch.request_counts, { total: lines, completed: lines, failed: 0 })
    return { batch, counts: [...counts] }
  }

  test('10,000 embeddings: each answered once, at half the price, seen on the way, in memory that does not grow', async t => {
    await run('/v1/embeddings', 3000, embedding)
    const before = { bytes: residentBytes(product), charged: charged(product.dataDir, true) }
    let bytesMax = 0
    const watch = setInterval(() => {
      bytesMax = Math.max(bytesMax, residentBytes(product))
    }, 50)
    const startedMs = performance.now()
    const { batch, counts } = await run('/v1/embeddings', 10_000, embedding).finally(() => clearInterval(watch))
    const seconds = (performance.now() - startedMs) / 1000
    const grownBytes = bytesMax - before.bytes
    t.diagnostic(`10,000 lines in ${seconds.toFixed(1)} s, memory +${(grownBytes / megabyte).toFixed(0)} MiB at most`)
    assert.ok(grownBytes < 80 * megabyte, `${grownBytes} bytes more than after 3000 lines`)
    assert.ok(counts.filter(count => count > 0 && count < 10_000).length >= 1, `seen on the way: ${counts}`)
    const tokens = await assertEachOnce(client, batch, 10_000)
    assert.equal(tokens, batch.usage?.total_tokens)
    const now = charged(product.dataDir, true)
    assert.equal(now.requests - before.charged.requests, 10_000)
    assert.equal(now.inputTokens - before.charged.inputTokens, tokens)
    assert.equal(now.costNano - before.charged.costNano, (tokens * price.input * 1000) / 2)
  })

  test('500 chats with the built-in model: each answered once and with words, at half the price', async t => {
    const before = charged(product.dataDir, true)
    const chat = (index: number) => ({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: `Tell me about the number ${index}.` }],
      max_tokens: 8,
    })
    const startedMs = performance.now()
    const { batch, counts } = await run('/v1/chat/completions', 500, chat)
    t.diagnostic(`500 chats in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
    assert.ok(counts.filter(count => count > 0 && count < 500).length >= 1, `seen on the way: ${counts}`)
    await assertEachOnce(client, batch, 500)
    for await (const { response } of outputOf(client, batch.output_file_id)) assert.equal(response?.status_code, 200)
    const now = charged(product.dataDir, true)
    const { input_tokens: input = 0, output_tokens: output = 0 } = batch.usage ?? {}
    assert.equal(now.requests - before.requests, 500)
    assert.equal(now.costNano - before.costNano, (input * price.input * 1000 + output * price.output * 1000) / 2)
    assert.ok(output > 500, `${output} tokens`)
  })
})

test('10 kills in the middle of batches lose no line, answer none twice, and leave no batch stuck', {
  timeout: 240_000,
}, async t => {
  const batches = batchKills()
  await killRounds({ rounds: 10, seed: 11, doings: [batches], killWithinMs: 400 })
  t.diagnostic(`${batches.count()} batches`)
  assert.ok(batches.count() >= 10, `${batches.count()} batches`)
})
