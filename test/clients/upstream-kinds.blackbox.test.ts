/** Upstreams that do things in their own way, behind the product, for the clients of OpenAI and of Azure. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import OpenAI, { APIError, AzureOpenAI } from 'openai'
import { jsonAnswer } from '../hostile/scripts.ts'
import {
  azureApplication,
  azureDeployment,
  azureKey,
  azureModel,
  type FakeAzure,
  filterFinding,
  forbiddenWord,
  startAzure,
} from '../support/azure.ts'
import { type Product, startProduct } from '../support/product.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'

const messages = [{ role: 'user' as const, content: 'Hello there' }]

const settings = ({ resource, authority }: FakeAzure, { baseUrl }: Upstream) => `
upstreams:
  azure: { base_url: ${resource.origin}, kind: azure, api_key: "\${AZURE_KEY}" }
  tokens:
    base_url: ${resource.origin}/openai/v1
    kind: azure
    entra:
      tenant_id: ${azureApplication.tenant}
      client_id: ${azureApplication.id}
      client_secret: "\${AZURE_SECRET}"
      authority: ${authority.origin}
  desk: { base_url: ${baseUrl}, kind: lm-studio, api_key: "\${UPSTREAM_KEY}" }
  claude: { base_url: ${baseUrl}, kind: anthropic, api_key: "\${UPSTREAM_KEY}" }
models:
  by-key: { upstream: azure, name: ${azureDeployment}, price: { input: 1, output: 2 } }
  by-token: { upstream: tokens, name: ${azureDeployment}, price: { input: 1, output: 2 } }
  desk-chat: { upstream: desk, name: ${upstreamModels.chat}, price: { input: 1, output: 2 } }
  claude-chat: { upstream: claude, name: ${upstreamModels.chat}, price: { input: 1, output: 2 } }
`

let azure: FakeAzure
let upstream: Upstream
let product: Product

before(async () => {
  azure = await startAzure()
  upstream = await startUpstream()
  product = await startProduct({
    yaml: settings(azure, upstream),
    env: { AZURE_KEY: azureKey, AZURE_SECRET: azureApplication.secret, UPSTREAM_KEY: upstream.key },
  })
})
after(async () => {
  await product?.stop()
  await azure?.close()
  await upstream?.close()
})

const openAi = () => new OpenAI({ apiKey: product.key, baseURL: `${product.url}/v1`, maxRetries: 0 })
const azureOpenAi = () =>
  new AzureOpenAI({ apiKey: product.key, endpoint: product.url, apiVersion: '2024-10-21', maxRetries: 0 })

const failed = async (asked: Promise<unknown>): Promise<APIError> => {
  const error: unknown = await asked.then(
    () => assert.fail('it was answered'),
    reason => reason,
  )
  assert.ok(error instanceof APIError)
  return error
}

for (const [door, open] of [
  ['OpenAI', openAi],
  ['Azure', azureOpenAi],
] as const) {
  for (const model of ['by-key', 'by-token'])
    test(`${door}’s client gets documents and streams of a deployment, ${model}`, async () => {
      const client = open()
      const reply = await client.chat.completions.create({ model, messages })
      assert.equal(reply.choices[0]?.message.content, 'Hello there')
      assert.deepEqual([reply.model, reply.usage?.total_tokens], [azureModel, 11])
      const options = { stream: true, stream_options: { include_usage: true } } as const
      const texts: string[] = []
      let total = 0
      for await (const { choices, usage } of await client.chat.completions.create({ model, messages, ...options })) {
        texts.push(choices[0]?.delta.content ?? '')
        total = usage?.total_tokens ?? total
      }
      assert.deepEqual([texts.join(''), total], ['Hello there', 11])
    })

  test(`${door}’s client is told what the filter of an upstream found`, async () => {
    const forbidden = [{ role: 'user' as const, content: `something ${forbiddenWord}` }]
    for (const stream of [false, true]) {
      const { status, code, error } = await failed(
        open().chat.completions.create({ model: 'by-key', messages: forbidden, stream }),
      )
      assert.deepEqual([status, code], [400, 'content_filter'])
      const { innererror }: { innererror?: unknown } = { ...Object(error) }
      assert.deepEqual(innererror, filterFinding)
    }
  })
}

test('tokens are asked for once, replaced when they are no longer taken, and their absence is told without a reason', async () => {
  const client = openAi()
  const ask = () => client.chat.completions.create({ model: 'by-token', messages })
  await ask()
  azure.tokens.clear()
  const before = azure.authority.received.length
  await ask()
  assert.equal(azure.authority.received.length - before, 1)
  await Promise.all(Array.from({ length: 20 }, ask))
  assert.equal(azure.authority.received.length - before, 1)
  const { script } = azure.authority
  azure.authority.script = jsonAnswer(401, { error: 'invalid_client', error_description: 'AADSTS700016: no such app' })
  azure.tokens.clear()
  const refused = await failed(ask())
  assert.deepEqual([refused.status, refused.code], [502, 'upstream_no_token'])
  assert.doesNotMatch(refused.message, /AADSTS|invalid_client/)
  assert.match(product.printed().stderr, /"upstream\.no_token".*401 invalid_client \(AADSTS700016\)/)
  azure.authority.script = script
  // It is left alone for a second after a failure.
  for (let answered = false; !answered; )
    answered = await ask().then(
      () => true,
      error => {
        assert.equal(error.code, 'upstream_no_token')
        return false
      },
    )
})

test('a server that gives one reply answers a request for three, as a document and as a stream', async () => {
  const client = openAi()
  const asked = { model: 'desk-chat', messages, n: 3, seed: 7, max_completion_tokens: 5 }
  const before = upstream.requests.length
  const reply = await client.chat.completions.create(asked)
  const parts = upstream.requests.slice(before).map(({ body }) => body)
  assert.deepEqual(parts.map(({ seed }) => seed).toSorted(), [7, 8, 9])
  for (const part of parts) assert.deepEqual([part.n, part.max_tokens], [undefined, 5])
  const texts = reply.choices.map(({ message }) => message.content)
  assert.equal(texts.length, 3)
  const alone = await client.chat.completions.create({ ...asked, n: 1 })
  assert.equal(texts[0], alone.choices[0]?.message.content)
  assert.equal(reply.usage?.prompt_tokens, 3 * (alone.usage?.prompt_tokens ?? 0))
  const streamed = ['', '', '']
  for await (const { choices } of await client.chat.completions.create({ ...asked, stream: true }))
    for (const { index, delta } of choices) streamed[index] += delta.content ?? ''
  assert.deepEqual(streamed, texts)
})

test('what an upstream is known to ignore is refused by name, and not sent', async () => {
  const before = upstream.requests.length
  for (const client of [openAi(), azureOpenAi()]) {
    const { status, code, param } = await failed(
      client.chat.completions.create({ model: 'claude-chat', messages, seed: 7 }),
    )
    assert.deepEqual([status, code, param], [400, 'unsupported_parameter', 'seed'])
  }
  assert.equal(upstream.requests.length, before)
  const reply = await openAi().chat.completions.create({ model: 'claude-chat', messages, presence_penalty: 0 })
  assert.equal(reply.choices.length, 1)
})

test('no key, secret or token was printed', () => {
  const { stdout, stderr } = product.printed()
  for (const secret of [azureKey, azureApplication.secret, upstream.key, ...azure.tokens])
    assert.ok(!(stdout + stderr).includes(secret))
})
