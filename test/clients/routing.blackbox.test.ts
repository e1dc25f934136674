import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import OpenAI from 'openai'
import { request } from 'undici'
import { jsonAnswer, silence } from '../hostile/scripts.ts'
import { hostileUpstream } from '../hostile/upstream.ts'
import { startProduct } from '../support/product.ts'
import { startUpstream, upstreamModels } from '../support/upstream.ts'

const messages = [{ role: 'user' as const, content: 'Hello there' }]
const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

/** A routed model over two upstreams, as somebody would write it. */
const settings = (east: string, west: string, { policy = 'priority', more = '' } = {}) => `
upstreams:
  east: { base_url: ${east}, api_key: "\${UPSTREAM_KEY}" }
  west: { base_url: ${west}, api_key: "\${UPSTREAM_KEY}" }
models:
  team-chat:
    policy: ${policy}
    targets: [{ upstream: east, name: ${upstreamModels.chat}${more} }, { upstream: west, name: ${upstreamModels.chat} }]
    price: { input: 1, output: 2 }
`

const explaining = async (url: string, key: string, body: object) => {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-parlance-explain': '1' }
  const reply = await request(`${url}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: reply.statusCode, headers: reply.headers, text: await reply.body.text() }
}

for (const policy of ['priority', 'weighted'])
  test(`one of two upstreams dies under load, and no request of the official client fails (${policy})`, async () => {
    const [east, west] = await Promise.all([startUpstream(), startUpstream()])
    await using product = await startProduct({
      yaml: settings(east.baseUrl, west.baseUrl, { policy }),
      env: { UPSTREAM_KEY: east.key },
    })
    const client = new OpenAI({ apiKey: product.key, baseURL: `${product.url}/v1` }) // its default retries
    const failed: unknown[] = []
    let asked = 0
    let isOver = false
    const worker = async (number: number) => {
      while (!isOver) {
        const seed = asked++
        try {
          if (number % 2 === 0) await client.chat.completions.create({ model: 'team-chat', messages, seed })
          else {
            const stream = await client.chat.completions.create({ model: 'team-chat', messages, seed, stream: true })
            let finish: string | null = null
            for await (const { choices } of stream) finish = choices[0]?.finish_reason ?? finish
            assert.equal(finish, 'stop')
          }
        } catch (error) {
          failed.push(error)
        }
      }
    }
    const workers = Array.from({ length: 16 }, (_, number) => worker(number))
    while (asked < 150) await pause(5)
    await east.close() // in the middle of it
    const { length: before } = west.requests
    while (asked < 450) await pause(5)
    isOver = true
    await Promise.all(workers)
    await west.close()
    assert.ok(east.requests.length > 0 && west.requests.length - before > 200)
    const cut = failed.filter(error => !(error instanceof OpenAI.APIError && /ended its reply/.test(error.message)))
    assert.deepEqual(cut.map(String), [])
    // A stream that was being read when its upstream died cannot be asked for again: that is for the reader to do.
    assert.ok(failed.length - cut.length <= 8, `${failed.length}`)
    await product.stop()
  })

test('who answered, after how many attempts, is told to those who ask, in replies, streams and refusals', async () => {
  const [east, west] = [await hostileUpstream(jsonAnswer(500, {})), await startUpstream()]
  await using product = await startProduct({
    yaml: settings(`${east.origin}/v1`, west.baseUrl, {
      more: ', first_byte_timeout_ms: 300, headers: { x-team: blue }, body: { service_tier: flex }',
    }),
    env: { UPSTREAM_KEY: west.key },
  })
  const { url, key } = product
  for (const [place, script] of [jsonAnswer(500, {}), silence].entries()) {
    east.script = script
    const stream = place === 1
    const reply = await explaining(url, key, { model: 'team-chat', messages, stream })
    assert.equal(reply.status, 200)
    assert.deepEqual([reply.headers['x-parlance-upstream'], reply.headers['x-parlance-attempts']], ['west', '2'])
    assert.match(reply.text, new RegExp(`"model":"${upstreamModels.chat}"`))
  }
  const [first] = east.received
  assert.deepEqual([first?.headers['x-team'], JSON.parse(first?.body ?? '').service_tier], ['blue', 'flex'])
  east.script = jsonAnswer(400, { error: { message: 'Bad.', type: 'invalid_request_error' } })
  const refused = await explaining(url, key, { model: 'team-chat', messages })
  assert.equal(refused.status, 400)
  assert.deepEqual([refused.headers['x-parlance-upstream'], refused.headers['x-parlance-attempts']], ['east', '1'])
  const { headers } = await new OpenAI({ apiKey: key, baseURL: `${url}/v1` }).chat.completions
    .create({ model: 'team-chat', messages })
    .asResponse()
    .catch((error: InstanceType<typeof OpenAI.APIError>) => error)
  assert.equal(headers?.get('x-parlance-upstream'), null)
  const lines = product.printed().stderr.split('\n')
  const attempts = lines.filter(line => line.includes('"upstream.attempt"')).map(line => JSON.parse(line))
  assert.ok(attempts.every(({ requestId, target }) => /^req_/.test(requestId) && /^(?:east|west)\//.test(target)))
  assert.deepEqual(
    attempts.slice(0, 2).map(({ target, outcome, attempt }) => [target, outcome, attempt]),
    [
      [`east/${upstreamModels.chat}`, 'upstream_failed', 1],
      [`west/${upstreamModels.chat}`, 'ok', 2],
    ],
  )
  await Promise.all([east.close(), west.close()])
  await product.stop()
})

test('a model with one upstream tells the way too, the log tells each attempt, and embeddings travel together', async () => {
  const [east, west] = [await hostileUpstream(jsonAnswer(500, {})), await startUpstream()]
  const { chat, embed } = upstreamModels
  const joined = `upstreams:\n  joined: { base_url: ${west.baseUrl}, api_key: "\${UPSTREAM_KEY}", embeddings: { wait_ms: 300 } }\n`
  await using product = await startProduct({
    yaml: `log_requests: true${settings(`${east.origin}/v1`, west.baseUrl)}
  direct: { upstream: west, name: ${chat}, price: { input: 1, output: 2 } }
  vectors: { upstream: joined, name: ${embed}, price: { input: 1 } }
`.replace('upstreams:\n', () => joined),
    env: { UPSTREAM_KEY: west.key },
  })
  const { url, key } = product
  for (const stream of [false, true]) {
    const { status, headers } = await explaining(url, key, { model: 'direct', messages, stream })
    assert.deepEqual([status, headers['x-parlance-upstream'], headers['x-parlance-attempts']], [200, 'west', '1'])
  }
  const local = await explaining(url, key, { model: 'parlance-tiny-1', messages, max_tokens: 1 })
  assert.equal(local.headers['x-parlance-upstream'], undefined)
  await explaining(url, key, { model: 'team-chat', messages })
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` })
  const inputs = ['one', ['two', 'three'], 'four']
  const before = west.requests.length
  const lists = await Promise.all(inputs.map(input => client.embeddings.create({ model: 'vectors', input })))
  assert.equal(west.requests.length - before, 1)
  assert.deepEqual(
    lists.map(({ data, usage }) => [data.length, usage.prompt_tokens]),
    [
      [1, 1],
      [2, 2],
      [1, 1],
    ],
  )
  await Promise.all([east.close(), west.close()])
  await product.stop()
  const { stderr } = product.printed()
  const lines = stderr.split('\n').filter(line => line.includes('"event":"request"'))
  const attempts = lines.map(line => JSON.parse(line).attempts)
  const one = (name: string) => [[name, 'ok', undefined]]
  const failedOver = [['east', 'upstream_failed', 502], ...one('west')]
  assert.deepEqual(
    attempts.map((tried?: Record<string, unknown>[]) =>
      tried?.map(({ upstream, outcome, status }) => [upstream, outcome, status]),
    ),
    [one('west'), one('west'), undefined, failedOver, one('joined'), one('joined'), one('joined')],
  )
})

test('a client who leaves is gone from the upstream within 100 ms, and the next one is not asked', async () => {
  const [east, west] = [await hostileUpstream(silence), await startUpstream()]
  await using product = await startProduct({
    yaml: settings(`${east.origin}/v1`, west.baseUrl),
    env: { UPSTREAM_KEY: west.key },
  })
  const client = new OpenAI({ apiKey: product.key, baseURL: `${product.url}/v1` })
  const tookMs: number[] = []
  for (let round = 0; round < 5; round++) {
    const leaving = new AbortController()
    const asking = client.chat.completions
      .create({ model: 'team-chat', messages, stream: round % 2 === 0 }, { signal: leaving.signal })
      .then(
        () => assert.fail('It was answered.'),
        (error: unknown) => assert.ok(error instanceof OpenAI.APIUserAbortError),
      )
    const received = await east.request(round)
    const leftMs = performance.now()
    leaving.abort()
    tookMs.push((await received.closed) - leftMs)
    await asking
  }
  assert.ok(median(tookMs) < 100, `${tookMs}`)
  assert.equal(west.requests.length, 0)
  await Promise.all([east.close(), west.close()])
  await product.stop()
})
