import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import OpenAI6, { AzureOpenAI, toFile } from 'openai'
import OpenAI4 from 'openai-v4'
import OpenAI5 from 'openai-v5'
import OpenAI7 from 'openai-v7'
import { conforms } from '../clients/conform.ts'
import type { Era } from '../spec/validate.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Recorder, record } from '../support/recorder.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'
import { assertEachOnce, embedding, ended, inputOf, outputOf } from './batches.ts'

const once = { maxRetries: 0 }
const url = '/v1/embeddings'
const line = (customId: string, more: object = {}): string =>
  JSON.stringify({ custom_id: customId, method: 'POST', url, body: embedding(1), ...more })

describe('official clients run batches', { timeout: 120_000 }, () => {
  let product: Product
  let recorder: Recorder
  let upstream: Upstream
  before(async () => {
    upstream = await startUpstream()
    product = await startProduct({
      yaml: `upstreams:
  far: {base_url: "${upstream.baseUrl}", api_key: "${upstream.key}"}
models:
  endless: {upstream: far, name: ${upstreamModels.endless}, price: {input: 0, output: 0}}
`,
    })
    recorder = await record(product.url)
  })
  after(async () => {
    await recorder?.close()
    await product?.stop()
    await upstream?.close()
  })
  const at = () => ({ baseURL: `${recorder.url}/v1`, apiKey: product.key, ...once })
  /** Bytes of files are of no schema. */
  const checkWire = async (era: Era) => {
    for (const exchange of await recorder.take()) if (!exchange.path.endsWith('/content')) conforms(exchange, era)
  }
  const upload = async (client: OpenAI6, input: string) =>
    (await client.files.create({ file: await toFile(Buffer.from(input), 'in.jsonl'), purpose: 'batch' })).id
  const make = async (client: OpenAI6, input: string, more: object = {}) =>
    client.batches.create({
      ...{ input_file_id: await upload(client, input), endpoint: url, completion_window: '24h' },
      ...more,
    })

  const clients: [name: string, era: Era, connect: () => unknown][] = [
    ['openai-node 4.104', '2024-12-18', () => new OpenAI4(at())],
    ['openai-node 5', '2026-08-21', () => new OpenAI5(at())],
    ['openai-node 6', '2026-08-21', () => new OpenAI6(at())],
    ['openai-node 7', '2026-08-21', () => new OpenAI7(at())],
  ]
  for (const [name, era, connect] of clients)
    test(`${name}: create, retrieve, list, and the results`, async () => {
      const client = connect() as OpenAI6 // of one shape in all of them
      const made = await make(client, inputOf(url, 20, embedding), { metadata: { night: 'first' } })
      assert.match(made.id, /^batch_/)
      assert.deepEqual([made.object, made.status, made.endpoint], ['batch', 'validating', url])
      assert.equal(made.expires_at! - made.created_at, 86_400)
      const batch = await ended(client, made.id)
      assert.equal(batch.status, 'completed')
      assert.deepEqual(batch.request_counts, { total: 20, completed: 20, failed: 0 })
      assert.deepEqual(batch.metadata, { night: 'first' })
      assert.equal(batch.error_file_id, null)
      await assertEachOnce(client, batch, 20)
      const ids: string[] = []
      for await (const { id } of client.batches.list({ limit: 2 })) ids.push(id)
      assert.equal(ids[0], made.id)
      assert.equal(new Set(ids).size, ids.length)
      await checkWire(era)
    })

  test('errors of single lines stand in a file of their own, beside the replies', async () => {
    const client = new OpenAI6(at())
    const bad = line('bad', { body: { ...embedding(1), dimensions: -1 } })
    const made = await make(client, `${line('good')}\n${bad}\n`)
    const batch = await ended(client, made.id)
    assert.deepEqual(batch.request_counts, { total: 2, completed: 1, failed: 1 })
    const answers = async (file: string | null | undefined) => {
      const found: unknown[] = []
      for await (const { custom_id: id, response } of outputOf(client, file)) found.push([id, response?.status_code])
      return found
    }
    assert.deepEqual(await answers(batch.output_file_id), [['good', 200]])
    assert.deepEqual(await answers(batch.error_file_id), [['bad', 400]])
    await checkWire('2026-08-21')
  })

  const wrong: [name: string, input: string, errors: [line: number | null, code: string, param: string | null][]][] = [
    [
      'a custom_id that comes twice, and a wrong address',
      `${line('a')}\n\n${line('a')}\n${line('b', { url: '/v1/completions' })}\n`,
      [
        [3, 'duplicate_custom_id', 'custom_id'],
        [4, 'mismatched_url', 'url'],
      ],
    ],
    [
      'a second model',
      `${line('a')}\n${line('b', { body: { model: 'gpt-4', input: 'x' } })}\n`,
      [[2, 'mismatched_model', 'body.model']],
    ],
    [
      'a model that is not there',
      line('a', { body: { model: 'none', input: 'x' } }),
      [[1, 'model_not_found', 'body.model']],
    ],
    [
      'a line without a body',
      `${line('a')}\n${line('b', { body: undefined })}`,
      [[2, 'missing_required_parameter', 'body']],
    ],
  ]
  for (const [name, input, errors] of wrong)
    test(`an input with ${name} fails before anything is asked, and the lines are named`, async () => {
      const client = new OpenAI6(at())
      const batch = await ended(client, (await make(client, input)).id)
      assert.equal(batch.status, 'failed')
      const told = batch.errors?.data?.map(({ line, code, param }) => [line, code, param])
      assert.deepEqual(told, errors)
      assert.deepEqual([batch.output_file_id, batch.error_file_id], [null, null])
      assert.equal(batch.usage?.total_tokens, 0)
      await checkWire('2026-08-21')
    })

  test('a batch that is cancelled ends with what was answered, and tells the rest so', async () => {
    const client = new OpenAI6(at())
    const chat = (index: number) => ({
      model: 'endless',
      messages: [{ role: 'user', content: `${index}` }],
    })
    const made = await make(client, inputOf('/v1/chat/completions', 30, chat), { endpoint: '/v1/chat/completions' })
    while ((await client.batches.retrieve(made.id)).status === 'validating') await delay(20)
    const cancelling = await client.batches.cancel(made.id)
    assert.equal(cancelling.status, 'cancelling')
    const batch = await ended(client, made.id)
    assert.equal(batch.status, 'cancelled')
    await assertEachOnce(client, batch, 30)
    let unasked = 0
    for await (const { error } of outputOf(client, batch.error_file_id))
      if (error?.code === 'batch_cancelled') unasked++
    assert.ok(unasked > 0)
    await checkWire('2026-08-21')
  })

  test('what cannot be a batch is refused at once', async () => {
    const client = new OpenAI6(at())
    const refused = async (body: object) => {
      const error: unknown = await make(client, line('a'), body).catch((reason: unknown) => reason)
      assert.ok(error instanceof OpenAI6.APIError)
      return [error.status, error.param]
    }
    assert.deepEqual(await refused({ endpoint: '/v1/models' }), [400, 'endpoint'])
    assert.deepEqual(await refused({ completion_window: '7d' }), [400, 'completion_window'])
    assert.deepEqual(await refused({ input_file_id: 'file-none' }), [404, 'id'])
    await checkWire('2026-08-21')
  })

  test('Azure’s client runs the same, with endpoints that have no version', async () => {
    const client = new AzureOpenAI({
      ...{ endpoint: recorder.url, apiKey: product.key, apiVersion: '2024-10-21' },
      ...once,
    })
    const input = inputOf(url, 5, embedding).replaceAll('/v1/', '/')
    const file = await client.files.create({ file: await toFile(Buffer.from(input), 'in.jsonl'), purpose: 'batch' })
    const made = await client.batches.create({
      input_file_id: file.id,
      endpoint: '/embeddings' as '/v1/embeddings', // as Azure calls it
      completion_window: '24h',
    })
    const batch = await ended(client, made.id)
    assert.deepEqual(batch.request_counts, { total: 5, completed: 5, failed: 0 })
    await assertEachOnce(client, batch, 5)
    await recorder.take()
  })
})
