import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createOpenAI } from '@ai-sdk/openai'
import { ChatOpenAI } from '@langchain/openai'
import { generateObject, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import OpenAI from 'openai'
import { makeParseableResponseFormat } from 'openai/lib/parser'
import OpenAI4 from 'openai-v4'
import { bytesOf, stored, tinyModel } from '../models/make.ts'
import { type Product, startProduct } from '../support/product.ts'
import { caller, parameters } from './caller.ts'

const verdict = {
  type: 'object' as const,
  properties: {
    fit: { type: 'string' as const, enum: ['yes', 'no'] },
    weeks: { type: 'integer' as const, minimum: 1, maximum: 9 },
  },
  required: ['fit', 'weeks'],
  additionalProperties: false as const,
}
const question = [{ role: 'user' as const, content: 'What is the weather in Oslo?' }]

function checkVerdict(value: unknown): void {
  assert.ok(typeof value === 'object' && value !== null && 'fit' in value && 'weeks' in value, JSON.stringify(value))
  assert.ok(value.fit === 'yes' || value.fit === 'no')
  assert.ok(Number.isInteger(value.weeks) && Number(value.weeks) >= 1 && Number(value.weeks) <= 9)
}

describe('the clients’ own helpers for tools and structured replies work', { timeout: 120_000 }, () => {
  let product: Product
  let at = { baseURL: '', apiKey: '' }
  before(async () => {
    const [calling, small] = [await stored(bytesOf(caller)), await stored(bytesOf(tinyModel()))]
    product = await startProduct({
      yaml: `
models:
  caller: { file: ${JSON.stringify(calling)}, context: 2048 }
  small: { file: ${JSON.stringify(small)}, context: 2048 }
`,
    })
    at = { baseURL: `${product.url}/v1`, apiKey: product.key }
  })
  after(() => product?.stop())

  for (const [name, completions] of [
    ['openai 6', () => new OpenAI({ ...at, maxRetries: 0 }).chat.completions],
    ['openai 4', () => new OpenAI4({ ...at, maxRetries: 0 }).beta.chat.completions],
  ] as const)
    test(`${name}: runTools calls the tool, hands its result back and gets the answer`, async () => {
      const asked: unknown[] = []
      const definition = {
        type: 'function' as const,
        function: {
          name: 'get_weather',
          description: 'Tells the weather.',
          parameters,
          parse: JSON.parse,
          function: (given: object) => {
            asked.push(given)
            return 'sunny'
          },
        },
      }
      const body = {
        model: 'caller',
        messages: question,
        tools: [definition],
        parallel_tool_calls: false,
        temperature: 0,
      }
      const plain = (completions() as OpenAI['chat']['completions']).runTools(body)
      assert.equal(await plain.finalContent(), 'sunny.')
      const streamed = (completions() as OpenAI['chat']['completions']).runTools({ ...body, stream: true })
      assert.equal(await streamed.finalContent(), 'sunny.')
      assert.deepEqual(asked, [{ city: 'Oslo' }, { city: 'Oslo' }])
      assert.equal((await plain.allChatCompletions()).length, 2)
    })

  test('openai 4: runFunctions does the same in the older form', async () => {
    const asked: unknown[] = []
    const runner = new OpenAI4({ ...at, maxRetries: 0 }).beta.chat.completions.runFunctions({
      model: 'caller',
      messages: question,
      temperature: 0,
      functions: [
        {
          name: 'get_weather',
          description: 'Tells the weather.',
          parameters,
          parse: JSON.parse,
          function: (given: object) => {
            asked.push(given)
            return 'sunny'
          },
        },
      ],
    })
    assert.equal(await runner.finalContent(), 'sunny.')
    assert.deepEqual(asked, [{ city: 'Oslo' }])
  })

  test('openai 6: a streamed reply is put together, calls and text', async () => {
    const stream = new OpenAI({ ...at, maxRetries: 0 }).chat.completions.stream({
      model: 'caller',
      messages: question,
      temperature: 0,
      parallel_tool_calls: false,
      tools: [{ type: 'function', function: { name: 'get_weather', parameters } }],
    })
    const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0]!
    assert.equal(message.content, 'One moment.')
    assert.equal(finish_reason, 'tool_calls')
    const [call] = message.tool_calls ?? []
    assert.ok(call?.type === 'function')
    assert.deepEqual([call.function.name, call.function.arguments], ['get_weather', '{"city": "Oslo"}'])
  })

  test('openai 6: parse gets an object that fits its schema', async () => {
    const response_format = makeParseableResponseFormat<unknown>(
      { type: 'json_schema', json_schema: { name: 'verdict', strict: true, schema: verdict } },
      JSON.parse,
    )
    const { choices } = await new OpenAI({ ...at, maxRetries: 0 }).chat.completions.parse({
      model: 'small',
      messages: question,
      response_format,
    })
    checkVerdict(choices[0]?.message.parsed)
  })

  test('@langchain/openai: structured output by schema and by call, and bound tools', async () => {
    const model = (name: string) =>
      new ChatOpenAI({
        apiKey: at.apiKey,
        configuration: { baseURL: at.baseURL },
        maxRetries: 0,
        model: name,
        temperature: 0,
      })
    for (const method of ['jsonSchema', 'functionCalling'] as const)
      checkVerdict(
        await model('small')
          .withStructuredOutput({ title: 'verdict', ...verdict }, { name: 'verdict', method })
          .invoke('Well?'),
      )
    const bound = model('caller').bindTools([{ type: 'function', function: { name: 'get_weather', parameters } }], {
      parallel_tool_calls: false,
    })
    const { tool_calls = [] } = await bound.invoke('What is the weather in Oslo?')
    assert.deepEqual(
      tool_calls.map(({ name, args }) => [name, args]),
      [['get_weather', { city: 'Oslo' }]],
    )
  })

  test('ai: generateObject gets its object, streamText runs tools', async () => {
    const provider = createOpenAI(at)
    const { object } = await generateObject({
      model: provider.chat('small'),
      schema: jsonSchema(verdict),
      prompt: 'Well?',
      maxRetries: 0,
    })
    checkVerdict(object)
    const asked: unknown[] = []
    const result = streamText({
      model: provider.chat('caller'),
      prompt: 'What is the weather in Oslo?',
      temperature: 0,
      maxRetries: 0,
      stopWhen: stepCountIs(2),
      providerOptions: { openai: { parallelToolCalls: false } },
      tools: {
        get_weather: tool({
          inputSchema: jsonSchema(parameters),
          execute: async given => {
            asked.push(given)
            return 'sunny'
          },
        }),
      },
    })
    let text = ''
    for await (const piece of result.textStream) text += piece
    assert.equal(text, 'One moment.sunny.')
    assert.deepEqual(asked, [{ city: 'Oslo' }])
  })
})
