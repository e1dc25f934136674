/** What is different about each kind of upstream, with a server that behaves like it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { jsonAnswer } from '../../../../test/hostile/scripts.ts'
import { chat, faultOf, relayed, setting, streamedChat, textOf, tokenizerBy } from '../../../../test/hostile/setting.ts'
import { testCall } from '../../../../test/hostile/sinks.ts'
import type { Script } from '../../../../test/hostile/upstream.ts'
import { manualTime } from '../../../lib/timers.ts'
import { fakeOf, tooLong } from './fakes.fixture.ts'
import { type KindName, kindNames, kindOf, type PlaceSettings, placeOf, placeProblem } from './index.ts'
import { kindOptions } from './options.ts'

/** What a kind does in its own way; what is not said is as at OpenAI. */
interface Row {
  limit?: 'max_tokens'
  seed?: 'random_seed'
  /** Parameters of a chat that are refused. */
  refuses?: readonly string[]
  /** What each request carries. */
  adds?: object
  /** `n` above 1 is as many requests. */
  splits?: true
  /** It knows no `stream_options`. */
  noOptions?: true
}

const rows: Readonly<Record<KindName, Row>> = {
  'openai-compatible': {},
  openai: {},
  azure: {},
  vllm: {},
  sglang: {},
  'llama.cpp': {},
  ollama: {
    ...{ limit: 'max_tokens', splits: true },
    refuses: [
      ...['logit_bias', 'parallel_tool_calls', 'functions', 'function_call', 'modalities', 'audio', 'prediction'],
      ...['verbosity', 'web_search_options', 'service_tier'],
    ],
  },
  'lm-studio': { limit: 'max_tokens', splits: true },
  tgi: { limit: 'max_tokens', splits: true, refuses: ['logit_bias'] },
  deepseek: { limit: 'max_tokens', splits: true },
  groq: { splits: true },
  mistral: { limit: 'max_tokens', seed: 'random_seed', noOptions: true },
  openrouter: { splits: true, adds: { provider: { require_parameters: true } } },
  together: {},
  fireworks: { adds: { context_length_exceeded_behavior: 'error' } },
  xai: {},
  gemini: {},
  anthropic: {
    splits: true,
    refuses: [
      ...['logprobs', 'top_logprobs', 'logit_bias', 'presence_penalty', 'frequency_penalty', 'seed', 'response_format'],
      ...['prediction', 'service_tier', 'audio', 'modalities', 'reasoning_effort', 'temperature'],
    ],
  },
}

/** Values that ask for something. */
const values: Readonly<Record<string, unknown>> = {
  audio: { voice: 'alloy', format: 'wav' },
  frequency_penalty: 0.5,
  function_call: { name: 'f' },
  functions: [{ name: 'f', parameters: {} }],
  logit_bias: { 50256: -100 },
  logprobs: true,
  modalities: ['text', 'audio'],
  parallel_tool_calls: false,
  prediction: { type: 'content', content: 'x' },
  presence_penalty: 0.5,
  reasoning_effort: 'high',
  response_format: { type: 'json_object' },
  seed: 3,
  service_tier: 'flex',
  temperature: 1.5,
  top_logprobs: 2,
  verbosity: 'low',
  web_search_options: {},
}

/** Values of the same parameters that ask for nothing. */
const neutral = {
  ...{ frequency_penalty: 0, function_call: 'auto', functions: [], logit_bias: {}, logprobs: false, top_logprobs: 0 },
  ...{ modalities: ['text'], parallel_tool_calls: true, presence_penalty: 0, response_format: { type: 'text' } },
  ...{ service_tier: 'auto', temperature: 1, verbosity: 'medium', audio: null, prediction: null, seed: null },
}

