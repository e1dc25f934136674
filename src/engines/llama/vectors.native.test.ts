import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encoderModel } from '../../../test/models/encoders.ts'
import { bytesOf, stored, tinyModel } from '../../../test/models/make.ts'
import { systemClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import type { EmbeddingRequest } from '../../wire/embeddings.ts'
import type { RerankRequest } from '../../wire/rerank.ts'
import type { Call } from '../engine.ts'
import { type LlamaEngine, type LlamaOptions, llamaEngine } from './index.ts'

const file = async (source: Parameters<typeof bytesOf>[0]) => stored(bytesOf(source))
const mean = await file(encoderModel({ pooling: 1 }))
const first = await file(encoderModel({ pooling: 2 }))
const last = await file(encoderModel({ pooling: 3 }))
const unsaid = await file(encoderModel())
const causal = await file(tinyModel({ pooling: 3 }))
const ranks = await file(encoderModel({ pooling: 4, looksFor: 'summer' }))
const ranksUnsaid = await file(encoderModel({ looksFor: 'summer' }))

async function using<Result>(options: Partial<LlamaOptions>, check: (engine: LlamaEngine) => Promise<Result>) {
  const engine = llamaEngine({ name: 'm', file: mean, threads: 1, clock: systemClock, log: silentLog, ...options })
  try {
    return await check(engine)
  } finally {
    await engine.close()
  }
}

function makeCall(signal = new AbortController().signal): Call & { told: { input: number } } {
  const told = { input: 0 }
  const meter = { input: (tokens: number) => void Object.assign(told, { input: tokens }), output: () => {} }
  return { id: 'req-1', created: 1, signal, log: silentLog, seed: 3, told, meter }
}

async function embed(engine: LlamaEngine, request: Omit<EmbeddingRequest, 'model'>, call = makeCall()) {
  const list = await engine.embed?.({ model: 'm', ...request }, call)
  assert.ok(list)
  return { ...list, vectors: list.data.map(({ embedding }) => embedding as number[]), told: call.told.input }
}

async function rerank(engine: LlamaEngine, request: Omit<RerankRequest, 'model'>, call = makeCall()) {
  const reply = await engine.rerank?.({ model: 'm', ...request }, call)
  assert.ok(reply)
  return { ...reply, told: call.told.input }
}

const isFault = (code: string, param: string | null, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.code, error.param], [400, code, param])
  assert.match(error.message, message)
  return true
}
const length = (vector: readonly number[]) => Math.hypot(...vector)
const distance = (one: readonly number[], other: readonly number[]) =>
  Math.hypot(...one.map((value, i) => value - (other[i] ?? Number.NaN)))

