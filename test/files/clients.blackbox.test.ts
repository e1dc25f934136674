import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import OpenAI6, { AzureOpenAI, toFile } from 'openai'
import { Configuration, OpenAIApi } from 'openai-v3'
import OpenAI4 from 'openai-v4'
import OpenAI420 from 'openai-v4-20'
import OpenAI5 from 'openai-v5'
import OpenAI7 from 'openai-v7'
import { conforms } from '../clients/conform.ts'
import type { Era } from '../spec/validate.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Recorder, record } from '../support/recorder.ts'

/** Lines of a fine-tuning file, more than one piece of a stream. */
const content = Array.from({ length: 3000 }, (_, at) => `{"prompt":"question ${at}","completion":"answer"}\n`).join('')

type Purpose = 'fine-tune' | 'assistants'

interface FileLike {
  id: string
  bytes: number
  filename: string
  purpose: string
  status?: string | undefined
}

/** What a program does with files, in the way of its client. */
interface FileClient {
  create(path: string, purpose: Purpose): Promise<FileLike>
  list(): Promise<string[]>
  retrieve(id: string): Promise<FileLike>
  content(id: string): Promise<Buffer>
  delete(id: string): Promise<boolean | undefined>
}

interface At {
  baseURL: string
  apiKey: string
}

/** The part of openai-node that all versions from 4 on share. */
interface NodeFiles {
  create(body: { file: ReturnType<typeof createReadStream>; purpose: Purpose }): PromiseLike<FileLike>
  list(): AsyncIterable<{ id: string }>
  retrieve(id: string): PromiseLike<FileLike>
  content(id: string): PromiseLike<{ arrayBuffer(): Promise<ArrayBuffer> }>
}

const node = (files: NodeFiles, remove: (id: string) => PromiseLike<{ deleted: boolean }>): FileClient => ({
  create: async (path, purpose) => files.create({ file: createReadStream(path), purpose }),
  async list() {
    const ids: string[] = []
    for await (const { id } of files.list()) ids.push(id)
    return ids
  },
  retrieve: async id => files.retrieve(id),
  content: async id => Buffer.from(await (await files.content(id)).arrayBuffer()),
  delete: async id => (await remove(id)).deleted,
})

function node3({ baseURL: basePath, apiKey }: At): FileClient {
  const api = new OpenAIApi(new Configuration({ basePath, apiKey }))
  return {
    // Its type knows the files of browsers alone; its own example passes a stream.
    create: async (path, purpose) => (await api.createFile(createReadStream(path) as never, purpose)).data,
    list: async () => (await api.listFiles()).data.data.map(({ id }) => id),
    retrieve: async id => (await api.retrieveFile(id)).data,
    async content(id) {
      const { data } = await api.downloadFile(id, { responseType: 'stream' })
      return buffer(data as unknown as AsyncIterable<Buffer>)
    },
    delete: async id => (await api.deleteFile(id)).data.deleted,
  }
}

const once = { maxRetries: 0 }
const clients: [name: string, era: Era, connect: (at: At) => FileClient][] = [
  ['openai-node 3.3', '2023-06-19', node3],
  ['openai-node 4.20', '2023-11-28', at => of420(new OpenAI420({ ...at, ...once }))],
  ['openai-node 4.104', '2024-12-18', at => of420(new OpenAI4({ ...at, ...once }))],
  ['openai-node 5', '2026-08-21', at => ofNow(new OpenAI5({ ...at, ...once }))],
  ['openai-node 6', '2026-08-21', at => ofNow(new OpenAI6({ ...at, ...once }))],
  ['openai-node 7', '2026-08-21', at => ofNow(new OpenAI7({ ...at, ...once }))],
]

function of420({ files }: { files: NodeFiles & { del(id: string): PromiseLike<{ deleted: boolean }> } }): FileClient {
  return node(files, id => files.del(id))
}

function ofNow({
  files,
}: {
  files: NodeFiles & { delete(id: string): PromiseLike<{ deleted: boolean }> }
}): FileClient {
  return node(files, id => files.delete(id))
}

