import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { Agent, request } from 'undici'
import { residentBytes } from '../../src/lib/memory.ts'
import { usualFileBytesMax } from '../../src/platform/files/index.ts'
import { type Product, startProduct } from '../support/product.ts'

const mebibyte = 1_048_576
const boundary = 'a-boundary'
/** Pieces of it look like the beginning of a boundary, and it is no multiple of what sockets and disks like. */
const block = Buffer.concat([
  randomBytes(50_021),
  Buffer.from('\r\n--a-boundar\r'),
  randomBytes(49_999),
  Buffer.from('\r'),
])

/** A file of that size, made as it is asked for. */
function* content(sizeBytes: number): Generator<Buffer> {
  for (let left = sizeBytes; left > 0; left -= block.length) yield block.subarray(0, left)
}

const skip = process.platform === 'linux' ? false : 'the memory of another process is read from /proc'

describe('a file of 512 MiB', { timeout: 180_000, skip }, () => {
  let product: Product
  let agent: Agent
  const headers = () => ({ authorization: `Bearer ${product.key}` })
  before(async () => {
    product = await startProduct()
    agent = new Agent()
    for (let count = 0; count < 10; count++) await download(await upload(mebibyte))
  })
  after(async () => {
    await agent?.destroy()
    await product?.stop()
  })

  async function upload(sizeBytes: number): Promise<string> {
    async function* form(): AsyncGenerator<Buffer> {
      const part = (head: string) => `--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n\r\n`
      yield Buffer.from(`${part('name="purpose"')}user_data\r\n${part('name="file"; filename="large.bin"')}`)
      yield* content(sizeBytes)
      yield Buffer.from(`\r\n--${boundary}--\r\n`)
    }
    const answer = await request(`${product.url}/v1/files`, {
      method: 'POST',
      dispatcher: agent,
      headers: { ...headers(), 'content-type': `multipart/form-data; boundary=${boundary}` },
      body: Readable.from(form()),
      headersTimeout: 0,
    })
    const file = (await answer.body.json()) as { id: string; bytes: number }
    assert.deepEqual([answer.statusCode, file.bytes], [200, sizeBytes])
    return file.id
  }

  /** @returns the SHA-256 of what came */
  async function download(id: string): Promise<string> {
    const answer = await request(`${product.url}/v1/files/${id}/content`, { dispatcher: agent, headers: headers() })
    assert.equal(answer.statusCode, 200)
    const hash = createHash('sha256')
    for await (const piece of answer.body) hash.update(piece)
    return hash.digest('hex')
  }

  /** @returns what the work added to the server's memory at most, in MiB, and how others were answered meanwhile */
  async function watched<Result>(work: Promise<Result>) {
    const beforeBytes = residentBytes(product.pid)!
    let peakBytes = beforeBytes
    let slowestMs = 0
    let answered = 0
    let running = true
    const timer = setInterval(() => {
      peakBytes = Math.max(peakBytes, residentBytes(product.pid)!)
    }, 10)
    const ending = work.finally(() => {
      running = false
    })
    try {
      while (running) {
        const startedMs = performance.now()
        const answer = await request(`${product.url}/v1/files?limit=1`, { dispatcher: agent, headers: headers() })
        assert.equal(answer.statusCode, 200)
        await answer.body.dump()
        slowestMs = Math.max(slowestMs, performance.now() - startedMs)
        answered++
      }
      return { result: await ending, addedMib: (peakBytes - beforeBytes) / mebibyte, slowestMs, answered }
    } finally {
      clearInterval(timer)
    }
  }

  test('comes and goes with less than 60 MiB of memory, and others are answered meanwhile', async t => {
    const coming = await watched(upload(usualFileBytesMax))
    const going = await watched(download(coming.result))
    for (const [name, { addedMib, slowestMs, answered }] of Object.entries({ coming, going }))
      t.diagnostic(
        `${name}: ${addedMib.toFixed(1)} MiB, ${answered} others answered, at most ${slowestMs.toFixed(0)} ms`,
      )
    const hash = createHash('sha256')
    for (const piece of content(usualFileBytesMax)) hash.update(piece)
    assert.equal(going.result, hash.digest('hex'))
    assert.ok(coming.addedMib < 60, `the upload added ${coming.addedMib} MiB`)
    assert.ok(going.addedMib < 20, `the download added ${going.addedMib} MiB`)
    for (const { answered, slowestMs } of [coming, going]) {
      assert.ok(answered > 20, `${answered} were answered`)
      assert.ok(slowestMs < 1000, `one waited ${slowestMs} ms`)
    }
  })
})
