import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { getLlama, type Llama, LlamaGrammarEvaluationState, LlamaLogLevel, type LlamaModel } from 'node-llama-cpp'
import { bytesOf, stored, tinyModel } from '../../../../test/models/make.ts'
import { seededRandom } from '../../../lib/random.ts'
import { Chance, matcher } from './harness.ts'
import { jsonGrammar, schemaToGrammar } from './schema.ts'
import { toolCallGrammar } from './toolCalls.ts'

const place = { param: 'response_format.json_schema.schema', subject: "response_format 'answer'" }
const formats = ['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid']
const shortValues = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 8 },
    age: { type: ['integer', 'null'], minimum: 0, maximum: 150 },
    code: { type: 'string', pattern: '^[A-Z]{2}-\\d{2,4}$' },
    kind: { enum: ['small', 'smaller', 'large', 3] },
    tags: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 3 }, maxItems: 3 },
    price: { type: 'number', exclusiveMinimum: 0, maximum: 99.5 },
    when: { type: 'string', format: 'date' },
  },
  required: ['name', 'age', 'code', 'kind', 'tags'],
  additionalProperties: false,
}

describe('grammars in llama.cpp', () => {
  let llama: Llama
  let model: LlamaModel

  before(async () => {
    llama = await getLlama({
      gpu: false,
      build: 'never',
      progressLogs: false,
      logLevel: LlamaLogLevel.disabled,
      maxThreads: 1,
    })
    model = await llama.loadModel({ modelPath: await stored(bytesOf(tinyModel())) })
  })
  after(() => llama.dispose())

  /** What the model writes at temperature 1, and whether it came to an end by itself. */
  async function written(text: string, seed: number, tokensMax: number) {
    const grammar = await llama.createGrammar({ grammar: text })
    const context = await model.createContext({ contextSize: 512, threads: 1 })
    try {
      const state = new LlamaGrammarEvaluationState({ model, grammar })
      const tokens = []
      const options = {
        temperature: 1,
        topK: 0,
        topP: 1,
        minP: 0,
        seed,
        grammarEvaluationState: state,
        yieldEogToken: true,
      }
      for await (const token of context.getSequence().evaluate(model.tokenize('Say: '), options)) {
        if (model.isEogToken(token)) return { text: model.detokenize(tokens), ended: true }
        if (tokens.push(token) === tokensMax) break
      }
      return { text: model.detokenize(tokens), ended: false }
    } finally {
      await context.dispose()
    }
  }

  it('a model that knows nothing writes values that fit, or is cut off in the middle of one', async () => {
    const valid = new Ajv2020({ strict: false }).compile({
      ...shortValues,
      properties: { ...shortValues.properties, when: {} },
    })
    const { text: grammar } = schemaToGrammar(shortValues, place)
    const reader = matcher(grammar)
    let ended = 0
    for (let seed = 1; seed <= 12; seed++) {
      const reply = await written(grammar, seed, 300)
      if (!reply.ended) continue
      ended++
      assert.equal(reader.matches(reply.text), true, reply.text)
      assert.equal(valid(JSON.parse(reply.text)), true, reply.text)
    }
    assert.ok(ended >= 6, `${ended} replies came to an end`)
  })

  it('grammars of every kind are taken, and followed to the letter', async () => {
    const calls = ['a', 'b'].map(name => ({
      prefix: `<tool_call>\n{"name": "${name}", "arguments": `,
      parameters: shortValues,
      suffix: '}\n</tool_call>',
      place,
    }))
    const grammars = [
      jsonGrammar,
      ...formats.map(format => schemaToGrammar({ type: 'string', format }, place)),
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(seed =>
        schemaToGrammar(new Chance(seededRandom(seed)).schema(3).schema, place),
      ),
      schemaToGrammar(
        { type: 'array', items: { type: 'integer', multipleOf: 7 }, minItems: 1e6, maxItems: 1e9 },
        place,
      ),
      schemaToGrammar({ type: 'string', minLength: 5_000, maxLength: 100_000 }, place),
      schemaToGrammar({ enum: Array.from({ length: 1_000 }, (_, i) => `value number ${i * 7919}`) }, place),
      schemaToGrammar({ type: 'object', properties: { a: {} }, additionalProperties: { $ref: '#' } }, place),
      toolCallGrammar({ calls, separator: '\n', most: 3 }),
    ]
    for (const [i, { text }] of grammars.entries()) {
      const reply = await written(text, 7 + i, 40)
      const reader = matcher(text)
      // A character of several tokens may have been cut.
      const whole = reply.text.replace(/\ufffd+$/u, '')
      assert.equal(reply.ended ? reader.matches(reply.text) : reader.begins(whole), true, `${i}: ${reply.text}`)
    }
  })

  it('the largest grammars are taken in little time', async () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `p${i}`)
    const properties = Object.fromEntries(names.map(name => [name, { type: 'string' }]))
    const { text } = schemaToGrammar(
      { type: 'object', properties, required: names, additionalProperties: false },
      place,
    )
    const optional = Object.fromEntries(names.slice(0, 256).map(name => [name, { type: 'integer' }]))
    const many = schemaToGrammar(
      { type: 'object', properties: optional, additionalProperties: { type: 'null' } },
      place,
    )
    const started = performance.now()
    assert.match((await written(text, 1, 3)).text, /^\{"/)
    assert.match((await written(many.text, 1, 3)).text, /^\{/)
    assert.ok(performance.now() - started < 20_000)
  })
})