describe('official clients upload and read files', { timeout: 120_000 }, () => {
  let product: Product
  let recorder: Recorder
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parlance-upload-'))
    await writeFile(join(folder, 'training set.jsonl'), content)
    product = await startProduct()
    recorder = await record(product.url)
  })
  after(async () => {
    await recorder?.close()
    await product?.stop()
    await rm(folder, { recursive: true })
  })
  const path = () => join(folder, 'training set.jsonl')
  const at = (): At => ({ baseURL: `${recorder.url}/v1`, apiKey: product.key })
  /** Bytes of files are of no schema. */
  const checkWire = async (era: Era) => {
    for (const exchange of await recorder.take())
      if (!exchange.path.endsWith('/content')) conforms(exchange, era)
      else assert.equal(exchange.headers['content-type'], 'application/octet-stream')
  }

  for (const [name, era, connect] of clients)
    test(`${name}: create, list, retrieve, content and delete`, async () => {
      const client = connect(at())
      assert.deepEqual(await client.list(), [])
      const made = await client.create(path(), 'fine-tune')
      assert.match(made.id, /^file-/)
      const { bytes, filename, purpose, status } = made
      const expected = [content.length, 'training set.jsonl', 'fine-tune', 'processed']
      assert.deepEqual([bytes, filename, purpose, status], expected)
      assert.deepEqual(await client.list(), [made.id])
      assert.deepEqual(await client.retrieve(made.id), made)
      assert.equal((await client.content(made.id)).toString(), content)
      assert.equal(await client.delete(made.id), true)
      assert.deepEqual(await client.list(), [])
      await checkWire(era)
    })

  for (const [name, era, client] of [
    ['openai-node 4.104', '2024-12-18', () => new OpenAI4({ ...at(), ...once })],
    ['openai-node 5', '2026-08-21', () => new OpenAI5({ ...at(), ...once })],
    ['openai-node 6', '2026-08-21', () => new OpenAI6({ ...at(), ...once })],
    ['openai-node 7', '2026-08-21', () => new OpenAI7({ ...at(), ...once })],
  ] as const)
    test(`${name}: an upload in parts, and one that is cancelled`, async () => {
      const { uploads, files } = client() as OpenAI6 // of one shape in all of them
      const about = { filename: 'parts.jsonl', purpose: 'fine-tune', mime_type: 'text/jsonl' } as const
      const upload = await uploads.create({ ...about, bytes: content.length })
      const middle = 50_000
      const second = await uploads.parts.create(upload.id, {
        data: await toFile(Buffer.from(content.slice(middle)), '2'),
      })
      const first = await uploads.parts.create(upload.id, {
        data: await toFile(Buffer.from(content.slice(0, middle)), '1'),
      })
      const md5 = createHash('md5').update(content).digest('hex')
      const done = await uploads.complete(upload.id, { part_ids: [first.id, second.id], md5 })
      assert.equal(done.status, 'completed')
      assert.equal(await (await files.content(done.file!.id)).text(), content)
      const cancelled = await uploads.cancel((await uploads.create({ ...about, bytes: 1 })).id)
      assert.equal(cancelled.status, 'cancelled')
      await checkWire(era)
      await new OpenAI6(at()).files.delete(done.file!.id)
      await recorder.take()
    })

  test('openai-node 6: lists go on by themselves to the end, and a file can expire', async () => {
    const { files } = new OpenAI6({ ...at(), ...once })
    const ids: string[] = []
    for (let count = 0; count < 7; count++) {
      const file = await toFile(Buffer.from(`${count}`), `${count}.txt`)
      const expires_after = { anchor: 'created_at', seconds: 3600 } as const
      const made = await files.create({ file, purpose: 'user_data', expires_after })
      assert.equal(made.expires_at, made.created_at + 3600)
      ids.push(made.id)
    }
    const found: string[] = []
    for await (const { id } of files.list({ limit: 2, order: 'asc', purpose: 'user_data' })) found.push(id)
    assert.deepEqual(found.sort(), ids.sort())
    for (const id of ids) await files.delete(id)
    await checkWire('2026-08-21')
  })

  test('Azure’s client of openai-node 6 finds the same files', async () => {
    const place = { endpoint: recorder.url, apiKey: product.key, apiVersion: '2024-10-21' }
    const client = new AzureOpenAI({ ...place, ...once })
    const made = await client.files.create({ file: createReadStream(path()), purpose: 'assistants' })
    assert.deepEqual(await client.files.retrieve(made.id), made)
    assert.equal(await (await client.files.content(made.id)).text(), content)
    await client.files.delete(made.id)
    await recorder.take()
  })
})
