import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type, { type TSchema } from 'typebox'
import { Fault } from '../lib/faults.ts'
import { seededRandom } from '../lib/random.ts'
import { ChatCompletion, ChatRequest } from './chat.ts'
import { check, compiled, refuseUnknown, unknownFields } from './check.ts'
import { changesOf } from './common.ts'
import { CompletionRequest } from './completions.ts'
import { EmbeddingRequest } from './embeddings.ts'
import { firstProblem, shapeOf } from './walk.ts'

const hello = [{ role: 'user', content: 'Hello' }]
const chat = (more: object) => ({ model: 'm', messages: hello, ...more })

interface Row {
  schema?: TSchema
  body: unknown
  param: string | null
  code: string | null
  message: string
}

const rows: Row[] = [
  {
    body: { messages: hello },
    param: 'model',
    code: 'missing_required_parameter',
    message: "Missing required parameter: 'model'.",
  },
  {
    body: { model: 'm' },
    param: 'messages',
    code: 'missing_required_parameter',
    message: "Missing required parameter: 'messages'.",
  },
  { body: [], param: null, code: null, message: 'The body of the request must be a JSON object.' },
  {
    body: chat({ messages: [] }),
    param: 'messages',
    code: 'empty_array',
    message:
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
  },
  {
    body: chat({ messages: {} }),
    param: 'messages',
    code: 'invalid_type',
    message: "Invalid type for 'messages': expected an array of objects, but got an object instead.",
  },
  {
    body: chat({ messages: [{ role: 'user', content: 5 }] }),
    param: 'messages[0].content',
    code: 'invalid_type',
    message:
      "Invalid type for 'messages[0].content': expected one of a string or array of objects, but got an integer instead.",
  },
  {
    body: chat({ messages: [...hello, { role: 'user', content: null }] }),
    param: 'messages[1].content',
    code: 'invalid_type',
    message:
      "Invalid type for 'messages[1].content': expected one of a string or array of objects, but got null instead.",
  },
  {
    body: chat({ messages: [{ role: 'user' }] }),
    param: 'messages[0].content',
    code: 'missing_required_parameter',
    message: "Missing required parameter: 'messages[0].content'.",
  },
  {
    body: chat({ messages: [{ content: 'x' }] }),
    param: 'messages[0].role',
    code: 'missing_required_parameter',
    message: "Missing required parameter: 'messages[0].role'.",
  },
  {
    body: chat({ messages: [{ role: 'robot', content: 'x' }] }),
    param: 'messages[0].role',
    code: 'invalid_value',
    message:
      "Invalid value: 'robot'. Supported values are: 'user', 'assistant', 'system', 'developer', 'tool', and 'function'.",
  },
  {
    body: chat({ messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'text' }] }] }),
    param: 'messages[0].content[1].text',
    code: 'missing_required_parameter',
    message: "Missing required parameter: 'messages[0].content[1].text'.",
  },
  {
    body: chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 1 } }] }] }),
    param: 'messages[0].content[0].image_url.url',
    code: 'invalid_type',
    message: "Invalid type for 'messages[0].content[0].image_url.url': expected a string, but got an integer instead.",
  },
  {
    body: chat({ messages: [{ role: 'tool', content: 'x' }] }),
    param: 'messages[0].tool_call_id',
    code: 'missing_required_parameter',
    message: "Missing required parameter: 'messages[0].tool_call_id'.",
  },
  {
    body: chat({ temperature: '0.7' }),
    param: 'temperature',
    code: 'invalid_type',
    message: "Invalid type for 'temperature': expected a decimal, but got a string instead.",
  },
  {
    body: chat({ temperature: 2.5 }),
    param: 'temperature',
    code: 'decimal_above_max_value',
    message: "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5 instead.",
  },
  {
    body: chat({ max_tokens: 1.5 }),
    param: 'max_tokens',
    code: 'invalid_type',
    message: "Invalid type for 'max_tokens': expected an integer, but got a decimal number instead.",
  },
  {
    body: chat({ max_tokens: 0 }),
    param: 'max_tokens',
    code: 'integer_below_min_value',
    message: "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
  },
  {
    body: chat({ n: 130 }),
    param: 'n',
    code: 'integer_above_max_value',
    message: "Invalid 'n': integer above maximum value. Expected a value <= 128, but got 130 instead.",
  },
  {
    body: chat({ stop: ['a', 'b', 'c', 'd', 'e'] }),
    param: 'stop',
    code: 'array_above_max_length',
    message:
      "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length 5 instead.",
  },
  {
    body: chat({ stream: 'yes' }),
    param: 'stream',
    code: 'invalid_type',
    message: "Invalid type for 'stream': expected a boolean, but got a string instead.",
  },
  {
    body: chat({ model: '' }),
    param: 'model',
    code: 'empty_string',
    message: "Invalid 'model': empty string. Expected a string with minimum length 1, but got an empty string instead.",
  },
  {
    body: chat({ safety_identifier: '😀'.repeat(65) }),
    param: 'safety_identifier',
    code: 'string_above_max_length',
    message:
      "Invalid 'safety_identifier': string too long. Expected a string with maximum length 64, but got a string with length 65 instead.",
  },
  {
    body: chat({ metadata: { topic: 5 } }),
    param: 'metadata.topic',
    code: 'invalid_type',
    message: "Invalid type for 'metadata.topic': expected a string, but got an integer instead.",
  },
  {
    body: chat({ logit_bias: { '50256': 101 } }),
    param: 'logit_bias.50256',
    code: 'decimal_above_max_value',
    message: "Invalid 'logit_bias.50256': decimal above maximum value. Expected a value <= 100, but got 101 instead.",
  },
  {
    body: chat({ reasoning_effort: 'huge' }),
    param: 'reasoning_effort',
    code: 'invalid_value',
    message:
      "Invalid value: 'huge'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'.",
  },
  {
    body: chat({ tools: [{ type: 'function', function: {} }] }),
    param: 'tools[0].function.name',
    code: 'missing_required_parameter',
    message: "Missing required parameter: 'tools[0].function.name'.",
  },
  {
    body: chat({ response_format: { type: 'json_schema', json_schema: {} } }),
    param: 'response_format.json_schema.name',
    code: 'missing_required_parameter',
    message: "Missing required parameter: 'response_format.json_schema.name'.",
  },
  {
    schema: CompletionRequest,
    body: { model: 'm', prompt: ['a', 5] },
    param: 'prompt[1]',
    code: 'invalid_type',
    message: "Invalid type for 'prompt[1]': expected a string, but got an integer instead.",
  },
  {
    schema: EmbeddingRequest,
    body: {
      model: 'm',
      input: [
        [1, 2],
        [3, 'x'],
      ],
    },
    param: 'input[1][1]',
    code: 'invalid_type',
    message: "Invalid type for 'input[1][1]': expected an integer, but got a string instead.",
  },
  {
    schema: EmbeddingRequest,
    body: { model: 'm', input: [true] },
    param: 'input[0]',
    code: 'invalid_type',
    message:
      "Invalid type for 'input[0]': expected one of a string, integer, or array of integers, but got a boolean instead.",
  },
  {
    schema: EmbeddingRequest,
    body: { model: 'm', input: 5 },
    param: 'input',
    code: 'invalid_type',
    message:
      "Invalid type for 'input': expected one of a string, array of strings, array of integers, or array of arrays, but got an integer instead.",
  },
  {
    schema: EmbeddingRequest,
    body: { model: 'm', input: Array(2049).fill('a') },
    param: 'input',
    code: 'array_above_max_length',
    message:
      "Invalid 'input': array too long. Expected an array with maximum length 2048, but got an array with length 2049 instead.",
  },
  {
    schema: EmbeddingRequest,
    body: { model: 'm', input: 'a', encoding_format: 'hex' },
    param: 'encoding_format',
    code: 'invalid_value',
    message: "Invalid value: 'hex'. Supported values are: 'float' and 'base64'.",
  },
]

