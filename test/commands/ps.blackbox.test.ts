import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import OpenAI from 'openai'
import { bytesOf, stored, tinyModel } from '../models/make.ts'
import { errorOf } from '../support/errors.ts'
import { type Product, runCommand, startProduct } from '../support/product.ts'
import { ask, encode, openWire } from '../support/socket.ts'

/** A model of these tests takes about 120 MB, nearly all of it the program: one fits, two do not. */
const forOneModel = '160000000'

const yaml = async ({ more = '' }: { more?: string } = {}) => {
  const [one, two] = await Promise.all([7, 8].map(seed => stored(bytesOf(tinyModel({ seed })))))
  return `models:
  one: { file: ${JSON.stringify(one)}, context: 4096${more} }
  two: { file: ${JSON.stringify(two)}, context: 4096 }
`
}

interface Loaded {
  id: string
  state: string
  size_bytes: number
  estimated_bytes: number | null
  loaded_at: number | null
  last_used_at: number | null
  expires_at: number | null
  running: number
  queued: number
}

/** What the server and its command say of the models. */
function asked(product: Product) {
  const send = (method: string, path: string, headers = { authorization: `Bearer ${product.key}` }) =>
    ask(product.port, { method, path: `/v1/parlance/models/${path}`, headers })
  return {
    send,
    async loaded() {
      const { status, body } = await send('GET', 'loaded')
      assert.equal(status, 200, body.toString())
      const list = JSON.parse(body.toString()) as { data: Loaded[]; memory_bytes: number; used_bytes: number }
      return { ...list, of: (name: string) => list.data.find(({ id }) => id === name) }
    },
    ps: (...args: string[]) => runCommand(['ps', ...args], { PARLANCE_DATA_DIR: product.dataDir }),
  }
}

describe('models that share a small memory', { timeout: 120_000 }, () => {
  let product: Product
  let client: OpenAI
  before(async () => {
    product = await startProduct({ yaml: await yaml(), env: { PARLANCE_MODEL_MEMORY_BYTES: forOneModel } })
    client = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: product.key, maxRetries: 0 })
  })
  after(() => product.stop())

  const messages = [{ role: 'user' as const, content: 'Hi' }]
  const chat = (model: string) => client.chat.completions.create({ model, messages, max_tokens: 3, temperature: 0 })
  const stream = (model: string) =>
    encode({
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${product.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages, max_tokens: 3000, n: 4, temperature: 0, stream: true }),
    })

  test('nothing is loaded before somebody asks', async () => {
    const { ps, loaded } = asked(product)
    assert.deepEqual((await loaded()).data, [])
    const { code, stdout } = await ps()
    assert.deepEqual([code, stdout], [0, 'NAME  STATE  SIZE  LOADED  UNTIL  RUNNING  QUEUED\n'])
  })

  test('the official client talks to two models in turns, of which only one is in memory', async () => {
    const { loaded } = asked(product)
    for (const [name, other] of [
      ['one', 'two'],
      ['two', 'one'],
      ['one', 'two'],
    ] as const) {
      const reply = await chat(name)
      assert.equal(reply.model, name)
      assert.equal(reply.usage?.completion_tokens, 3)
      const { of, memory_bytes, used_bytes } = await loaded()
      assert.equal(of(name)?.state, 'ready')
      assert.notEqual(of(other)?.state, 'ready')
      assert.equal(memory_bytes, Number(forOneModel))
      assert.ok(used_bytes > 0 && used_bytes < memory_bytes, `${used_bytes}`)
    }
    const { of } = await loaded()
    const [one, two] = [of('one'), of('two')]
    assert.ok(one !== undefined && two !== undefined)
    const nowSeconds = Date.now() / 1000
    for (const at of [one.loaded_at, one.last_used_at]) assert.ok(at !== null && Math.abs(nowSeconds - at) < 60)
    assert.ok(one.expires_at !== null && Math.abs(nowSeconds + 600 - one.expires_at) < 60)
    assert.ok(Math.abs((one.estimated_bytes ?? 0) / one.size_bytes - 1) < 0.5)
    const { size_bytes, loaded_at, expires_at, running, queued } = two
    assert.deepEqual(
      { size_bytes, loaded_at, expires_at, running, queued },
      {
        size_bytes: 0,
        loaded_at: null,
        expires_at: null,
        running: 0,
        queued: 0,
      },
    )
  })

  test('many requests at once for both are all answered', async () => {
    const replies = await Promise.all(['one', 'two', 'one', 'two', 'one', 'two'].map(chat))
    assert.deepEqual(
      replies.map(({ usage }) => usage?.completion_tokens),
      replies.map(() => 3),
    )
  })

  test('`parlance ps` shows it without a key, for people and for programs', async () => {
    const { ps } = asked(product)
    await chat('one')
    const { code, stdout, stderr } = await ps()
    assert.equal(code, 0)
    assert.match(stdout, /^one +ready +\d+\.\d MB +\d+ s ago +in 9 min +0 +0$/m)
    assert.match(stdout, /^two +idle +0 +0$/m)
    assert.match(stderr, /^\d+\.\d MB of 160\.0 MB for models are in use\.\n$/)
    const json = JSON.parse((await ps('--json')).stdout) as Loaded[]
    assert.deepEqual(json.map(({ id, state }) => `${id} ${state}`).sort(), ['one ready', 'two idle'])
  })

  test('a model is loaded and unloaded by hand, but not under a running request', async () => {
    const { send, loaded } = asked(product)
    const done = async (path: string) => {
      const { status, body } = await send('POST', path)
      assert.equal(status, 200, body.toString())
      return (JSON.parse(body.toString()) as Loaded).state
    }
    assert.equal(await done('two/load'), 'ready')
    assert.equal((await loaded()).of('one')?.state, 'idle')
    assert.equal(await done('two/unload'), 'idle')
    assert.equal(await done('two/unload'), 'idle')
    {
      using wire = await openWire(product.port)
      wire.write(stream('one'))
      while ((await loaded()).of('one')?.running !== 1) await turn()
      const refused = await send('POST', 'one/unload')
      assert.equal(refused.status, 409)
      assert.equal(refused.header('x-should-retry'), 'false')
      assert.equal(errorOf(refused).code, 'model_busy')
    }
    while ((await loaded()).of('one')?.running !== 0) await turn()
    assert.equal(await done('one/unload'), 'idle')
  })

  for (const [name, path, status, code] of [
    ['a model that does not exist', 'none/load', 404, 'model_not_found'],
    ['a model that takes no memory to give back', 'parlance-embed-1/unload', 400, 'model_not_supported'],
  ] as const)
    test(`${name} is a ${status}`, async () => {
      const reply = await asked(product).send('POST', path)
      assert.deepEqual([reply.status, errorOf(reply).code], [status, code])
    })

  test('the operator’s secret is in a file of its own, and is no key for what comes through a proxy', async () => {
    const file = join(product.dataDir, 'control.json')
    const { url, secret } = JSON.parse(await readFile(file, 'utf8'))
    assert.equal(url, product.url)
    if (process.platform !== 'win32') assert.equal((await stat(file)).mode & 0o777, 0o600)
    const { send } = asked(product)
    const right = { authorization: `Bearer ${secret}` }
    assert.equal((await send('GET', 'loaded', right)).status, 200)
    for (const headers of [{ authorization: `Bearer ${secret}x` }, { ...right, 'x-forwarded-for': '192.0.2.1' }])
      assert.equal((await send('GET', 'loaded', headers)).status, 401)
  })
})