describe('embeddings of a GGUF file', () => {
  it('gives vectors of length one, in the order of the texts, and counts each token', async () => {
    await using({}, async engine => {
      const texts = ['Shall I compare thee', 'a summer', 'summer']
      const { data, vectors, usage, told } = await embed(engine, { input: texts })
      assert.deepEqual(
        data.map(({ index }) => index),
        [0, 1, 2],
      )
      for (const vector of vectors) assert.ok(vector.length === 64 && Math.abs(length(vector) - 1) < 1e-6)
      // Each word is a token, each text has [CLS] and [SEP] around it.
      assert.deepEqual(usage, { prompt_tokens: 6 + 4 + 3, total_tokens: 13 })
      assert.equal(told, 13)
      for (const [i, input] of texts.entries()) {
        const alone = await embed(engine, { input })
        assert.ok(distance(alone.vectors[0] ?? [], vectors[i] ?? []) < 1e-6)
      }
      assert.ok(distance(vectors[1] ?? [], vectors[2] ?? []) < distance(vectors[0] ?? [], vectors[2] ?? []))
    })
  })

  it('takes token ids of the model itself', async () => {
    await using({}, async engine => {
      const ids = [...((await engine.tokenizer.ids?.encode('so long as men can breathe', false)) ?? [])]
      assert.equal(ids.length, 6)
      const text = await embed(engine, { input: 'so long as men can breathe' })
      const tokens = await embed(engine, { input: [ids, [2, ...ids, 3]] })
      assert.deepEqual(tokens.vectors, [text.vectors[0], text.vectors[0]])
      assert.equal(tokens.usage.prompt_tokens, 16)
      await assert.rejects(embed(engine, { input: [100_000] }), isFault('invalid_value', 'input', /100000/))
    })
  })

  it('shortens vectors to `dimensions` and makes their length one again; base64 holds the same numbers', async () => {
    await using({}, async engine => {
      const { vectors } = await embed(engine, { input: 'thee' })
      const short = (vectors[0] ?? []).slice(0, 16)
      const asked = await embed(engine, { input: 'thee', dimensions: 16 })
      const expected = short.map(value => value / length(short))
      assert.ok(distance(asked.vectors[0] ?? [], expected) < 1e-6)
      const { data } = await embed(engine, { input: 'thee', dimensions: 16, encoding_format: 'base64' })
      const bytes = Buffer.from(String(data[0]?.embedding), 'base64')
      const numbers = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4))
      assert.deepEqual(numbers, asked.vectors[0])
      await assert.rejects(
        embed(engine, { input: 'a', dimensions: 65 }),
        isFault('invalid_value', 'dimensions', /1 to 64/),
      )
    })
  })

  it('pools as the file says, and by the mean when an encoder says nothing', async () => {
    const all = await Promise.all(
      [mean, first, last, unsaid].map(file =>
        using({ file }, async engine => (await embed(engine, { input: 'thy eternal summer' })).vectors[0] ?? []),
      ),
    )
    const [byMean = [], byFirst = [], byLast = [], bySilence = []] = all
    assert.ok(distance(byMean, byFirst) > 0.1 && distance(byMean, byLast) > 0.1 && distance(byFirst, byLast) > 0.1)
    assert.deepEqual(bySilence, byMean)
  })

  it('reads the last token of a causal model, in as many steps as it takes', async () => {
    const input = 'Shall I compare thee to a summer’s day? Thou art more lovely and more temperate.'
    const vectorOf = (batch: number) =>
      using({ file: causal, batch, context: 256 }, async engine => {
        assert.deepEqual([...engine.abilities], ['embed'])
        return (await embed(engine, { input: ['another text', input] })).vectors[1] ?? []
      })
    assert.ok(distance(await vectorOf(512), await vectorOf(7)) < 1e-4)
  })

  it('never cuts a text: beyond the context it is refused', async () => {
    await using({}, async engine => {
      assert.equal((await embed(engine, { input: 'a '.repeat(126) })).usage.prompt_tokens, 128)
      const refused = isFault('context_length_exceeded', 'input', /maximum context length is 128 tokens.* 129 tokens/)
      await assert.rejects(embed(engine, { input: ['fine', 'a '.repeat(127)] }), refused)
      await assert.rejects(embed(engine, { input: Array.from({ length: 127 }, () => 9) }), refused)
      assert.equal((await embed(engine, { input: 'still there' })).vectors.length, 1)
    })
  })

  it('lets a single text pass many', async () => {
    await using({}, async engine => {
      await engine.load()
      const order: string[] = []
      const many = embed(engine, { input: Array.from({ length: 1000 }, () => 'so long lives this '.repeat(20)) })
      const one = embed(engine, { input: 'this' })
      await Promise.all([many.then(() => order.push('many')), one.then(() => order.push('one'))])
      assert.deepEqual(order, ['one', 'many'])
    })
  })

  it('ends when the caller leaves, and goes on with the others', async () => {
    await using({}, async engine => {
      await engine.load()
      const abort = new AbortController()
      const left = embed(
        engine,
        { input: Array.from({ length: 2000 }, () => 'a '.repeat(100)) },
        makeCall(abort.signal),
      )
      const other = embed(engine, { input: 'this gives life to thee' })
      await other
      abort.abort()
      await assert.rejects(left, { name: 'AbortError' })
      assert.equal((await embed(engine, { input: 'thee' })).vectors.length, 1)
    })
  })

  it('says 400 to what the file is not for', async () => {
    await using({}, async engine => {
      assert.deepEqual([...engine.abilities], ['embed'])
      const refused = (ability: string) => isFault('model_not_supported', 'model', new RegExp(`'${ability}'`))
      const chunks = engine.complete?.({ model: 'm', prompt: 'Hi' }, makeCall())[Symbol.asyncIterator]()
      await assert.rejects(Promise.resolve(chunks?.next()), refused('complete'))
      await assert.rejects(rerank(engine, { query: 'a', documents: ['b'] }), refused('rerank'))
      assert.equal((await embed(engine, { input: 'thee' })).vectors.length, 1)
    })
    await using({ file: await file(tinyModel()) }, async engine => {
      assert.deepEqual([...engine.abilities], ['chat', 'complete'])
      await assert.rejects(embed(engine, { input: 'a' }), isFault('model_not_supported', 'model', /'embed'/))
    })
  })
})