for (const kind of kindNames) {
  const { limit = 'max_completion_tokens', seed = 'seed', refuses = [], adds = {}, splits, noOptions } = rows[kind]

  test(`${kind}: a request for two replies is put as it understands it, and answered with both`, async t => {
    const { upstream, engine } = await setting(t, fakeOf(kind), { kind })
    const seeded = !refuses.includes('seed')
    const call = testCall()
    const request = { ...chat, n: 2, max_completion_tokens: 7, ...(seeded && { seed: 3 }) }
    const { choices, usage } = JSON.parse(textOf(await relayed(engine, request, call)))
    assert.deepEqual(
      choices.map((choice: { index: number; message: { content: string } }) => [choice.index, choice.message.content]),
      [
        [0, 'Hello'],
        [1, 'Hello'],
      ],
    )
    const asked = upstream.received.map(({ body }) => JSON.parse(body))
    const common = { messages: chat.messages, model: 'big-1', [limit]: 7, ...adds }
    const streamed = { stream: true, stream_options: { include_usage: true } }
    const part = (value: number) => ({ ...common, ...streamed, ...(seeded && { [seed]: value }) })
    const expected = splits ? [part(3), part(4)] : [{ ...common, n: 2, ...(seeded && { [seed]: 3 }) }]
    assert.deepEqual(
      asked.toSorted((one, other) => one[seed] - other[seed]),
      expected,
    )
    const reads = splits ? 2 : 1
    assert.equal(usage.prompt_tokens, 9 * reads)
    assert.deepEqual(call.spent, { input: 9 * reads, output: 3 * reads })
  })

  test(`${kind}: a stream has its usage once, for who asks, and is counted either way`, async t => {
    const { upstream, engine } = await setting(t, fakeOf(kind), { kind })
    for (const asks of [false, true]) {
      const call = testCall()
      const options = asks ? { stream_options: { include_usage: true } } : {}
      const text = textOf(await relayed(engine, { ...streamedChat, ...options }, call))
      const events = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data = '']) => JSON.parse(data))
      const withUsage = events.filter(({ usage }) => usage !== undefined && usage !== null)
      assert.deepEqual(
        withUsage.map(({ choices, usage }) => [choices, usage.total_tokens]),
        asks ? [[[], 12]] : [],
      )
      assert.equal(text.match(/\[DONE\]/g)?.length, 1)
      assert.deepEqual(call.spent, { input: 9, output: 3 })
    }
    const carried = upstream.received.map(({ body }) => JSON.parse(body).stream_options)
    assert.deepEqual(carried, noOptions ? [undefined, undefined] : Array(2).fill({ include_usage: true }))
  })

  test(`${kind}: what it would ignore is refused with its name, unless it is to be sent all the same`, async t => {
    const { upstream, engine } = await setting(t, fakeOf(kind), { kind })
    for (const param of refuses) {
      const refused = faultOf(await relayed(engine, { ...chat, [param]: values[param] }))
      assert.deepEqual([refused.status, refused.code, refused.param], [400, 'unsupported_parameter', param])
      assert.match(refused.message, new RegExp(`'${param}'.*'big' \\(${kind.replace('.', '\\.')}\\)`))
    }
    assert.equal(upstream.received.length, 0)
    if (rows[kind].noOptions) return // it refuses what it does not know itself
    textOf(await relayed(engine, { ...chat, ...neutral }))
    const lenient = await setting(t, fakeOf(kind), { kind, lenient: true })
    for (const param of refuses) textOf(await relayed(lenient.engine, { ...chat, [param]: values[param] }))
    assert.deepEqual(
      lenient.upstream.received.map(({ body }, place) => JSON.parse(body)[refuses[place] ?? '']),
      refuses.map(param => values[param]),
    )
  })

  test(`${kind}: a prompt that is too long is told as OpenAI tells it`, async t => {
    const { engine } = await setting(t, fakeOf(kind), { kind })
    const long = { messages: [{ role: 'user' as const, content: tooLong }] }
    for (const request of [chat, streamedChat]) {
      const refused = faultOf(await relayed(engine, { ...request, ...long }))
      assert.deepEqual([refused.status, refused.code], [400, 'context_length_exceeded'])
      assert.equal(refused.type, 'invalid_request_error')
      assert.match(refused.message, /8/)
    }
  })
}

test('a limit that is said twice must be the same', async t => {
  const { upstream, engine } = await setting(t, fakeOf('ollama'), { kind: 'ollama' })
  const refused = faultOf(await relayed(engine, { ...chat, max_tokens: 3, max_completion_tokens: 4 }))
  assert.deepEqual([refused.status, refused.param], [400, 'max_tokens'])
  assert.equal(upstream.received.length, 0)
  textOf(await relayed(engine, { ...chat, max_tokens: 3, max_completion_tokens: 3 }))
  textOf(await relayed(engine, { ...chat, max_tokens: 3, max_completion_tokens: null }))
  for (const { body } of upstream.received) {
    const { max_tokens, ...rest } = JSON.parse(body)
    assert.equal(max_tokens, 3)
    assert.equal('max_completion_tokens' in rest, false)
  }
})

