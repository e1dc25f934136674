import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Product, startProduct } from '../support/product.ts'
import { type Recorder, record } from '../support/recorder.ts'
import { rateLimited, startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'
import type { ClientKind, Connection } from './client.ts'
import { conforms } from './conform.ts'
import { frameworkScenarios } from './frameworks.ts'
import { node3 } from './node3.ts'
import { node4 } from './node4.ts'
import { type Place, scenarios } from './scenarios.ts'

const places: readonly Place[] = [
  {
    name: 'built in',
    chat: { asked: 'gpt-3.5-turbo', answers: 'parlance-tiny-1' },
    completion: { asked: 'gpt-3.5-turbo-instruct', answers: 'parlance-tiny-1' },
    embed: { asked: 'text-embedding-ada-002', answers: 'parlance-embed-1', length: 1536 },
    idPrefixes: { chat: 'chatcmpl-', completion: 'cmpl-' },
  },
  {
    name: 'upstream',
    chat: { asked: 'team-chat', answers: upstreamModels.chat },
    completion: { asked: 'team-chat', answers: upstreamModels.chat },
    embed: { asked: 'team-embed', answers: upstreamModels.embed, length: 64 },
    idPrefixes: { chat: 'chatcmpl-', completion: 'cmpl-' },
  },
]

const settings = (upstream: Upstream) => `
upstreams:
  partner:
    base_url: ${upstream.baseUrl}
    api_key: \${PARTNER_KEY}
models:
  team-chat: { upstream: partner, name: ${upstreamModels.chat}, price: { input: 0, output: 0 } }
  team-endless: { upstream: partner, name: ${upstreamModels.endless}, price: { input: 0, output: 0 } }
  team-embed: { upstream: partner, name: ${upstreamModels.embed}, price: { input: 0, output: 0 } }
`

/** Every reply and every event is checked against the published API description as well, as it went over the wire. */
describe('official clients work unchanged but for the base URL', { timeout: 120_000 }, () => {
  let upstream: Upstream
  let product: Product
  let recorder: Recorder
  before(async () => {
    upstream = await startUpstream()
    product = await startProduct({ yaml: settings(upstream), env: { PARTNER_KEY: upstream.key } })
    recorder = await record(product.url)
  })
  after(async () => {
    await recorder?.close()
    await upstream?.close()
    await product?.stop()
  })
  const connection = (): Connection => ({ baseURL: `${recorder.url}/v1`, apiKey: product.key })
  const checkWire = async (era: ClientKind['era']) => {
    const exchanges = await recorder.take()
    assert.ok(exchanges.length > 0, 'the scenario made requests')
    for (const exchange of exchanges) conforms(exchange, era)
  }

  for (const place of places) {
    for (const kind of [node3, ...node4])
      describe(`${kind.name}, ${place.name}`, () => {
        for (const { name, accumulates, stores, run } of scenarios)
          if ((accumulates !== true || kind.accumulates) && (stores !== true || kind.stores))
            test(name, async () => {
              await run(kind.open(connection()), place)
              await checkWire(kind.era)
            })
      })
    describe(`frameworks, ${place.name}`, () => {
      for (const { name, run } of frameworkScenarios)
        test(name, async () => {
          await run(connection(), place)
          await checkWire('2026-08-21')
        })
    })
  }

  for (const kind of [node3, ...node4])
    test(`${kind.name}: the rate limit of an upstream arrives as one, under our own request id`, async () => {
      const client = kind.open(connection())
      const body = {
        model: 'team-chat',
        messages: [{ role: 'user' as const, content: 'Hi' }],
        temperature: rateLimited,
      }
      for (const call of [() => client.chat(body), () => client.chatStream(body)[Symbol.asyncIterator]().next()]) {
        const outcome = await call().then(
          () => assert.fail('the call should have failed'),
          (error: unknown) => client.seen(error),
        )
        const { status, code, type, requestId, className } = outcome
        assert.deepEqual({ status, code, type }, { status: 429, code: 'rate_limit_exceeded', type: 'requests' })
        assert.match(requestId ?? 'none', /^req_[0-9a-f]{32}$/)
        if (className !== undefined) assert.equal(className, 'RateLimitError')
      }
      await checkWire(kind.era)
    })

  for (const kind of [node3, ...node4])
    test(`${kind.name}: when the client leaves a relayed stream, the upstream is left too`, async () => {
      const leaving = new AbortController()
      const { left } = upstream
      const read = async () => {
        const body = { model: 'team-endless', messages: [{ role: 'user' as const, content: 'Go on.' }] }
        for await (const _ of kind.open(connection()).chatStream(body, leaving.signal)) leaving.abort()
      }
      await read().catch((error: unknown) => assert.match(String(error), /abort|cancel|premature close/i))
      await upstream.leftBy(left + 1)
      await checkWire(kind.era)
    })

  test('the upstream gets the key configured for it and never the client’s, and the model name it knows', async () => {
    assert.ok(upstream.requests.length > 0)
    for (const { headers, body } of upstream.requests) {
      assert.equal(headers.authorization, `Bearer ${upstream.key}`)
      assert.ok(!JSON.stringify(headers).includes(product.key))
      assert.ok(Object.values<string | undefined>(upstreamModels).includes(body.model))
    }
  })
})