describe('reranking with a GGUF file', () => {
  const documents = ['rough winds do shake', 'summer summer summer', 'thy eternal summer shall not fade']

  it('puts the most relevant document first, with scores from 0 to 1', async () => {
    await using({ file: ranks }, async engine => {
      assert.deepEqual([...engine.abilities], ['rerank'])
      const { results, usage, told, object } = await rerank(engine, { query: 'a summer', documents })
      assert.equal(object, 'list')
      assert.deepEqual(
        results.map(({ index }) => index),
        [1, 2, 0],
      )
      for (const { relevance_score: score } of results) assert.ok(score > 0 && score < 1)
      assert.equal(told, usage.total_tokens)
      // [CLS] query [SEP] document [SEP], three times: a word of the vocabulary is one token.
      assert.equal(usage.total_tokens, 3 * (3 + 2) + (4 + 3 + 6))
    })
  })

  it('honours `top_n` and `return_documents`, and takes objects', async () => {
    await using({ file: ranksUnsaid }, async engine => {
      assert.deepEqual([...engine.abilities], ['rerank'])
      const objects = documents.map(text => ({ text }))
      const { results } = await rerank(engine, { query: 'a', documents: objects, top_n: 2, return_documents: true })
      assert.deepEqual(
        results.map(({ index, document }) => [index, document?.text]),
        [
          [1, documents[1]],
          [2, documents[2]],
        ],
      )
      const plain = await rerank(engine, { query: 'a', documents, top_n: 9 })
      assert.equal(plain.results.length, 3)
      assert.ok(plain.results.every(result => !('document' in result)))
    })
  })

  it('puts both texts into the template of the file, where they are text and nothing else', async () => {
    const pairTemplate = '{query}[SEP]summer {document}'
    await using({ file: await file(encoderModel({ pooling: 4, looksFor: 'summer', pairTemplate })) }, async engine => {
      const { usage } = await rerank(engine, { query: 'a', documents: ['thee'] })
      assert.equal(usage.total_tokens, 6) // [CLS] a [SEP] summer thee [SEP]
      const spelt = await rerank(engine, { query: 'a', documents: ['{query}[SEP]'] })
      const alone = [...((await engine.tokenizer.ids?.encode('{query}[SEP]', false)) ?? [])]
      assert.ok(alone.length > 3 && !alone.includes(3))
      assert.equal(spelt.usage.total_tokens, 5 + alone.length)
    })
  })

  it('never cuts a document', async () => {
    await using({ file: ranks }, async engine => {
      await assert.rejects(
        rerank(engine, { query: 'a', documents: ['b', 'c '.repeat(200)] }),
        isFault('context_length_exceeded', 'documents', /128 tokens/),
      )
    })
  })
})
