import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { embeddedEngine } from '../engines/embedded.ts'
import type { Engine } from '../engines/engine.ts'
import { upstreamEngine, upstreamPool } from '../engines/upstream/index.ts'
import { silentLog } from '../lib/log.ts'
import type { Target } from '../platform/models.ts'
import { priceOf } from '../platform/prices.ts'
import { countChat, encodingNames, getEncoding } from '../tokens/index.ts'
import { type Listening, startListening } from './listening.fixture.ts'

const secret = 'sk-of-the-counting-test-1'
const agent = new Agent()
const pool = upstreamPool('http://127.0.0.1:9/v1') // never asked: what is counted here needs no answer
let listening: Listening | undefined
let base = ''

const embedModel = fileURLToPath(new URL('../../models/parlance-embed-1.bin', import.meta.url))
const engines: Record<string, () => Engine> = {
  turbo: () => upstream('turbo', 'gpt-3.5-turbo'),
  omni: () => upstream('omni', 'gpt-4o-2024-08-06'),
  qwen: () => upstream('qwen', 'Qwen/Qwen3-32B'),
  words: () => embeddedEngine({ name: 'words', file: embedModel }),
  mute: () => ({
    name: 'mute',
    accepts: 'known',
    abilities: new Set(['chat']),
    status: () => ({ state: 'ready' }),
    close: async () => {},
  }),
}
const upstream = (name: string, target: string) =>
  upstreamEngine({ name, target, baseUrl: 'http://127.0.0.1:9/v1', version: '0', log: silentLog, pool })

before(async () => {
  const targets = Object.entries(engines).map(
    ([name, open]): Target => ({
      name,
      ownedBy: 'test',
      created: 1_700_000_000,
      price: priceOf({ input: 1, output: 2 }),
      abilities: new Set(name === 'words' ? ['embed'] : ['chat', 'complete', 'embed']),
      open,
    }),
  )
  const aliases = { 'gpt-4': 'turbo' }
  listening = await startListening({ secret, targets, aliases, maxBodyBytes: 16_777_216 })
  base = listening.base
})
after(async () => {
  await agent.close()
  await pool.close()
  await listening?.close()
})

async function ask(path: string, body: object, key = secret) {
  const reply = await request(base + path, {
    method: 'POST',
    dispatcher: agent,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return {
    status: reply.statusCode,
    headers: reply.headers,
    json: (await reply.body.json()) as Record<string, unknown>,
  }
}

const estimate = ["The encoding of 'Qwen/Qwen3-32B' is not known here: counted with o200k_base, as an estimate."]
const weather = {
  type: 'function',
  name: 'get_weather',
  description: 'Weather of a place',
  parameters: { type: 'object', properties: { place: { type: 'string' } } },
}

const asChat = countChat({
  model: 'gpt-4o',
  messages: [
    { role: 'user', content: 'Weather in Paris?' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'c1', function: { name: 'get_weather', arguments: '{"place":"Paris"}' } }],
    },
    { role: 'tool', tool_call_id: 'c1', content: 'rain' },
    { role: 'assistant', content: 'Rain.' },
  ],
  tools: [{ type: 'function', function: weather }],
}).tokens

