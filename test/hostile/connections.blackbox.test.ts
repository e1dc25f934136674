/** The started product, whose upstreams stand behind a proxy and speak TLS of the house. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { certificateFile, passphrase, pem, serverWith } from '../support/certificates/index.ts'
import { startProduct } from '../support/product.ts'
import { startProxy } from '../support/proxy.ts'
import { completion, goodEvents, jsonAnswer, silence, stream, streamThenSilence } from './scripts.ts'
import { hostileUpstream } from './upstream.ts'

const messages = [{ role: 'user' as const, content: 'Hello there' }]
const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!
const upstreamKey = 'sk-upstream-canary-of-the-house'

const settings = (port: number, more = '') => `
log_requests: true
upstreams:
  house:
    base_url: https://upstream.test:${port}/v1
    api_key: "\${UPSTREAM_KEY}"
    ca_file: ${certificateFile('ca')}
    cert_file: ${certificateFile('client')}
    key_file: ${certificateFile('client-key-encrypted')}
    key_passphrase: "\${KEY_PASSPHRASE}"${more}
models:
  team-chat: { upstream: house, price: { input: 1, output: 2 } }
`

/** An upstream that demands a certificate, and a proxy that demands a password. */
async function house() {
  const demanding = { ...serverWith('server'), ca: pem('ca'), requestCert: true, rejectUnauthorized: true }
  const upstream = await hostileUpstream(jsonAnswer(200, completion), demanding)
  const proxy = await startProxy()
  proxy.credentials = `Basic ${Buffer.from('me:canary-password').toString('base64')}`
  const env = {
    UPSTREAM_KEY: upstreamKey,
    KEY_PASSPHRASE: passphrase,
    HTTPS_PROXY: proxy.url.replace('//', '//me:canary-password@'),
  }
  return {
    ...{ upstream, proxy, env },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await upstream.close()
    },
  }
}

test('HTTPS_PROXY, an authority of the house and a certificate for the upstream work together, and no secret is printed', async () => {
  await using there = await house()
  const { upstream, proxy, env } = there
  await using product = await startProduct({ yaml: settings(upstream.port), env })
  const client = new OpenAI({ apiKey: product.key, baseURL: `${product.url}/v1`, maxRetries: 0 })
  const reply = await client.chat.completions.create({ model: 'team-chat', messages })
  assert.equal(reply.choices[0]?.message.content, 'Hello')
  upstream.script = stream(goodEvents)
  let text = ''
  for await (const { choices } of await client.chat.completions.create({ model: 'team-chat', messages, stream: true }))
    text += choices[0]?.delta.content ?? ''
  assert.equal(text, 'Hello wörld')
  assert.equal(upstream.received[0]?.headers.authorization, `Bearer ${upstreamKey}`)
  assert.ok(
    proxy.asked.every(({ method, target }) => `${method} ${target}` === `CONNECT upstream.test:${upstream.port}`),
  )
  proxy.credentials = 'Basic c29tZTpib2R5'
  proxy.breakAll()
  await assert.rejects(client.chat.completions.create({ model: 'team-chat', messages }), {
    status: 502,
    code: 'upstream_unreachable',
  })
  await proxy[Symbol.asyncDispose]()
  await assert.rejects(client.chat.completions.create({ model: 'team-chat', messages }), { status: 502 })
  await product.stop()
  const { stdout, stderr } = product.printed()
  for (const secret of ['canary', Buffer.from('canary-password').toString('base64').slice(0, 12), passphrase])
    assert.ok(!(stdout + stderr).includes(secret), secret)
})

test('a client who leaves is gone from the upstream within 100 ms, through a proxy and TLS', async () => {
  await using there = await house()
  const { upstream, env } = there
  await using product = await startProduct({ yaml: settings(upstream.port), env })
  const client = new OpenAI({ apiKey: product.key, baseURL: `${product.url}/v1`, maxRetries: 0 })
  const tookMs: number[] = []
  for (let round = 0; round < 9; round++) {
    const isRead = round % 3 === 2
    upstream.script = isRead ? streamThenSilence(goodEvents.slice(0, 2)) : silence
    const leaving = new AbortController()
    const asked = client.chat.completions.create(
      { model: 'team-chat', messages, stream: round % 3 > 0 },
      { signal: leaving.signal },
    )
    const ended = isRead ? undefined : assert.rejects(asked, OpenAI.APIUserAbortError)
    if (isRead) await asked
    const received = await upstream.request(round)
    const leftMs = performance.now()
    leaving.abort()
    tookMs.push((await received.closed) - leftMs)
    await ended
  }
  assert.ok(median(tookMs) < 100, `${tookMs}`)
  await product.stop()
})

test('a file that cannot be read, and a proxy that cannot be used, end the start in words', async () => {
  const start = (more: string, env: Record<string, string> = {}) =>
    startProduct({
      yaml: `upstreams: { house: { base_url: "https://a.test/v1"${more} } }\nmodels: { m: { upstream: house, price: { input: 1 } } }`,
      env,
    })
  await assert.rejects(
    start(', ca_file: certificates/gone.pem'),
    /parlance: `upstreams\.house\.ca_file`: the file \/\S+\/certificates\/gone\.pem cannot be read\. \(ENOENT[^\n]*\n/,
  )
  await assert.rejects(
    start('', { HTTPS_PROXY: 'socks5://me:canary@p.example' }),
    (error: Error) =>
      /parlance: HTTPS_PROXY must be a proxy that speaks http or https/.test(error.message) &&
      !error.message.includes('canary'),
  )
})
