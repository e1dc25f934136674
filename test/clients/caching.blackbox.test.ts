import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { request } from 'undici'
import { type Product, startProduct } from '../support/product.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'

const { chat, embed } = upstreamModels
const model = 'words'
const asking = (content: string) => ({ model, temperature: 0, messages: [{ role: 'user' as const, content }] })

interface World {
  product: Product
  upstream: Upstream
  client: OpenAI
  /** Requests that have reached the upstream since it was asked last. */
  reached(): number
}

/** The product in front of an upstream that counts, with models whose replies are kept and one whose are not. */
async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  const upstream = await startUpstream()
  try {
    const yaml = `
upstreams:
  counted: { base_url: "${upstream.baseUrl}", api_key: "\${UPSTREAM_KEY}" }
models:
  words: { upstream: counted, name: ${chat}, price: { input: 1, output: 2 }, cache: {} }
  vectors: { upstream: counted, name: ${embed}, price: { input: 1 }, cache: { ttl_ms: 60000 } }
  fresh: { upstream: counted, name: ${chat}, price: { input: 1, output: 2 }, cache: { enabled: false } }
response_cache: { every_model: true }
`
    await using product = await startProduct({ yaml, env: { UPSTREAM_KEY: upstream.key } })
    let seen = 0
    const reached = () => {
      const count = upstream.requests.length - seen
      seen += count
      return count
    }
    await work({ product, upstream, reached, client: clientOf(product) })
    await product.stop()
  } finally {
    await upstream.close()
  }
}

const clientOf = ({ url, key }: { url: string; key: string }) =>
  new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 })

/** As the owner. @returns the body */
async function manage({ url, key }: Product, method: 'GET' | 'POST', path: string, body?: object) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const reply = await request(`${url}/v1/organization${path}`, { method, headers, ...sent })
  const text = await reply.body.text()
  assert.ok(reply.statusCode < 300, text)
  return JSON.parse(text)
}

test('the official client gets the same reply again, in one piece and streamed, and the upstream hears of one request', () =>
  inWorld(async ({ client, reached }) => {
    const rows: [string, () => Promise<{ value: unknown; cache: string | null }>][] = [
      ['chat', () => whole(client.chat.completions.create(asking('Hello')))],
      ['streamed chat', () => streamed(client.chat.completions.create({ ...asking('Hello'), stream: true }))],
      ['completion', () => whole(client.completions.create({ model, prompt: 'Hello' }))],
      ['streamed completion', () => streamed(client.completions.create({ model, prompt: 'Hello', stream: true }))],
      ['embeddings', () => whole(client.embeddings.create({ model: 'vectors', input: ['one', 'two'] }))],
    ]
    for (const [name, ask] of rows) {
      const [first, second] = [await ask(), await ask()]
      assert.deepEqual([first.cache, second.cache, reached()], ['miss', 'hit', 1], name)
      assert.deepEqual(second.value, first.value, name)
    }
    for (let time = 0; time < 2; time++) {
      const { cache } = await whole(client.chat.completions.create({ ...asking('Hello'), model: 'fresh' }))
      assert.deepEqual([cache, reached()], [null, 1])
    }
  }))

async function whole<Value>(asked: { withResponse(): Promise<{ data: Value; response: Response }> }) {
  const { data, response } = await asked.withResponse()
  return { value: data, cache: response.headers.get('x-parlance-cache') }
}

async function streamed<Event>(asked: { withResponse(): Promise<{ data: AsyncIterable<Event>; response: Response }> }) {
  const { data, response } = await asked.withResponse()
  const events: Event[] = []
  for await (const event of data) events.push(event)
  assert.ok(events.length > 3)
  return { value: events, cache: response.headers.get('x-parlance-cache') }
}

