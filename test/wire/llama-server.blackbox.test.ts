import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { bytesOf, stored, tinyAdapter, tinyModel } from '../models/make.ts'
import { plainImage, tinyProjector } from '../models/projector.ts'
import { type FakeLlamaServer, fakeLlamaServer } from '../support/fake-llama-server.ts'
import { type Product, startProduct } from '../support/product.ts'

/** A model behind llama-server as a caller sees it; the server itself is a stand-in that says `ok`. */
describe('a model of llama-server', { timeout: 60_000 }, () => {
  let server: FakeLlamaServer
  let product: Product
  before(async () => {
    server = await fakeLlamaServer()
    const [file, mmproj, adapter] = await Promise.all(
      [tinyModel(), tinyProjector(), tinyAdapter()].map(source => stored(bytesOf(source))),
    )
    product = await startProduct({
      yaml: `models:
  eyes: { file: ${file}, engine: llama-server, mmproj: ${mmproj}, adapters: [${adapter}], context: 1024 }
  blind: { file: ${file}, engine: llama-server, context: 1024 }
`,
      env: { LLAMA_SERVER_BIN: server.binary },
    })
  })
  after(async () => {
    await product[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function ask(body: object) {
    const { statusCode, body: answer } = await request(`${product.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${product.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: statusCode, body: JSON.parse(await answer.text()) }
  }
  const shown = (url: string) => [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url } },
      ],
    },
  ]

  test('answers to an image, and says what it cost', async () => {
    const { status, body } = await ask({ model: 'eyes', messages: shown(plainImage([0, 255, 0])) })
    assert.equal(status, 200, JSON.stringify(body))
    const [choice] = body.choices
    assert.deepEqual(choice.message, { role: 'assistant', content: 'ok', refusal: null })
    assert.deepEqual([choice.finish_reason, choice.logprobs], ['stop', null])
    assert.deepEqual([body.model, body.usage.prompt_tokens, body.usage.completion_tokens], ['eyes', 10, 4])
    assert.match(body.id, /^chatcmpl-/)
  })

  test('refuses an address, and names its place', async () => {
    const { status, body } = await ask({ model: 'eyes', messages: shown('http://127.0.0.1:1/a.png') })
    assert.equal(status, 400)
    assert.deepEqual([body.error.param, body.error.code], ['messages[0].content[1].image_url.url', 'unsupported_value'])
  })

  test('refuses an image where it cannot see, and names the part', async () => {
    const { status, body } = await ask({ model: 'blind', messages: shown(plainImage([0, 255, 0])) })
    assert.equal(status, 400)
    assert.deepEqual([body.error.param, body.error.code], ['messages[0].content[1].type', 'unsupported_value'])
  })

  test('takes adapters by request where there are some, and nowhere else', async () => {
    const poetic = { messages: [{ role: 'user', content: 'Hi' }], lora: [{ id: 0, scale: 0.5 }] }
    assert.equal((await ask({ model: 'eyes', ...poetic })).status, 200)
    assert.deepEqual((await server.requests()).at(-1)?.body.lora, [{ id: 0, scale: 0.5 }])
    const { status, body } = await ask({ model: 'blind', ...poetic })
    assert.deepEqual([status, body.error.param, body.error.code], [400, 'lora', 'unknown_parameter'])
  })

  test('ends with a product that is killed', async () => {
    assert.equal((await ask({ model: 'eyes', messages: [{ role: 'user', content: 'die' }] })).status, 500)
    assert.equal((await ask({ model: 'eyes', messages: [{ role: 'user', content: 'Hi' }] })).status, 200)
    const pids = (await server.starts()).map(({ pid }) => pid)
    process.kill(product.pid, 'SIGKILL')
    const until = performance.now() + 10_000
    const lives = (pid: number) => {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    }
    while (pids.some(lives) && performance.now() < until) await new Promise(resolve => setImmediate(resolve))
    assert.ok(!pids.some(lives))
  })
})
