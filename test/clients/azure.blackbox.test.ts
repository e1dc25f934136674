import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { bytesOf, stored } from '../models/make.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Recorder, record } from '../support/recorder.ts'
import { rateLimited, startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'
import { azureConforms, azureKinds, azureScenarios } from './azure.ts'
import { azureFrameworkScenarios } from './azure-frameworks.ts'
import { caller } from './caller.ts'
import type { ClientKind, Connection } from './client.ts'
import { failure } from './expect.ts'
import { type Place, scenarios } from './scenarios.ts'

const places: readonly Place[] = [
  {
    name: 'built in',
    chat: { asked: 'gpt-3.5-turbo', answers: 'parlance-tiny-1' },
    completion: { asked: 'gpt-3.5-turbo-instruct', answers: 'parlance-tiny-1' },
    embed: { asked: 'text-embedding-ada-002', answers: 'parlance-embed-1', length: 1536 },
    idPrefixes: { chat: 'chatcmpl-', completion: 'cmpl-' },
    azure: true,
  },
  {
    name: 'upstream',
    chat: { asked: 'team-chat', answers: upstreamModels.chat },
    completion: { asked: 'team-chat', answers: upstreamModels.chat },
    embed: { asked: 'team-embed', answers: upstreamModels.embed, length: 64 },
    idPrefixes: { chat: 'chatcmpl-', completion: 'cmpl-' },
    azure: true,
  },
]

/** Every reply and every event is checked against the published API description as well, as it went over the wire. */
describe('Azure’s clients work unchanged but for the endpoint', { timeout: 120_000 }, () => {
  let upstream: Upstream
  let product: Product
  let recorder: Recorder
  before(async () => {
    upstream = await startUpstream()
    product = await startProduct({
      yaml: `
upstreams:
  partner: { base_url: "${upstream.baseUrl}", api_key: "${upstream.key}" }
models:
  team-chat: { upstream: partner, name: ${upstreamModels.chat}, price: { input: 0, output: 0 } }
  team-embed: { upstream: partner, name: ${upstreamModels.embed}, price: { input: 0, output: 0 } }
  caller: { file: ${JSON.stringify(await stored(bytesOf(caller)))}, context: 2048 }
`,
    })
    recorder = await record(product.url)
  })
  after(async () => {
    await recorder?.close()
    await upstream?.close()
    await product?.stop()
  })
  const connection = (): Connection => ({ baseURL: recorder.url, apiKey: product.key })
  const checkWire = async (era: ClientKind['era']) => {
    const exchanges = await recorder.take()
    assert.ok(exchanges.length > 0, 'the scenario made requests')
    for (const exchange of exchanges) azureConforms(exchange, era)
  }

  for (const place of places) {
    for (const kind of azureKinds)
      describe(`${kind.name}, ${place.name}`, () => {
        const usual = scenarios.filter(({ openai, stores }) => openai !== true && (stores !== true || kind.stores))
        for (const { name, run } of [...usual, ...azureScenarios])
          test(name, async () => {
            await run(kind.open(connection()), place)
            await checkWire(kind.era)
          })
      })
    describe(`frameworks, ${place.name}`, () => {
      for (const { name, run } of azureFrameworkScenarios)
        test(name, async () => {
          await run(connection(), place)
          await checkWire('2026-08-21')
        })
    })
  }

  for (const kind of azureKinds)
    test(`${kind.name}: the rate limit of an upstream arrives as Azure’s`, async () => {
      const client = kind.open(connection())
      const messages = [{ role: 'user' as const, content: 'Hi' }]
      const body = { model: 'team-chat', messages, temperature: rateLimited }
      for (const call of [() => client.chat(body), () => client.chatStream(body)[Symbol.asyncIterator]().next()]) {
        const { status, code, className, message } = await failure(client, call)
        assert.deepEqual([status, code, className], [429, '429', 'RateLimitError'])
        assert.match(message, /exceeded the call rate limit/)
      }
    })
})
