import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import type { CompletionRequest } from '../../wire/completions.ts'
import { grammarCache, jsonGrammar } from '../llama/grammar/index.ts'
import type { Described } from './host.ts'
import { chatPlan, completionPlan } from './request.ts'
import { withDefaults } from './settings.ts'

const described = (more: Partial<Described> = {}): Described => ({
  purpose: 'generate',
  context: 2048,
  vocabularySize: 100,
  tokenBytesMax: 8,
  template: { source: 'enable_thinking', bosText: '', eosText: '', controlSpellings: [] },
  encoding: null,
  dimensions: 0,
  probabilities: false,
  fingerprint: 'fp_0',
  memoryBytes: 1,
  start: 7,
  ...more,
})
const against = (more: Partial<Described> = {}) => ({
  settings: withDefaults({
    name: 'm',
    binary: '/llama-server',
    file: '/m.gguf',
    version: '0',
    clock: systemClock,
    log: silentLog,
  }),
  description: described(more),
  callsTools: true,
  grammars: grammarCache({ countMax: 4, charactersMax: 100_000 }),
})
const planned = (request: Partial<ChatRequest>, more: Partial<Described> = {}) =>
  chatPlan({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...request }, 5, against(more))
const bodyOf = (request: Partial<ChatRequest>) => planned(request).parts[0]?.body ?? {}
const completed = (request: Partial<CompletionRequest>, more: Partial<Described> = {}) =>
  completionPlan({ model: 'm', prompt: 'a', ...request }, 5, against(more))

const weather = {
  type: 'function' as const,
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
}
const time = { type: 'function' as const, function: { name: 'time' } }

const chatRefusals: { name: string; request: Partial<ChatRequest>; param: string; code: string }[] = [
  { name: 'logprobs', request: { logprobs: true }, param: 'logprobs', code: 'unsupported_parameter' },
  {
    name: 'a bias for a token that does not exist',
    request: { logit_bias: { '100': 1 } },
    param: 'logit_bias',
    code: 'invalid_value',
  },
  { name: 'a bias for no token', request: { logit_bias: { x: 1 } }, param: 'logit_bias', code: 'invalid_value' },
  {
    name: 'a function that is not offered',
    request: { tools: [time], tool_choice: { type: 'function', function: { name: 'weather' } } },
    param: 'tool_choice',
    code: 'invalid_value',
  },
  {
    name: 'a call demanded without tools',
    request: { tool_choice: 'required' },
    param: 'tool_choice',
    code: 'invalid_value',
  },
  {
    name: 'custom tools',
    request: { tools: [{ type: 'custom', custom: { name: 'x' } }] },
    param: 'tools.0.type',
    code: 'unsupported_value',
  },
  {
    name: 'strict arguments that would not be held',
    request: {
      tools: [
        {
          type: 'function',
          function: {
            name: 'x',
            strict: true,
            parameters: {
              type: 'object',
              properties: { minimum: { type: 'number', minimum: 3 } },
              required: ['minimum'],
              additionalProperties: false,
            },
          },
        },
      ],
    },
    param: 'tools.0.function.parameters',
    code: 'unsupported_value',
  },
  {
    name: 'a form beside tools',
    request: { tools: [time], response_format: { type: 'json_object' } },
    param: 'response_format',
    code: 'invalid_parameter_combination',
  },
  {
    name: 'a schema that is none',
    request: { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'animal' } } } },
    param: 'response_format.json_schema.schema.type',
    code: 'invalid_json_schema',
  },
  {
    name: 'an effort the template does not know',
    request: { reasoning_effort: 'high' },
    param: 'reasoning_effort',
    code: 'unsupported_value',
  },
  {
    name: 'an image at an address',
    request: {
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://10.0.0.1/a.png' } }] }],
    },
    param: 'messages[0].content[0].image_url.url',
    code: 'unsupported_value',
  },
]

for (const { name, request, param, code } of chatRefusals)
  test(`a chat is refused with its parameter: ${name}`, () => {
    assert.throws(
      () => planned(request),
      (error: unknown) => {
        assert.ok(error instanceof Fault, String(error))
        assert.deepEqual([error.status, error.param, error.code], [400, param, code])
        return true
      },
    )
  })

const completionRefusals: [Partial<CompletionRequest>, param: string][] = [
  [{ echo: true }, 'echo'],
  [{ suffix: 'x' }, 'suffix'],
  [{ logprobs: 0 }, 'logprobs'],
  [{ best_of: 3 }, 'best_of'],
  [{ prompt: [99, 100] }, 'prompt'],
  [{ prompt: Array(20).fill('x'), n: 128 }, 'n'],
]

for (const [request, param] of completionRefusals)
  test(`a completion is refused with its parameter: ${param}`, () => {
    assert.throws(
      () => completed(request),
      (error: unknown) => error instanceof Fault && error.status === 400 && error.param === param,
    )
  })

test('what says nothing is let through, and not sent', () => {
  const { body } = completed({ echo: false, suffix: '', logprobs: null, best_of: 1, logit_bias: {} }).parts[0] ?? {}
  for (const name of ['echo', 'suffix', 'logprobs', 'best_of', 'logit_bias']) assert.ok(!(name in (body ?? {})), name)
})

