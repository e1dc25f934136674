import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Fault } from '../lib/faults.ts'
import { silentLog } from '../lib/log.ts'
import { packageRoot } from '../lib/modules.ts'
import { getEncoding } from '../tokens/index.ts'
import type { EmbeddingRequest } from '../wire/embeddings.ts'
import { embeddedEngine } from './embedded.ts'

const name = 'parlance-embed-1'
const engine = embeddedEngine({ name, file: join(packageRoot(import.meta.url), 'models', `${name}.bin`) })
after(() => engine.close())

async function embed(request: Omit<EmbeddingRequest, 'model'>) {
  const metered = { input: 0 }
  const reply = await engine.embed!(
    { model: name, ...request },
    {
      id: 'req_1',
      created: 1,
      seed: 1,
      signal: new AbortController().signal,
      log: silentLog,
      meter: {
        input: tokens => {
          metered.input = tokens
        },
        output: () => {},
      },
    },
  )
  return { ...reply, metered: metered.input }
}

const isFault = (param: string, code: string) => (error: unknown) =>
  error instanceof Fault && error.param === param && error.code === code

test('several texts come back in their order, with usage over all of them', async () => {
  const { data, usage, model, metered } = await embed({ input: ['one two', 'three'] })
  assert.deepEqual(
    data.map(item => [item.index, item.embedding.length]),
    [
      [0, 1536],
      [1, 1536],
    ],
  )
  assert.deepEqual(usage, { prompt_tokens: 3, total_tokens: 3 })
  assert.equal(metered, 3)
  assert.equal(model, name)
})

test('base64 holds the same numbers as little-endian floats', async () => {
  const floats = (await embed({ input: 'hello' })).data[0]!.embedding
  const bytes = Buffer.from(
    String((await embed({ input: 'hello', encoding_format: 'base64' })).data[0]!.embedding),
    'base64',
  )
  assert.deepEqual(
    Array.from({ length: 1536 }, (_, index) => bytes.readFloatLE(index * 4)),
    floats,
  )
})

test('tokens of the classic embedding models are read as their text', async () => {
  const ids = getEncoding('cl100k_base').encode('The weather is fine, 你好!')
  const [text] = (await embed({ input: 'The weather is fine, 你好!' })).data
  assert.deepEqual((await embed({ input: ids })).data[0], text)
  assert.deepEqual((await embed({ input: [ids, ids] })).data[1]?.embedding, text?.embedding)
})

test('fewer dimensions are a unit vector again, and more than there are is a 400', async () => {
  const vector = (await embed({ input: 'hello', dimensions: 64 })).data[0]!.embedding as number[]
  assert.equal(vector.length, 64)
  assert.ok(Math.abs(vector.reduce((sum, number) => sum + number * number, 0) - 1) < 1e-5)
  await assert.rejects(embed({ input: 'hello', dimensions: 1537 }), isFault('dimensions', 'invalid_value'))
})

test('numbers that are no tokens are named by their place', async () => {
  await assert.rejects(embed({ input: [1, 99_999_999] }), isFault('input', 'invalid_value'))
  await assert.rejects(embed({ input: [[1], [99_999_999]] }), isFault('input[1]', 'invalid_value'))
})

test('a text beyond the context is refused, not cut', async () => {
  await assert.rejects(embed({ input: 'word '.repeat(8193) }), isFault('input', 'context_length_exceeded'))
})