describe('models that come and go', { timeout: 120_000 }, () => {
  test('a model that nobody asks for goes after its own time, and comes back', async () => {
    await using product = await startProduct({ yaml: await yaml({ more: ', idle_ms: 1' }) })
    const client = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: product.key, maxRetries: 0 })
    const { loaded } = asked(product)
    for (const model of ['two', 'one', 'one']) {
      await client.completions.create({ model, prompt: 'Hi', max_tokens: 1 })
      while (model === 'one' && (await loaded()).of('one')?.state !== 'idle') await turn()
    }
    assert.equal((await loaded()).of('two')?.state, 'ready')
    assert.match(product.printed().stderr, /"event":"model\.unloaded","model":"one","why":"idle"/)
    await product.stop()
  })

  test('a model that is too large for the setting is refused with both numbers, and the server goes on', async () => {
    const env = { PARLANCE_MODEL_MEMORY_BYTES: '50000000' }
    await using product = await startProduct({ yaml: await yaml(), env })
    const client = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: product.key })
    await assert.rejects(client.completions.create({ model: 'one', prompt: 'Hi' }), (error: unknown) => {
      assert.ok(error instanceof OpenAI.APIError)
      assert.deepEqual([error.status, error.code], [500, 'model_too_large'])
      assert.match(error.message, /'one' needs 1\d\d\.\d MB of memory.* 50\.0 MB\..*`model_memory_bytes`/)
      return true
    })
    assert.equal((await client.embeddings.create({ model: 'parlance-embed-1', input: 'Hi' })).data.length, 1)
    await product.stop()
  })

  test('SIGTERM while a model loads lets its request end, and then nothing tells of a server', async () => {
    await using product = await startProduct({ yaml: await yaml() })
    const { ps } = asked(product)
    const client = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: product.key, maxRetries: 0 })
    const { loaded } = asked(product)
    const reply = client.completions.create({ model: 'one', prompt: 'Hi', max_tokens: 2 })
    while ((await loaded()).of('one')?.state !== 'loading') await turn()
    const stopped = product.stop(async () => {
      const { code, stdout, stderr } = await ps('--json')
      assert.deepEqual([code, stdout], [0, '[]\n'])
      assert.match(stderr, /^No server runs on the data folder /)
    })
    assert.equal((await reply).usage?.completion_tokens, 2)
    await stopped
  })

  test('a server that was killed is none for `ps`', async () => {
    await using product = await startProduct()
    process.kill(product.pid, 'SIGKILL')
    while (await ask(product.port, { method: 'GET', path: '/health' }).catch(() => undefined)) await turn()
    const { code, stdout, stderr } = await asked(product).ps()
    assert.deepEqual([code, stdout], [0, 'NAME  STATE  SIZE  LOADED  UNTIL  RUNNING  QUEUED\n'])
    assert.match(stderr, /^No server runs/)
  })
})