test('`cache-control` of a request is respected', () =>
  inWorld(async ({ client, reached }) => {
    const ask = async (content: string, header?: string) => {
      const headers = header === undefined ? {} : { 'cache-control': header }
      try {
        return (await whole(client.chat.completions.create(asking(content), { headers }))).cache
      } catch (error) {
        assert.ok(error instanceof OpenAI.APIError)
        return error.code
      }
    }
    // What the first, the second with the same header, and the third without any get; and how many ran.
    const rows: [header: string, seen: (string | null | undefined)[], ran: number][] = [
      ['no-cache', ['bypass', 'bypass', 'hit'], 2],
      ['no-store', ['bypass', 'bypass', 'miss'], 3],
      ['only-if-cached', ['not_cached', 'not_cached', 'miss'], 1],
      ['max-age=60', ['miss', 'hit', 'hit'], 1],
      ['min-fresh=60', ['miss', 'hit', 'hit'], 1],
      ['min-fresh=301', ['miss', 'miss', 'hit'], 2],
      ['max-stale', ['miss', 'hit', 'hit'], 1],
    ]
    for (const [header, seen, ran] of rows) {
      assert.deepEqual([await ask(header, header), await ask(header, header), await ask(header)], seen, header)
      assert.equal(reached(), ran, header)
    }
  }))

test('a project never gets the reply of another one, a key of the same project does, and none that may not ask', () =>
  inWorld(async ({ product, reached }) => {
    const keyIn = async (project: string, more: object = {}) => {
      const { value } = await manage(product, 'POST', `/projects/${project}/api_keys`, { name: 'key', ...more })
      return clientOf({ url: product.url, key: value })
    }
    const projects = []
    for (const name of ['first', 'second']) projects.push((await manage(product, 'POST', '/projects', { name })).id)
    const [first, second] = projects
    const clients = [await keyIn(first), await keyIn(second), await keyIn(first), await keyIn(second)]
    const seen = []
    for (const client of clients) seen.push((await whole(client.chat.completions.create(asking('Whose?')))).cache)
    assert.deepEqual([seen, reached()], [['miss', 'miss', 'hit', 'hit'], 2])
    const elsewhere = await keyIn(first, { models: ['vectors'] })
    await assert.rejects(elsewhere.chat.completions.create(asking('Whose?')), { status: 404 })
    await assert.rejects(clientOf({ url: product.url, key: 'sk-nobody' }).chat.completions.create(asking('Whose?')), {
      status: 401,
    })
    assert.equal(reached(), 0)
  }))

test('100 equal requests at once are one request to the upstream, and one that is paid for', { timeout: 60_000 }, () =>
  inWorld(async ({ product, client, reached }) => {
    const ask = (stream: boolean) =>
      stream
        ? streamed(client.chat.completions.create({ ...asking('All at once'), stream: true }))
        : whole(client.chat.completions.create(asking('All at once')))
    for (const stream of [false, true]) {
      const replies = await Promise.all(Array.from({ length: 100 }, () => ask(stream)))
      assert.equal(reached(), 1)
      assert.equal(replies.filter(({ cache }) => cache === 'miss').length, 1)
      assert.equal(replies.filter(({ cache }) => cache === 'hit').length, 99)
      for (const { value } of replies) assert.deepEqual(value, replies[0]?.value)
    }
    const day = Math.floor(Date.now() / 86_400_000) * 86_400
    /** A reply is in the report a moment after its last byte. */
    const usage = async (): Promise<{ num_model_requests: number; input_tokens: number }> => {
      const { data } = await manage(product, 'GET', `/usage/completions?start_time=${day}&bucket_width=1d`)
      const [found] = data.flatMap(({ results }: { results: object[] }) => results)
      return found?.num_model_requests === 200 ? found : usage()
    }
    const { input_tokens: spent } = await usage()
    const { data } = await manage(product, 'GET', `/costs?start_time=${day}&group_by[]=line_item`)
    const lines: { line_item: string; amount: { value: number } }[] = data.flatMap(
      ({ results }: { results: object[] }) => results,
    )
    const costs = new Map(lines.map(({ line_item, amount }) => [line_item, amount.value]))
    assert.equal(costs.get('words, tokens, cached reply'), 0)
    const one = (await client.chat.completions.create(asking('All at once'))).usage
    assert.ok(one)
    assert.equal(spent, 2 * one.prompt_tokens)
    const usd = (2 * (one.prompt_tokens + 2 * one.completion_tokens)) / 1e6
    assert.ok(Math.abs((costs.get('words, tokens') ?? 0) - usd) < 1e-9)
  }),
)