test('what a caller says of a field that is added wins, and the rest of it stays', async t => {
  const { upstream, engine } = await setting(t, fakeOf('openrouter'), { kind: 'openrouter' })
  for (const provider of [{ order: ['a'] }, { require_parameters: false }, null])
    textOf(await relayed(engine, { ...chat, provider }))
  assert.deepEqual(
    upstream.received.map(({ body }) => JSON.parse(body).provider),
    [{ require_parameters: true, order: ['a'] }, { require_parameters: false }, { require_parameters: true }],
  )
  const lenient = await setting(t, fakeOf('openrouter'), { kind: 'openrouter', lenient: true })
  textOf(await relayed(lenient.engine, chat))
  assert.equal('provider' in JSON.parse(lenient.upstream.received[0]?.body ?? ''), false)
})

test('DeepSeek ignores the temperature for its reasoner alone', async t => {
  const request = { ...chat, temperature: 0.2 }
  const reasoner = await setting(t, fakeOf('deepseek'), { kind: 'deepseek', target: 'deepseek-reasoner' })
  assert.equal(faultOf(await relayed(reasoner.engine, request)).param, 'temperature')
  const other = await setting(t, fakeOf('deepseek'), { kind: 'deepseek', target: 'deepseek-chat' })
  textOf(await relayed(other.engine, request))
})

test('joint requests for embeddings hold no more inputs than the kind takes', async t => {
  const answered: Script = (wire, request) => {
    const { input }: { input: string[] } = JSON.parse(request.body)
    const data = input.map((_, index) => ({ object: 'embedding', index, embedding: [index] }))
    const usage = { prompt_tokens: input.length, total_tokens: input.length }
    return jsonAnswer(200, { object: 'list', model: 'big-1', data, usage })(wire, request)
  }
  for (const [kind, requests] of [
    ['gemini', 3],
    ['openai', 1],
  ] as const) {
    const [timers, tokenizer] = [manualTime(), tokenizerBy(text => text.length)]
    const coalescing = { waitMs: 20, inputsMax: 1000 }
    const { upstream, engine } = await setting(t, answered, { kind, coalescing, timers, tokenizer })
    const input = Array.from({ length: 60 }, () => 'x')
    const asked = [0, 1, 2].map(() => relayed(engine, { model: 'alias', input }, testCall(), '/embeddings'))
    for (let turns = 0; turns < 3; turns++) await turn()
    timers.advance(20)
    for (const reply of await Promise.all(asked)) assert.equal(JSON.parse(textOf(reply)).data.length, 60)
    assert.equal(upstream.received.length, requests, kind)
    for (const { body } of upstream.received) assert.ok(kind !== 'gemini' || JSON.parse(body).input.length <= 100)
  }
})

test('the settings win over the kind for who makes several replies', async t => {
  const native = await setting(t, fakeOf('vllm'), { kind: 'lm-studio', choices: 'native' })
  textOf(await relayed(native.engine, { ...chat, n: 2 }))
  assert.equal(native.upstream.received.length, 1)
  const emulated = await setting(t, fakeOf('vllm'), { kind: 'vllm', choices: 'emulated' })
  textOf(await relayed(emulated.engine, { ...chat, n: 2 }))
  assert.equal(emulated.upstream.received.length, 2)
})

