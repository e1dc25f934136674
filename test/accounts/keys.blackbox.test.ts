import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import OpenAI, { APIError } from 'openai'
import { type Product, runCommand, startProduct } from '../support/product.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'

/** Keys as their holders know them: through the official client, and the command line beside a running server. */
describe('keys', { timeout: 120_000 }, () => {
  let product: Product
  let upstream: Upstream
  before(async () => {
    upstream = await startUpstream()
    const model = (name: string) => `{upstream: far, name: ${name}, price: {input: 0, output: 0}}`
    product = await startProduct({
      yaml: `upstreams:
  far: {base_url: "${upstream.baseUrl}", api_key: "${upstream.key}"}
models:
  endless: ${model(upstreamModels.endless)}
  far-chat: ${model(upstreamModels.chat)}
`,
    })
  })
  after(async () => {
    await product?.stop()
    await upstream?.close()
  })

  const client = (apiKey: string, more: object = {}) =>
    new OpenAI({ baseURL: `${product.url}/v1`, apiKey, maxRetries: 0, ...more })
  const keys = (...args: string[]) => runCommand(['keys', ...args, '--data-dir', product.dataDir])

  test('a key that is revoked beside the server ends its running stream within two seconds, with an error', async () => {
    const made = await keys('create', '--name', 'leaves')
    assert.equal(made.code, 0, made.stderr)
    const id = /key_\w+/.exec(made.stderr)?.[0] ?? ''
    const stream = await client(made.stdout.trim()).chat.completions.create({
      model: 'endless',
      messages: [{ role: 'user', content: 'Go on' }],
      stream: true,
    })
    let revoked: Promise<number> | undefined
    await assert.rejects(
      async () => {
        for await (const _ of stream) revoked ??= keys('revoke', id).then(() => performance.now())
      },
      (error: unknown) => error instanceof APIError && error.code === 'invalid_api_key',
    )
    const endedMs = performance.now()
    const tookMs = endedMs - ((await revoked) ?? Number.NaN) // the stream may end before the command does
    assert.ok(tookMs < 2000, `it ended ${Math.round(tookMs)} ms after the revocation`)
    await upstream.leftBy(1)
    await assert.rejects(
      client(made.stdout.trim()).models.list(),
      (error: unknown) => error instanceof APIError && error.status === 401,
    )
  })

  test('a request that is sent twice with one Idempotency-Key reaches the model once', async () => {
    const before = upstream.requests.length
    const ask = (content: string, key: string) =>
      client(product.key)
        .chat.completions.create(
          { model: 'far-chat', messages: [{ role: 'user', content }] },
          { headers: { 'Idempotency-Key': key } },
        )
        .withResponse()
    const first = await ask('Once', 'only-1')
    const again = await ask('Once', 'only-1')
    assert.deepEqual(again.data, first.data)
    assert.equal(first.response.headers.get('idempotent-replayed'), null)
    assert.equal(again.response.headers.get('idempotent-replayed'), 'true')
    assert.equal(upstream.requests.length, before + 1)
    await assert.rejects(
      ask('Twice', 'only-1'),
      (error: unknown) => error instanceof APIError && error.code === 'idempotency_key_reused',
    )
    await ask('Once', 'only-2')
    assert.equal(upstream.requests.length, before + 2)
  })
})