test('tools are refused where the template would leave them out', () => {
  const request: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] }
  const silent = { ...against(), callsTools: false }
  assert.throws(() => chatPlan({ ...request, tools: [time] }, 5, silent), { param: 'tools' })
  assert.throws(() => chatPlan({ ...request, functions: [{ name: 'x' }] }, 5, silent), { param: 'functions' })
  assert.equal(chatPlan({ ...request, tools: [time], tool_choice: 'none' }, 5, silent).parts.length, 1)
})

test('with a projector a prompt is a text', () => {
  const sees = against({ template: { source: '', bosText: '<s>', eosText: '</s>', controlSpellings: [] } })
  sees.settings = { ...sees.settings, mmproj: '/eyes.gguf' }
  const plan = (prompt: string | number[]) => completionPlan({ model: 'm', prompt }, 5, sees).parts[0]?.body.prompt
  assert.equal(plan('a'), 'a')
  assert.equal(plan(''), '<s>')
  assert.throws(() => plan([1, 2]), { param: 'prompt' })
})

test('an empty prompt is the token that begins a text, which the server would not put there', () => {
  assert.deepEqual(completed({ prompt: '' }).parts[0]?.body.prompt, [7])
  assert.deepEqual(completed({ prompt: null }).parts[0]?.body.prompt, [7])
  assert.throws(() => completed({ prompt: '' }, { start: undefined }), { param: 'prompt' })
})

test('the server is asked with the words it knows for a choice of tools', () => {
  const tools = [weather, time]
  const told = (choice: ChatRequest['tool_choice'] = null) => {
    const { tools: offered, tool_choice, parallel_tool_calls } = bodyOf({ tools, tool_choice: choice })
    return [offered, tool_choice, parallel_tool_calls]
  }
  assert.deepEqual(told(), [tools, 'auto', true])
  assert.deepEqual(told('required'), [tools, 'required', true])
  assert.deepEqual(told('none'), [undefined, undefined, undefined])
  assert.deepEqual(told({ type: 'function', function: { name: 'time' } }), [[time], 'required', false])
  const allowed = { mode: 'auto' as const, tools: [{ type: 'function', function: { name: 'weather' } }] }
  assert.deepEqual(told({ type: 'allowed_tools', allowed_tools: allowed }), [[weather], 'auto', true])
  assert.equal(bodyOf({ tools, parallel_tool_calls: false }).parallel_tool_calls, false)
})

test('the older form of calls becomes the newer one, and is remembered', () => {
  const plan = planned({
    functions: [{ name: 'time' }],
    function_call: { name: 'time' },
    messages: [
      { role: 'user', content: 'When?', name: 'Ann' },
      { role: 'assistant', content: null, function_call: { name: 'time', arguments: '{}' } },
      { role: 'function', name: 'time', content: 'noon' },
    ],
  })
  assert.deepEqual([plan.older, plan.named], [true, true])
  assert.deepEqual(plan.parts[0]?.body.tools, [time])
  assert.deepEqual(plan.parts[0]?.body.messages, [
    { role: 'user', content: 'Ann: When?' },
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'function-1', type: 'function', function: { name: 'time', arguments: '{}' } }],
    },
    { role: 'tool', content: 'noon', tool_call_id: 'function-1', name: 'time' },
  ])
})

test('results of tools carry the name of their call, refusals and thoughts stay what was said', () => {
  const { messages } = bodyOf({
    messages: [
      { role: 'developer', content: 'Be kind.' },
      { role: 'assistant', content: null, refusal: 'I will not.' },
      { role: 'assistant', tool_calls: [{ id: 'c1', type: 'function', function: { name: 'time', arguments: '{}' } }] },
      {
        role: 'tool',
        tool_call_id: 'c1',
        content: [
          { type: 'text', text: 'no' },
          { type: 'text', text: 'on' },
        ],
      },
    ],
  })
  assert.deepEqual(messages, [
    { role: 'developer', content: 'Be kind.' },
    { role: 'assistant', content: 'I will not.' },
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'time', arguments: '{}' } }],
    },
    { role: 'tool', content: 'noon', tool_call_id: 'c1', name: 'time' },
  ])
})

test('a reply in JSON is held by a grammar of ours', () => {
  assert.equal(bodyOf({ response_format: { type: 'json_object' } }).grammar, jsonGrammar.text)
  const schema = {
    type: 'object',
    properties: { a: { type: 'integer' } },
    required: ['a'],
    additionalProperties: false,
  }
  const { grammar, response_format } = bodyOf({
    response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } },
  })
  assert.match(String(grammar), /^root ::= /m)
  assert.equal(response_format, undefined)
  assert.equal(bodyOf({ response_format: { type: 'text' } }).grammar, undefined)
})

test('an effort of none switches thinking off where the template can', () => {
  assert.deepEqual(bodyOf({ reasoning_effort: 'none' }).chat_template_kwargs, { enable_thinking: false })
})

test('each choice has a seed of its own, and none is the one that means by chance', () => {
  const seeds = planned({ n: 3, seed: 2 ** 32 - 2 }).parts.map(({ body }) => body.seed)
  assert.deepEqual(seeds, [4_294_967_294, 0, 0])
})