const places: { told: PlaceSettings; kind: KindName; baseUrl?: string; path: string; header?: string }[] = [
  { told: { kind: 'openai' }, kind: 'openai', baseUrl: 'https://api.openai.com/v1', path: '/v1/chat/completions' },
  { told: { base_url: 'https://api.openai.com/v1/' }, kind: 'openai', path: '/v1/chat/completions' },
  { told: { base_url: 'https://API.Mistral.AI/v1' }, kind: 'mistral', path: '/v1/chat/completions' },
  { told: { base_url: 'https://eu.api.x.ai/v1' }, kind: 'xai', path: '/v1/chat/completions' },
  { told: { base_url: 'https://api.openai.com.example/v1' }, kind: 'openai-compatible', path: '/v1/chat/completions' },
  { told: { base_url: 'https://notapi.openai.com/v1' }, kind: 'openai-compatible', path: '/v1/chat/completions' },
  { told: { base_url: 'http://10.0.0.1:8000' }, kind: 'openai-compatible', path: '/chat/completions' },
  { told: { base_url: 'https://api.openai.com/v1', kind: 'vllm' }, kind: 'vllm', path: '/v1/chat/completions' },
  ...['https://a.openai.azure.com', 'https://a.openai.azure.com/', 'https://a.openai.azure.com/openai'].map(
    baseUrl => ({
      ...{ told: { base_url: baseUrl }, kind: 'azure' as const, header: 'api-key' },
      path: '/openai/deployments/a%20b%2Fc/chat/completions?api-version=2024-10-21',
    }),
  ),
  {
    told: { base_url: 'https://gateway.example/azure', kind: 'azure', api_version: '2025-03-01-preview' },
    ...{ kind: 'azure', header: 'api-key' },
    path: '/azure/openai/deployments/a%20b%2Fc/chat/completions?api-version=2025-03-01-preview',
  },
  {
    told: { base_url: 'https://a.services.ai.azure.com/openai/v1/' },
    ...{ kind: 'azure', header: 'api-key', path: '/openai/v1/chat/completions' },
  },
  {
    told: { base_url: 'https://a.openai.azure.com/openai/v1', api_version: 'preview' },
    ...{ kind: 'azure', header: 'api-key', path: '/openai/v1/chat/completions?api-version=preview' },
  },
]

test('the kind, the address, the paths and the header of the key follow from the settings', () => {
  for (const { told, kind, baseUrl = told.base_url, path, header = 'authorization' } of places) {
    const place = placeOf(told)
    assert.equal(place.kind.name, kind, told.base_url)
    assert.equal(place.baseUrl, baseUrl)
    assert.equal(place.path('/chat/completions', 'a b/c'), path)
    assert.deepEqual(place.keyHeader('K'), [header, header === 'api-key' ? 'K' : 'Bearer K'])
    assert.equal(place.listsCallable, kind !== 'azure')
    assert.match(place.modelsPath, /^[^?]*\/models(\?api-version=.+)?$/)
  }
  assert.throws(() => placeOf({ kind: 'vllm' }), TypeError)
})

test('every kind has a row in the table, and those with a usual address are told by its host', () => {
  for (const name of kindNames) {
    const kind = kindOf({ kind: name })
    assert.equal(kind.name, name)
    if (kind.baseUrl?.startsWith('https:')) assert.equal(kindOf({ base_url: kind.baseUrl }).name, name)
  }
})

const entra = { tenant_id: 't', client_id: 'c', client_secret: 's' }
const azure = { base_url: 'https://a.openai.azure.com' }
const problems: [object, RegExp | undefined][] = [
  [{}, /^base_url is missing/],
  [{ kind: 'vllm' }, /^base_url is missing: .*`vllm`/],
  [{ kind: 'ollama' }, undefined],
  [azure, undefined],
  [{ ...azure, entra }, undefined],
  [{ ...azure, kind: 'openai', entra }, /^entra is for Azure OpenAI.*`openai`/],
  [{ kind: 'openai', api_version: '2024-10-21' }, /^api_version is for Azure OpenAI/],
  [{ ...azure, entra, api_key: 'k' }, /^entra and `api_key` are two ways/],
  [{ ...azure, entra: { tenant_id: 't', client_id: 'c' } }, /^entra needs one of/],
  [{ ...azure, entra: { ...entra, token_file: '/x' } }, /^entra needs one of/],
  [{ ...azure, expose: 'all' }, /^expose cannot be `all`/],
  [{ ...azure, expose: ['a'] }, undefined],
]

test('settings that do not go together are told with the name of the one to look at', () => {
  for (const [settings, expected] of problems) {
    const problem = placeProblem(settings)
    if (expected === undefined) assert.equal(problem, undefined, JSON.stringify(settings))
    else assert.match(`${problem?.path.join('.')} ${problem?.message}`, expected)
  }
})

test('an engine takes from the settings what the kind wants, and nothing else', () => {
  assert.deepEqual(kindOptions({ kind: 'ollama', n: 'native', lenient: true }), {
    ...{ kind: 'ollama', baseUrl: 'http://127.0.0.1:11434/v1', choices: 'native', lenient: true },
  })
  assert.deepEqual(kindOptions({ ...azure, api_version: '2024-10-21' }), {
    ...{ kind: 'azure', baseUrl: azure.base_url, apiVersion: '2024-10-21' },
  })
})
