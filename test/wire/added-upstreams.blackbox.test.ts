import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import OpenAI, { APIError } from 'openai'
import { Agent, request } from 'undici'
import { type Product, startProduct } from '../support/product.ts'

const keys = { first: 'sk-first-Zt5Qw8Rn2Lp7Xc4V', second: 'sk-second-Hb3Kd9Mf6Gs1Jy7T' } as const
const header = 'team-header-Ua2Ve5Wi8Xo1'
const secretKeys = { a: Buffer.alloc(32, 1).toString('base64'), b: Buffer.alloc(32, 2).toString('base64') } as const

/** A server that takes the keys of the moment, and whose streams end when the test says so. */
async function startServer() {
  const accepted = new Set<string>([keys.first])
  const seen: { authorization: string | undefined; header: string | undefined }[] = []
  const held: (() => void)[] = []
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST') return response.writeHead(404).end()
    const body = (await json(request)) as { model: string; stream?: boolean }
    const { authorization } = request.headers
    seen.push({ authorization, header: [request.headers['x-team']].flat()[0] })
    if (!accepted.has(authorization?.replace('Bearer ', '') ?? ''))
      return response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":{"message":"wrong key"}}')
    const about = { id: 'chatcmpl-1', created: 1, model: body.model }
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }
    if (body.stream !== true) {
      const choices = [{ index: 0, message: { role: 'assistant', content: 'one two' }, finish_reason: 'stop' }]
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ ...about, object: 'chat.completion', choices, usage }))
    }
    const event = (delta: object, finish: string | null = null) => {
      const choices = [{ index: 0, delta, finish_reason: finish }]
      response.write(`data: ${JSON.stringify({ ...about, object: 'chat.completion.chunk', choices })}\n\n`)
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    event({ role: 'assistant', content: 'one' })
    await new Promise<void>(resolve => held.push(resolve))
    event({ content: ' two' })
    event({}, 'stop')
    response.write(`data: ${JSON.stringify({ ...about, object: 'chat.completion.chunk', choices: [], usage })}\n\n`)
    return response.end('data: [DONE]\n\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    accepted,
    seen,
    release() {
      for (const resolve of held.splice(0)) resolve()
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

describe('upstreams and routes that are added to a running server', { timeout: 240_000 }, () => {
  let server: Awaited<ReturnType<typeof startServer>>
  let dataDir: string
  let discard: (() => Promise<void>) | undefined
  let product: Product
  let client: OpenAI
  const agent = new Agent()
  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parlance-added-'))
    discard = () => rm(folder, { recursive: true })
    dataDir = folder
    server = await startServer()
    await start()
  })
  after(async () => {
    await product?.[Symbol.asyncDispose]()
    await server?.close()
    await agent.close()
    await discard?.()
  })

  async function start(env: Record<string, string> = {}): Promise<void> {
    product = await startProduct({ env: { PARLANCE_DATA_DIR: dataDir, ...env } })
    client = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: product.key, maxRetries: 0 })
  }
  const ask = async (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object, key?: string) => {
    const control = JSON.parse(await readFile(join(dataDir, 'control.json'), 'utf8')) as { secret: string }
    const reply = await request(`${product.url}/v1/parlance/${path}`, {
      method,
      dispatcher: agent,
      headers: { authorization: `Bearer ${key ?? control.secret}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await reply.body.text()
    for (const secret of [...Object.values(keys), header]) assert.ok(!text.includes(secret), `${path}: ${text}`)
    // biome-ignore lint/suspicious/noExplicitAny: replies are read here as tests like
    return { status: reply.statusCode, body: JSON.parse(text) as any }
  }
  const does = async (...asked: Parameters<typeof ask>) => {
    const { status, body } = await ask(...asked)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
  const chat = async (model = 'team') => {
    const reply = await client.chat.completions.create({ model, messages: [{ role: 'user', content: 'Hi' }] })
    return reply.choices[0]?.message.content
  }
  const refused = (status: number) => (error: unknown) => {
    assert.ok(error instanceof APIError, String(error))
    assert.equal(error.status, status, error.message)
    return true
  }

  test('whoever is not the operator of this machine is sent away', async () => {
    for (const path of ['upstreams', 'routes', 'upstreams/x', 'routes/x']) {
      assert.equal((await ask('GET', path, undefined, 'sk-wrong')).status, 401)
      assert.equal((await ask('GET', path, undefined, product.key)).status, 403)
    }
  })

  test('a client chats through a route as soon as it is added', async () => {
    await assert.rejects(chat(), refused(404))
    await does('POST', 'upstreams', { name: 'east', base_url: server.baseUrl, api_key: keys.first })
    const targets = [{ upstream: 'east', name: 'gpt-there', headers: { 'x-team': header } }]
    await does('POST', 'routes', { model: 'team', targets, price: { input: 1, output: 2 } })
    assert.equal(await chat(), 'one two')
    assert.deepEqual(server.seen.at(-1), { authorization: `Bearer ${keys.first}`, header })
    assert.ok((await client.models.list()).data.some(({ id, owned_by: owner }) => id === 'team' && owner === 'east'))
    assert.equal((await does('GET', 'upstreams/east')).health.state, 'ready')
  })

  test('a key is rotated while a stream runs: it ends as it began, and the next request has the new key', async () => {
    const stream = await client.chat.completions.create({
      model: 'team',
      messages: [{ role: 'user', content: 'Hi' }],
      stream: true,
    })
    const chunks = stream[Symbol.asyncIterator]()
    let text = (await chunks.next()).value?.choices[0]?.delta.content ?? ''
    server.accepted.clear()
    server.accepted.add(keys.second)
    await does('POST', 'upstreams/east', { api_key: keys.second })
    assert.equal(await chat(), 'one two')
    assert.equal(server.seen.at(-1)?.authorization, `Bearer ${keys.second}`)
    server.release()
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
      text += next.value.choices[0]?.delta.content ?? ''
    assert.equal(text, 'one two')
  })

  test('after a kill without warning everything that was answered is still there', async () => {
    await does('POST', 'routes', { model: 'second', upstream: 'east', price: { input: 0 } })
    process.kill(product.pid, 'SIGKILL')
    await product[Symbol.asyncDispose]()
    await start()
    assert.deepEqual([await chat(), await chat('second')], ['one two', 'one two'])
    assert.equal(server.seen.at(-1)?.authorization, `Bearer ${keys.second}`)
  })

  test('no byte of a secret lies in the folder, and the key file is its owner’s alone', async () => {
    const files = (await readdir(dataDir, { recursive: true, withFileTypes: true })).filter(file => file.isFile())
    const paths = files.map(file => join(file.parentPath, file.name))
    assert.ok(paths.some(path => path.endsWith('-wal')) && paths.some(path => path.endsWith('secret.key')), `${paths}`)
    for (const path of paths) {
      const bytes = await readFile(path)
      for (const secret of [...Object.values(keys), header])
        for (const form of [
          secret,
          Buffer.from(secret)
            .toString('base64')
            .replace(/.{2}=*$/, ''),
        ])
          assert.equal(bytes.indexOf(form), -1, `${path} holds a secret`)
    }
    assert.equal((await stat(join(dataDir, 'secret.key'))).mode & 0o777, 0o600)
    const { stdout, stderr } = product.printed()
    for (const secret of [...Object.values(keys), header]) assert.ok(!`${stdout}${stderr}`.includes(secret))
  })

  test('a key of the settings takes the place of the file, and with a wrong one the server says so and serves', async () => {
    await product.stop()
    await start({ PARLANCE_SECRET_KEY: secretKeys.a })
    assert.equal(await chat(), 'one two', 'what the file had encrypted is read, and encrypted anew')
    await product.stop()

    await start({ PARLANCE_SECRET_KEY: secretKeys.b })
    const east = await does('GET', 'upstreams/east')
    assert.deepEqual([east.health.state, east.api_key], ['failed', 'sk-…Jy7T'])
    assert.match(east.health.detail, /another key/)
    assert.match((await does('GET', 'routes/team')).problem, /another key/)
    const before = server.seen.length
    for (const model of ['team', 'second']) await assert.rejects(chat(model), refused(503))
    assert.equal(server.seen.length, before, 'nothing is sent without its key')
    assert.equal((await ask('POST', 'upstreams/east', { expose: 'none' })).status, 409)
    await product.stop()

    await start({ PARLANCE_SECRET_KEY: secretKeys.b, PARLANCE_SECRET_KEYS_OLD: secretKeys.a })
    assert.equal(await chat(), 'one two')
    await product.stop()
    await start({ PARLANCE_SECRET_KEY: secretKeys.b })
    assert.equal(await chat(), 'one two', 'the old key is needed no more')
  })

  test('a route that is deleted is 404 at once and after a restart, and only then its upstream can go', async () => {
    assert.equal((await ask('DELETE', 'upstreams/east')).status, 409)
    for (const model of ['team', 'second']) await does('DELETE', `routes/${model}`)
    await assert.rejects(chat(), refused(404))
    await does('DELETE', 'upstreams/east')
    await product.stop()
    await start({ PARLANCE_SECRET_KEY: secretKeys.b })
    await assert.rejects(chat(), refused(404))
    assert.deepEqual((await does('GET', 'upstreams')).data, [])
    assert.deepEqual((await does('GET', 'routes')).data, [])
  })

  test('a secret key that is none stops the start with words that help', async () => {
    await product.stop()
    await assert.rejects(start({ PARLANCE_SECRET_KEY: 'much too short' }), (error: unknown) => {
      assert.ok(error instanceof Error && /secret_key/.test(error.message), String(error))
      return !error.message.includes('much too short')
    })
  })
})
