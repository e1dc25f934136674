import assert from 'node:assert/strict'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import OpenAI, { APIError } from 'openai'
import { request } from 'undici'
import type { Reranking } from '../../src/wire/rerank.ts'
import { encoderModel } from '../models/encoders.ts'
import { bytesOf, stored, tinyAdapter, tinyModel } from '../models/make.ts'
import { type Product, startProduct } from '../support/product.ts'

const file = async (source: Parameters<typeof bytesOf>[0]) => stored(bytesOf(source))
const documents = ['rough winds do shake', 'summer summer summer', 'thy eternal summer shall not fade']

/** As much of a reply as is looked at here. */
interface Told extends Reranking {
  error?: { param: string | null }
}

describe('models that embed, rerank and are adapted', { timeout: 120_000 }, () => {
  let product: Product
  let client: OpenAI
  before(async () => {
    const path = async (source: Parameters<typeof bytesOf>[0]) => JSON.stringify(await file(source))
    const base = await path(tinyModel())
    product = await startProduct({
      yaml: `
models:
  vectors: { file: ${await path(encoderModel({ pooling: 2 }))}, price: { input: 1 } }
  judge: { file: ${await path(encoderModel({ pooling: 4, looksFor: 'summer' }))} }
  base: { file: ${base}, context: 512 }
  tuned: { file: ${base}, context: 512, adapter: ${await path(tinyAdapter())} }
  faint: { file: ${base}, context: 512, adapter: ${await path(tinyAdapter())}, scale: 0 }
  broken: { file: ${base}, context: 512, adapter: ${await path(tinyAdapter({ dimensions: 32 }))} }
`,
    })
    client = new OpenAI({ apiKey: product.key, baseURL: `${product.url}/v1`, maxRetries: 0 })
  })
  after(() => product?.stop())

  async function post(path: string, body: object): Promise<{ status: number; json: Told }> {
    const { statusCode, body: reply } = await request(product.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${product.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: statusCode, json: (await reply.json()) as Told }
  }
  const isRefused = (code: string, says: RegExp) => (error: unknown) => {
    assert.ok(error instanceof APIError)
    assert.deepEqual([error.status, error.code], [400, code])
    assert.match(error.message, says)
    return true
  }

  test('the official client gets the same vectors as base64 and as numbers', async () => {
    const input = ['so long lives this', 'and this gives life to thee']
    const packed = await client.embeddings.create({ model: 'vectors', input })
    const plain = await client.embeddings.create({ model: 'vectors', input, encoding_format: 'float' })
    assert.deepEqual(packed.data, plain.data)
    assert.deepEqual(plain.usage, { prompt_tokens: 14, total_tokens: 14 })
    for (const { embedding } of plain.data) assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-6)
    const short = await client.embeddings.create({ model: 'vectors', input, dimensions: 8 })
    assert.equal(short.data[1]?.embedding.length, 8)
  })

  test('documents come back in the order of their relevance', async () => {
    const { status, json } = await post('/v1/rerank', { model: 'judge', query: 'a summer', documents, top_n: 2 })
    assert.equal(status, 200)
    assert.deepEqual([json.object, json.model, json.usage.total_tokens], ['list', 'judge', 28])
    assert.deepEqual(
      json.results.map(result => Object.keys(result)),
      [
        ['index', 'relevance_score'],
        ['index', 'relevance_score'],
      ],
    )
    assert.deepEqual(
      json.results.map(({ index }) => index),
      [1, 2],
    )
    const told = await post('/v1/rerank', {
      model: 'judge',
      query: 'a summer',
      documents: documents.map(text => ({ text })),
      return_documents: true,
    })
    assert.deepEqual(told.json.results[0]?.document, { text: documents[1] })
    assert.equal(told.json.results.length, 3)
  })

  test('a rerank request that cannot be meant is a 400 that names the parameter', async () => {
    const good = { model: 'judge', query: 'a', documents: ['b'] }
    const bad: [object, string | null][] = [
      [{ ...good, documents: [] }, 'documents'],
      [{ ...good, documents: [1] }, 'documents[0]'],
      [{ ...good, query: '' }, 'query'],
      [{ ...good, query: undefined }, 'query'],
      [{ ...good, top_n: 0 }, 'top_n'],
      [{ ...good, max_tokens_per_doc: 3 }, 'max_tokens_per_doc'],
      [{ ...good, documents: ['a '.repeat(200)] }, 'documents'],
      [{ ...good, model: 'base' }, 'model'],
      [{ ...good, model: 'parlance-embed-1' }, 'model'],
    ]
    for (const [body, param] of bad) {
      const { status, json } = await post('/v1/rerank', body)
      assert.deepEqual([status, json.error?.param], [400, param], JSON.stringify(json))
    }
    assert.equal((await post('/v1/rerank', { ...good, model: 'nobody' })).status, 404)
    assert.equal((await post('/v1/rerank', good)).status, 200)
  })

  test('what a model is not for is refused before it is loaded', async () => {
    const messages = [{ role: 'user' as const, content: 'Hi' }]
    const says = (ability: string) => isRefused('model_not_supported', new RegExp(`does not offer '${ability}'`))
    await assert.rejects(client.chat.completions.create({ model: 'vectors', messages }), says('chat'))
    await assert.rejects(client.completions.create({ model: 'judge', prompt: 'Hi' }), says('complete'))
    await assert.rejects(client.embeddings.create({ model: 'judge', input: 'Hi' }), says('embed'))
    await assert.rejects(client.embeddings.create({ model: 'base', input: 'Hi' }), says('embed'))
  })

  test('a file in the data folder is what its header says', async () => {
    await mkdir(join(product.dataDir, 'models'), { recursive: true })
    await copyFile(await file(encoderModel({ pooling: 1 })), join(product.dataDir, 'models', 'found.gguf'))
    const deadline = Date.now() + 5000
    let names: string[] = []
    while (!names.includes('found') && Date.now() < deadline)
      names = (await client.models.list()).data.map(({ id }) => id)
    const { data } = await client.embeddings.create({ model: 'found', input: 'thee' })
    assert.equal(data[0]?.embedding.length, 64)
    await assert.rejects(client.completions.create({ model: 'found', prompt: 'Hi' }), /does not offer 'complete'/)
  })

  test('an adapter changes the replies, at a scale of 0 it does not, and a broken one breaks its own model alone', async () => {
    const reply = async (model: string) => {
      const request = { model, prompt: 'Shall I compare', temperature: 0, max_tokens: 24 }
      return (await client.completions.create(request)).choices[0]?.text
    }
    const [base, tuned, faint] = [await reply('base'), await reply('tuned'), await reply('faint')]
    assert.notEqual(tuned, base)
    assert.equal(faint, base)
    await assert.rejects(reply('broken'), (error: unknown) => {
      assert.ok(error instanceof APIError)
      assert.deepEqual([error.status, error.code], [500, 'model_load_failed'])
      assert.match(error.message, /adapter cannot be used/)
      return true
    })
    assert.equal(await reply('base'), base)
  })

  test('the API documentation tells of reranking', async () => {
    const { body } = await request(`${product.url}/openapi.json`)
    const document = (await body.json()) as { paths: Record<string, { post?: { summary: string } }> }
    assert.match(document.paths['/v1/rerank']?.post?.summary ?? '', /^Orders documents/)
  })
})
