/** Wherever a client says that its requests should go, the key of an upstream goes to the upstream. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Agent, request } from 'undici'
import { operations } from '../../src/operations/index.ts'
import { type Product, startProduct } from '../support/product.ts'
import { ask, openWire } from '../support/socket.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'
import { completion, jsonAnswer } from './scripts.ts'
import { type HostileUpstream, hostileUpstream } from './upstream.ts'

const settings = (upstream: Upstream) => `
upstreams:
  partner: { base_url: ${upstream.baseUrl}, api_key: "\${PARTNER_KEY}" }
models:
  team-chat: { upstream: partner, name: ${upstreamModels.chat}, price: { input: 1, output: 2 } }
  team-embed: { upstream: partner, name: ${upstreamModels.embed}, price: { input: 1 } }
  ${upstreamModels.chat}: { upstream: partner, price: { input: 1, output: 2 } }
`

let upstream: Upstream
let canary: HostileUpstream
let product: Product
const agent = new Agent({ connections: 8 })

before(async () => {
  upstream = await startUpstream()
  canary = await hostileUpstream(jsonAnswer(200, completion))
  product = await startProduct({ yaml: settings(upstream), env: { PARTNER_KEY: upstream.key } })
})
after(async () => {
  await agent.destroy()
  await product?.stop()
  await canary?.close()
  await upstream?.close()
})

/** What proxies and gateways have taken for an order of the client, in all spellings that were found. */
const names = [
  ...[
    'api_base',
    'api-base',
    'apiBase',
    'base_url',
    'base-url',
    'baseUrl',
    'baseURL',
    'x-base-url',
    'x-api-base',
    'endpoint',
  ],
  ...[
    'azure_endpoint',
    'url',
    'target',
    'host',
    'proxy',
    'proxy_url',
    'http_proxy',
    'callback',
    'webhook_url',
    'upstream',
  ],
  ...[
    'x-forwarded-host',
    'x-original-url',
    'x-rewrite-url',
    'x-forwarded-server',
    'x-host',
    'x-upstream',
    'x-target-url',
  ],
  ...[
    'x-portkey-custom-host',
    'helicone-openai-api-base',
    'helicone-target-url',
    'x-litellm-api-base',
    'openai-base-url',
  ],
  ...[
    'organization',
    'user',
    'provider',
    'region',
    'aws_bedrock_runtime_endpoint',
    'vertex_location',
    'custom_llm_provider',
  ],
  ...['forwarded', 'proxy-authorization', 'x-http-destinationurl', 'destination', 'referer', 'origin', 'from'],
]
const addresses = () => [`${canary.origin}/v1`, `http://me@127.0.0.1:${canary.port}`, `127.0.0.1:${canary.port}`]

const untouched = () => assert.equal(canary.received.length, 0, `${canary.received[0]?.rawHead}`)

/** A header of this name may be refused; it must not be obeyed. */
const isForHeaders = (name: string) => !['host', 'origin', 'url', 'referer'].includes(name) && !/[A-Z_]/.test(name)

async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<number> {
  const reply = await request(product.url + path, {
    ...{ method: 'POST', dispatcher: agent, body: JSON.stringify(body) },
    headers: { authorization: `Bearer ${product.key}`, 'content-type': 'application/json', ...headers },
  })
  await reply.body.dump()
  return reply.statusCode
}

test('CVE-2023-49785: no header sends a request elsewhere, on any route, with and without a key', {
  timeout: 60_000,
}, async () => {
  const address = `${canary.origin}/v1`
  const headers = Object.fromEntries(names.filter(isForHeaders).map(name => [name, address]))
  const asked = operations
    .filter(({ scope }) => scope !== 'operator') // whoever runs the server says where requests go
    .flatMap(({ method, path }) => [undefined, product.key].map(key => ({ method, path, key })))
  for (const { method, path, key } of asked) {
    const reply = await request(product.url + path.replaceAll(/\{\w+\}/g, 'x'), {
      ...{ method, dispatcher: agent },
      headers: {
        ...headers,
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(method === 'POST' && { 'content-type': 'application/json' }),
      },
      ...(method === 'POST' && { body: JSON.stringify({ model: 'team-chat' }) }),
    })
    await reply.body.dump()
    assert.ok(reply.statusCode < 500, `${method} ${path}: ${reply.statusCode}`)
  }
  assert.ok(asked.length > 50)
  untouched()
})