const answers: [name: string, path: string, body: object, reply: object][] = [
  [
    'the example of OpenAI’s cookbook',
    '/v1/tokenize',
    { encoding: 'cl100k_base', input: 'tiktoken is great!' },
    { object: 'tokenization', encoding: 'cl100k_base', count: 6, tokens: [83, 1609, 5963, 374, 2294, 0] },
  ],
  [
    'a model behind an upstream, by its encoding',
    '/v1/tokenize',
    { model: 'turbo', input: '你好' },
    { object: 'tokenization', model: 'turbo', encoding: 'cl100k_base', count: 2, tokens: [57668, 53901] },
  ],
  [
    'an alias, which shows what was meant',
    '/v1/tokenize',
    { model: 'gpt-4', input: 'a' },
    { object: 'tokenization', model: 'turbo', encoding: 'cl100k_base', count: 1, tokens: [64] },
  ],
  [
    'a model of unknown encoding, as an estimate that says so',
    '/v1/tokenize',
    { model: 'qwen', input: 'a' },
    { object: 'tokenization', model: 'qwen', encoding: 'o200k_base', count: 1, assumptions: estimate, tokens: [64] },
  ],
  [
    'pieces that are whole characters: an emoji of three tokens stands with the last',
    '/v1/tokenize',
    { encoding: 'cl100k_base', input: 'a🦜!', pieces: true },
    {
      object: 'tokenization',
      encoding: 'cl100k_base',
      count: 5,
      tokens: [64, 9468, 99, 250, 0],
      pieces: ['a', '', '', '🦜', '!'],
    },
  ],
  [
    'special tokens as text',
    '/v1/tokenize',
    { encoding: 'cl100k_base', input: '<|endoftext|>' },
    {
      object: 'tokenization',
      encoding: 'cl100k_base',
      count: 7,
      tokens: getEncoding('cl100k_base').encodeOrdinary('<|endoftext|>'),
    },
  ],
  [
    'special tokens as such',
    '/v1/tokenize',
    { encoding: 'cl100k_base', input: 'a<|endoftext|>', special: true },
    { object: 'tokenization', encoding: 'cl100k_base', count: 2, tokens: [64, 100257] },
  ],
  [
    'nothing',
    '/v1/tokenize',
    { encoding: 'gpt2', input: '', pieces: true },
    { object: 'tokenization', encoding: 'gpt2', count: 0, tokens: [], pieces: [] },
  ],
  [
    'a model whose tokens have no numbers',
    '/v1/tokenize',
    { model: 'words', input: 'two words' },
    { object: 'tokenization', model: 'words', encoding: 'words', count: 2, tokens: null },
  ],
  [
    'tokens back to text',
    '/v1/detokenize',
    { encoding: 'cl100k_base', tokens: [83, 1609, 5963, 374, 2294, 0] },
    { object: 'detokenization', encoding: 'cl100k_base', count: 6, text: 'tiktoken is great!' },
  ],
  [
    'half a character back to text',
    '/v1/detokenize',
    { model: 'turbo', tokens: [9468] },
    { object: 'detokenization', model: 'turbo', encoding: 'cl100k_base', count: 1, text: '\ufffd' },
  ],
  [
    'no tokens back to text',
    '/v1/detokenize',
    { encoding: 'o200k_harmony', tokens: [] },
    { object: 'detokenization', encoding: 'o200k_harmony', count: 0, text: '' },
  ],
  [
    'the input of a response: a text',
    '/v1/responses/input_tokens',
    { model: 'omni', input: 'Hello!' },
    { object: 'response.input_tokens', input_tokens: 9 },
  ],
  [
    'a conversation, as the chat that it is (the example of OpenAI’s reference: 19)',
    '/v1/responses/input_tokens',
    { model: 'omni', instructions: 'You are a helpful assistant.', input: [{ role: 'user', content: 'Hello!' }] },
    { object: 'response.input_tokens', input_tokens: 19 },
  ],
  [
    'parts, calls, their results and tools',
    '/v1/responses/input_tokens',
    {
      model: 'omni',
      input: [
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Weather in Paris?' }] },
        { type: 'function_call', call_id: 'c1', name: 'get_weather', arguments: '{"place":"Paris"}' },
        { type: 'function_call_output', call_id: 'c1', output: 'rain' },
        { role: 'assistant', content: [{ type: 'output_text', text: 'Rain.', annotations: [] }] },
      ],
      tools: [weather],
      tool_choice: 'auto',
      reasoning: { effort: 'low' },
    },
    { object: 'response.input_tokens', input_tokens: asChat },
  ],
  [
    'a model of unknown encoding says so here, too',
    '/v1/responses/input_tokens',
    { model: 'qwen', input: 'Hello!' },
    { object: 'response.input_tokens', input_tokens: 9, assumptions: estimate },
  ],
]
for (const [name, path, body, reply] of answers)
  test(`${path} counts ${name}`, async () => {
    const { status, headers, json } = await ask(path, body)
    assert.equal(status, 200, JSON.stringify(json))
    assert.equal(headers['content-type'], 'application/json')
    assert.deepEqual(json, reply)
  })

