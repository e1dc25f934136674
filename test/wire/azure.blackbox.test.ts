import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Product, startProduct } from '../support/product.ts'
import { ask, type RawReply, type RawRequest } from '../support/socket.ts'
import { rateLimited, startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'

/** What Azure's clients do not show: the exact bytes of Azure's paths. */
describe('on the wire of Azure’s paths', { timeout: 120_000 }, () => {
  let upstream: Upstream
  let product: Product
  before(async () => {
    upstream = await startUpstream()
    product = await startProduct({
      yaml: `
upstreams:
  partner: { base_url: "${upstream.baseUrl}", api_key: "${upstream.key}" }
models:
  team: { upstream: partner, name: ${upstreamModels.chat}, price: { input: 0, output: 0 } }
`,
    })
  })
  after(async () => {
    await product?.stop()
    await upstream?.close()
  })

  const send = ({ headers, ...request }: RawRequest): Promise<RawReply> =>
    ask(product.port, { ...request, headers: { 'api-key': product.key, ...headers } })
  const post = (path: string, body: object, headers = {}) =>
    send({ path, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } })
  const chat = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4, temperature: 0 }
  const version = '?api-version=2024-10-21'
  const under = (deployment: string, rest: string) => `/openai/deployments/${deployment}/${rest}${version}`
  const opening =
    'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,' +
    '"content_filter_results":{"error":{"code":"content_filter_error","message":"The contents are not filtered"}}}]}\n\n'

  test('a stream is Azure’s first event and then the bytes of OpenAI’s paths, made here or passed on', async () => {
    for (const model of ['team', 'gpt-3.5-turbo'])
      for (const [rest, body] of [
        ['chat/completions', { ...chat, stream: true, seed: 1 }],
        ['completions', { prompt: 'Hi', max_tokens: 3, temperature: 0, stream: true, seed: 1 }],
      ] as const) {
        const azure = await post(under(model, rest), body)
        assert.equal(azure.header('content-type'), 'text/event-stream')
        const text = azure.body.toString()
        assert.ok(text.startsWith(opening), text.slice(0, 400))
        const openai = (await post(`/v1/${rest}`, { ...body, model })).body.toString()
        assert.equal(still(text.slice(opening.length)), still(openai))
      }
  })

  test('every reply and every error carries Azure’s headers beside OpenAI’s, once each', async () => {
    for (const reply of [
      await post(under('team', 'chat/completions'), chat),
      await post(under('team', 'chat/completions'), { ...chat, stream: true }),
      await post(under('unheard-of', 'chat/completions'), chat),
      await send({ method: 'GET', path: `/openai/models${version}` }),
      await send({ method: 'GET', path: `/openai/models${version}`, headers: { 'api-key': '' } }),
      await send({ method: 'GET', path: '/openai/deployments' }),
    ]) {
      const names = reply.headers.map(([name]) => name.toLowerCase())
      assert.equal(new Set(names).size, names.length, `a header stands twice: ${names}`)
      for (const name of ['x-request-id', 'apim-request-id', 'x-ms-region', 'azureml-model-session'])
        assert.ok(names.includes(name), name)
      assert.equal(`req_${reply.header('apim-request-id')?.replaceAll('-', '')}`, reply.header('x-request-id'))
    }
  })

  test('errors are Azure’s to the byte', async () => {
    const said = (code: string, message: string) => JSON.stringify({ error: { code, message } })
    const denied = 'Access denied due to invalid subscription key or wrong API endpoint.'
    const cases: [RawReply, status: number, body: string][] = [
      [
        await post(under('nobody', 'chat/completions'), chat),
        404,
        said(
          'DeploymentNotFound',
          'The API deployment for this resource does not exist. The model `nobody` does not exist or you do not have access to it.',
        ),
      ],
      [
        await send({ path: '/openai/images/generations:submit', body: '{}' }),
        404,
        said('404', 'Resource not found. Invalid URL (POST /openai/images/generations:submit)'),
      ],
      [
        await post(under('team', 'chat/completions'), { ...chat, temperature: rateLimited }),
        429,
        said('429', 'Requests have exceeded the call rate limit. Rate limit reached.'),
      ],
    ]
    for (const [reply, status, body] of cases) assert.deepEqual([reply.status, reply.body.toString()], [status, body])
    for (const headers of [{ 'api-key': '' }, { 'api-key': 'sk-wrong-0000000000' }]) {
      const reply = await post(under('team', 'chat/completions'), chat, headers)
      const { error } = JSON.parse(reply.body.toString())
      assert.deepEqual([reply.status, error.code, Object.keys(error)], [401, '401', ['code', 'message']])
      assert.ok(error.message.startsWith(denied))
    }
  })

  test('any api-version is accepted, or none, and what stands before /openai/deployments', async () => {
    for (const path of [
      '/openai/deployments/team/chat/completions',
      '/openai/deployments/team/chat/completions?api-version=1999-12-31',
      '/openai/deployments/team/chat/completions?api-version=',
      '/v1/openai/deployments/team/chat/completions?api-version=2024-03-01-preview',
      '//openai/deployments/team/chat/completions',
      '/some/proxy/openai/deployments/team/chat/completions',
    ])
      assert.equal((await post(path, chat)).status, 200, path)
    assert.equal((await send({ method: 'GET', path: `/openai/chat/completions${version}&limit=1` })).status, 200)
    assert.equal((await send({ method: 'GET', path: '/openai/chat/completions?limt=1' })).status, 400)
  })

  test('an upstream gets neither the deployment nor the key of the caller', () => {
    assert.ok(upstream.requests.length > 0)
    for (const { headers, body } of upstream.requests) {
      assert.equal(headers['api-key'], undefined)
      assert.ok(!JSON.stringify(headers).includes(product.key))
      assert.equal(body.model, upstreamModels.chat)
    }
  })
})

/** Without what is new in each reply. */
const still = (stream: string): string => stream.replaceAll(/"(id|created)":("[^"]*"|\d+)/g, '"$1":0')