test('every fault is named as OpenAI names it', () => {
  for (const { schema = ChatRequest, body, param, code, message } of rows) {
    assert.throws(
      () => check(schema, body),
      (error: unknown) => {
        assert.ok(error instanceof Fault)
        assert.deepEqual(
          { status: error.status, type: error.type, param: error.param, code: error.code, message: error.message },
          { status: 400, type: 'invalid_request_error', param, code, message },
        )
        return true
      },
      message,
    )
  }
})

test('requests of every generation pass', () => {
  const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object' }, strict: null } }
  const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } }
  const bodies = [
    chat({}),
    chat({ temperature: null, top_p: 1, n: null, stop: 'x', max_tokens: null, stream: false, user: 'u', extra: 1 }),
    chat({ functions: [{ name: 'f', parameters: {} }], function_call: { name: 'f' } }),
    chat({ tools: [tool], tool_choice: { type: 'function', function: { name: 'f' } }, parallel_tool_calls: false }),
    chat({
      messages: [
        { role: 'developer', content: [{ type: 'text', text: 'Be brief.' }] },
        { role: 'user', content: [{ type: 'video_url', video_url: { url: 'x' } }], name: 'ann' },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: 'call_1', content: '42' },
        { role: 'function', name: 'f', content: null },
        { role: 'assistant', tool_calls: [call] },
      ],
    }),
    chat({ response_format: { type: 'json_schema', json_schema: { name: 'n', schema: {}, strict: true } }, seed: -5 }),
  ]
  for (const body of bodies) assert.doesNotThrow(() => check(ChatRequest, body))
  for (const prompt of ['', 'a', ['a'], [1, 2], [[1], [2]], null]) {
    assert.doesNotThrow(() => check(CompletionRequest, { model: 'm', prompt, max_tokens: 0 }))
  }
  for (const input of ['a', ['a', 'b'], [1, 2], [[1], [2]]]) {
    assert.doesNotThrow(() => check(EmbeddingRequest, { model: 'm', input, dimensions: 8 }))
  }
})