const tokenize = (body: object) => ask('/v1/tokenize', body)
const detokenize = (body: object) => ask('/v1/detokenize', body)
const inputTokens = (body: object) => ask('/v1/responses/input_tokens', body)
const refusals: [name: string, asked: () => ReturnType<typeof ask>, status: number, error: object][] = [
  ['no key', () => ask('/v1/tokenize', {}, ''), 401, { code: null }],
  ['a wrong key', () => ask('/v1/detokenize', {}, 'sk-wrong-1'), 401, { code: 'invalid_api_key' }],
  ['no key for a response', () => ask('/v1/responses/input_tokens', {}, ''), 401, { code: null }],
  ['no input', () => tokenize({ encoding: 'gpt2' }), 400, { code: 'missing_required_parameter', param: 'input' }],
  ['no model', () => tokenize({ input: 'a' }), 400, { code: 'missing_required_parameter', param: 'model' }],
  [
    'both a model and an encoding',
    () => tokenize({ input: 'a', model: 'turbo', encoding: 'gpt2' }),
    400,
    { code: 'invalid_parameter_combination', param: 'encoding' },
  ],
  [
    'an unknown encoding',
    () => tokenize({ input: 'a', encoding: 'constructor' }),
    400,
    {
      code: 'unknown_encoding',
      param: 'encoding',
      message: `Unknown encoding 'constructor'. The encodings are ${encodingNames.join(', ')}.`,
    },
  ],
  ['a list', () => tokenize({ input: ['a'], encoding: 'gpt2' }), 400, { code: 'invalid_type', param: 'input' }],
  [
    'a parameter that does not exist',
    () => tokenize({ input: 'a', encoding: 'gpt2', add_bos: true }),
    400,
    { code: 'unknown_parameter', param: 'add_bos' },
  ],
  [
    'pieces of a model without any',
    () => tokenize({ input: 'a', model: 'words', pieces: true }),
    400,
    { code: 'model_not_supported', param: 'model' },
  ],
  [
    'a model without a tokenizer',
    () => tokenize({ input: 'a', model: 'mute' }),
    400,
    { code: 'model_not_supported', param: 'model' },
  ],
  ['an unknown model', () => tokenize({ input: 'a', model: 'nope' }), 404, { code: 'model_not_found' }],
  [
    'a number that is no token',
    () => detokenize({ encoding: 'cl100k_base', tokens: [64, 100_300] }),
    400,
    { code: 'unknown_token', param: 'tokens', message: 'Token 100300 does not exist in cl100k_base.' },
  ],
  [
    'a negative token',
    () => detokenize({ encoding: 'cl100k_base', tokens: [-1] }),
    400,
    { code: 'integer_below_min_value', param: 'tokens[0]' },
  ],
  [
    'tokens of a model whose tokens have no numbers',
    () => detokenize({ model: 'words', tokens: [1] }),
    400,
    { code: 'model_not_supported', param: 'model' },
  ],
  ['tokens of an unknown model', () => detokenize({ model: 'nope', tokens: [1] }), 404, { code: 'model_not_found' }],
  [
    'a response without input',
    () => inputTokens({ model: 'omni' }),
    400,
    { code: 'missing_required_parameter', param: 'input' },
  ],
  [
    'a response without a model',
    () => inputTokens({ input: 'a' }),
    400,
    { code: 'missing_required_parameter', param: 'model' },
  ],
  [
    'a response of an unknown model',
    () => inputTokens({ model: 'nope', input: 'a' }),
    404,
    { code: 'model_not_found' },
  ],
  [
    'a response of a model that cannot chat',
    () => inputTokens({ model: 'words', input: 'a' }),
    400,
    { code: 'model_not_supported', param: 'model' },
  ],
  [
    'an earlier response',
    () => inputTokens({ model: 'omni', input: 'a', previous_response_id: 'resp_1' }),
    400,
    { code: 'unsupported_parameter', param: 'previous_response_id' },
  ],
  [
    'an item of unknown size',
    () => inputTokens({ model: 'omni', input: [{ type: 'reasoning', id: 'rs_1', summary: [] }] }),
    400,
    { code: 'unsupported_value', param: 'input[0].type' },
  ],
  [
    'a part of unknown size, even when it holds a text',
    () => inputTokens({ model: 'omni', input: [{ role: 'user', content: [{ type: 'input_file', text: 'a' }] }] }),
    400,
    { code: 'unsupported_value', param: 'input[0].content[0].type' },
  ],
  [
    'a tool of unknown size',
    () => inputTokens({ model: 'omni', input: 'a', tools: [{ type: 'web_search', name: 'x' }] }),
    400,
    { code: 'unsupported_value', param: 'tools[0].type' },
  ],
  [
    'a wrong type inside',
    () => inputTokens({ model: 'omni', input: [{ role: 'user', content: [{ type: 'input_text', text: 7 }] }] }),
    400,
    { code: 'invalid_type', param: 'input[0].content[0].text' },
  ],
  [
    'an unknown parameter of a response',
    () => inputTokens({ model: 'omni', input: 'a', temperature: 1 }),
    400,
    { code: 'unknown_parameter', param: 'temperature' },
  ],
]
for (const [name, asked, status, expected] of refusals)
  test(`${name} is answered with ${status} in OpenAI's form`, async () => {
    const { status: seen, json } = await asked()
    assert.equal(seen, status, JSON.stringify(json))
    const { error } = json as { error: Record<string, unknown> }
    assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'])
    assert.deepEqual({ ...error, ...expected }, error)
  })

test('nothing that is counted is charged', async () => {
  const { store } = listening!
  await store.flush()
  assert.deepEqual(await store.read.selectFrom('usage').selectAll().execute(), [])
})

test('a text of megabytes is cut into tokens and put together again', async () => {
  const input = 'The quick brown fox jumps over the lazy dog, 世界! '.repeat(40_000)
  const { json } = await ask('/v1/tokenize', { encoding: 'o200k_base', input, pieces: true })
  const { count, tokens, pieces } = json as { count: number; tokens: number[]; pieces: string[] }
  assert.equal(count, tokens.length)
  assert.equal(pieces.join(''), input)
  const back = await ask('/v1/detokenize', { encoding: 'o200k_base', tokens })
  assert.equal(back.json.text, input)
})