test('CVE-2024-6587: no field of a body, a query or a header moves the key of an upstream', {
  timeout: 60_000,
}, async () => {
  const messages = [{ role: 'user', content: 'Hello' }]
  const calls = [
    { path: '/v1/chat/completions', body: { model: 'team-chat', messages, max_tokens: 1 } },
    { path: '/v1/completions', body: { model: 'team-chat', prompt: 'Hello', max_tokens: 1 } },
    { path: '/v1/embeddings', body: { model: 'team-embed', input: 'Hello' } },
    {
      path: `/openai/deployments/${upstreamModels.chat}/chat/completions?api-version=2024-10-21`,
      body: { messages, max_tokens: 1 },
    },
  ]
  const { length: before } = upstream.requests
  let served = 0
  for (const { path, body } of calls)
    for (const name of names) {
      const [first = '', ...rest] = addresses()
      const query = `${path.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(first)}`
      const statuses = await Promise.all([
        post(path, { ...body, [name]: first }),
        post(path, { ...body, [name]: { url: first, api_base: first }, extra_body: { [name]: first } }),
        post(path + query, body),
        ...(isForHeaders(name) ? rest.map(address => post(path, body, { [name]: address })) : []),
      ])
      assert.ok(
        statuses.every(status => status < 500),
        `${path} ${name}: ${statuses}`,
      )
      served += statuses.filter(status => status === 200).length
    }
  assert.ok(served > 300, `${served} requests went their way all the same`)
  assert.equal(upstream.requests.length - before, served)
  for (const { headers } of upstream.requests) {
    assert.equal(headers.authorization, `Bearer ${upstream.key}`)
    assert.doesNotMatch(JSON.stringify(headers), new RegExp(`127\\.0\\.0\\.1:${canary.port}`), 'no header passes')
  }
  untouched()
})

test('CVE-2026-44578: neither an absolute URL nor an upgrade is taken elsewhere', async () => {
  const authorization = `authorization: Bearer ${product.key}`
  for (const head of [
    `GET ${canary.origin}/v1/models HTTP/1.1\r\nhost: 127.0.0.1:${canary.port}\r\n${authorization}`,
    `GET ${canary.origin}/x HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n${authorization}`,
    `GET //127.0.0.1:${canary.port}/v1/models HTTP/1.1\r\nhost: localhost\r\n${authorization}`,
    `CONNECT 127.0.0.1:${canary.port} HTTP/1.1\r\nhost: 127.0.0.1:${canary.port}\r\n${authorization}`,
  ]) {
    using wire = await openWire(product.port)
    wire.write(`${head}\r\n\r\n`)
    const { status } = await wire.head()
    assert.ok(status >= 400 && status < 500, `${head.split('\r\n')[0]}: ${status}`)
  }
  untouched()
})

test('a Host of another server changes nothing', async () => {
  const body = JSON.stringify({ model: 'team-chat', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 1 })
  const { length: before } = upstream.requests
  const headers = { authorization: `Bearer ${product.key}`, 'content-type': 'application/json' }
  for (const host of [`127.0.0.1:${canary.port}`, 'api.openai.com', '169.254.169.254'])
    await ask(product.port, { path: '/v1/chat/completions', body, headers: { ...headers, host } })
  for (const { headers } of upstream.requests.slice(before)) assert.equal(headers.host, new URL(upstream.baseUrl).host)
  untouched()
})