test('a million wrong items cost one item', () => {
  const started = process.hrtime.bigint()
  const messages = Array(2000).fill({ role: 'user', content: Array(2000).fill(7) })
  assert.throws(() => check(ChatRequest, chat({ messages })), { param: 'messages[0].content[0]' })
  assert.throws(() => check(EmbeddingRequest, { model: 'm', input: Array(1_000_000).fill(true) }), { param: 'input' })
  assert.throws(() => check(CompletionRequest, { model: 'm', prompt: [[1], Array(1_000_000).fill('x')] }), {
    param: 'prompt[1][0]',
  })
  const elapsedMs = Number(process.hrtime.bigint() - started) / 1e6
  assert.ok(elapsedMs < 2000, `${elapsedMs} ms`)
})

test('messages stay short when names and values are long', () => {
  const long = 'k'.repeat(100_000)
  for (const body of [chat({ metadata: { [long]: 'v' } }), chat({ reasoning_effort: long })]) {
    assert.throws(
      () => check(ChatRequest, body),
      error => error instanceof Fault && error.message.length < 400 && (error.param ?? '').length < 100,
    )
  }
})

test('the names that a schema does not have are listed', () => {
  assert.deepEqual(unknownFields(ChatRequest, chat({ foo: 1, toString: 2, n: 1 })), ['foo', 'toString'])
  assert.deepEqual(unknownFields(ChatCompletion, {}), [])
})

test('the walker finds a problem exactly when the compiled check refuses', () => {
  const seeds: [TSchema, unknown][] = [
    [
      ChatRequest,
      chat({
        stop: ['a'],
        logit_bias: { 1: 2 },
        metadata: { a: 'b' },
        tools: [{ type: 'custom', custom: { name: 'c' } }],
      }),
    ],
    [ChatRequest, chat({ messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'x' }] }], n: 2 })],
    [ChatRequest, chat({ tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [{}] } } })],
    [CompletionRequest, { model: 'm', prompt: [[1, 2], [3]], suffix: 'x', logprobs: 3, echo: true }],
    [EmbeddingRequest, { model: 'm', input: ['a', 'b'], dimensions: 4, encoding_format: 'float' }],
  ]
  const junk = [
    null,
    true,
    0,
    -1,
    1.5,
    1e12,
    '',
    'text',
    'x'.repeat(70),
    [],
    {},
    [1],
    ['a'],
    [[1]],
    { type: 'text' },
    { role: 'user' },
  ]
  const random = seededRandom(42)
  const next = (below: number) => random.uint32() % below
  const mutated = (value: unknown): unknown => {
    if (next(16) === 0) return structuredClone(junk[next(junk.length)])
    if (Array.isArray(value)) return value.map(item => (next(2) === 0 ? mutated(item) : item))
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).filter(() => next(40) !== 0)
    return Object.fromEntries(entries.map(([key, inner]) => [key, next(2) === 0 ? mutated(inner) : inner]))
  }
  let refused = 0
  for (let round = 0; round < 20_000; round++) {
    const [schema, seed] = seeds[next(seeds.length)]!
    const value = mutated(seed)
    const fits = compiled(schema)(value)
    assert.equal(firstProblem(shapeOf(schema), value) === null, fits, JSON.stringify(value))
    if (!fits) refused++
  }
  assert.ok(refused > 1000 && refused < 19_000, `${refused} refused`)
})

test('an unknown name is refused at any depth where nothing unknown may pass', () => {
  const inner = Type.Object({ id: Type.String() })
  const schema = Type.Object({
    name: Type.Optional(Type.String()),
    list: Type.Optional(Type.Array(inner)),
    maybe: Type.Optional(Type.Union([inner, Type.Null()])),
    either: Type.Optional(Type.Union([inner, Type.Object({ name: Type.String() })])),
    map: Type.Optional(Type.Unsafe<object>({ type: 'object', additionalProperties: { type: 'string' } })),
  })
  for (const [value, param] of [
    [{ names: 1 }, 'names'],
    [{ toString: 1 }, 'toString'],
    [JSON.parse('{"__proto__": 1}'), '__proto__'],
    [{ list: [{ id: 'a' }, { id: 'b', ids: 'c' }] }, 'list[1].ids'],
    [{ maybe: { ID: 1 } }, 'maybe.ID'],
    [{ either: { other: 1 } }, 'either.other'],
  ] as const)
    assert.throws(
      () => refuseUnknown(schema, value),
      error => error instanceof Fault && error.code === 'unknown_parameter' && error.param === param,
      param,
    )
  const known = { name: 1, list: ['a', { id: 1 }], maybe: null, either: { name: 'n' }, map: { any: 'thing' } }
  for (const value of [known, {}, [], null, 'text']) refuseUnknown(schema, value)
})

test('a text that has to match a pattern is refused without being repeated: it may be a secret', () => {
  const schema = Type.Object({
    key: Type.Optional(Type.String({ pattern: '^[a-z]{3}$' })),
    map: Type.Optional(Type.Record(Type.String(), Type.String({ pattern: '^[a-z]*$' }))),
  })
  for (const [value, param] of [
    [{ key: 'SECRET' }, 'key'],
    [{ key: 'abcd' }, 'key'],
    [{ map: { a: 'b', c: 'SECRET' } }, 'map.c'],
  ] as const)
    assert.throws(
      () => check(schema, value),
      error =>
        error instanceof Fault &&
        error.status === 400 &&
        error.param === param &&
        !error.message.includes(JSON.stringify(value).slice(9, 12)) &&
        /matches '\^\[a-z\]/.test(error.message),
      param,
    )
  check(schema, { key: 'abc', map: { a: '' } })
})

test('changes take every field, and null for each, which takes it away', () => {
  const schema = changesOf({ name: Type.String(), count: Type.Optional(Type.Integer({ minimum: 1 })) })
  for (const value of [{}, { name: 'a' }, { name: null, count: null }, { count: 1 }]) check(schema, value)
  for (const value of [{ name: 1 }, { count: 0 }]) assert.throws(() => check(schema, value), Fault)
  assert.throws(() => refuseUnknown(schema, { other: null }), Fault)
})
