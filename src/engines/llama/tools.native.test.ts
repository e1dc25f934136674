import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { bytesOf, chatml, scriptedModel, stored, tinyModel } from '../../../test/models/make.ts'
import { systemClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import type { ChatChunk, ChatCompletion, ChatRequest, Tool } from '../../wire/chat.ts'
import { collectChat } from '../collect.ts'
import type { Call } from '../engine.ts'
import { type LlamaEngine, llamaEngine } from './index.ts'

const engines: LlamaEngine[] = []
const engine = async (source: Parameters<typeof bytesOf>[0]): Promise<LlamaEngine> => {
  const file = await stored(bytesOf(source))
  const made = llamaEngine({ name: 'm', file, threads: 1, context: 2048, slots: 4, clock: systemClock, log: silentLog })
  engines.push(made)
  return made
}
/** Thinks, speaks and calls two tools; every piece is one token. */
const caller = await engine(
  scriptedModel([
    '<think>',
    'Hm',
    'mm.',
    '</think>',
    '\n\n',
    'One moment.',
    '<tool_call>\n',
    '{"name": "get_weather", "arguments": ',
    '{"city": ',
    '"Oslo"}',
    '}\n</tool_call>',
    '\n<tool_call>',
    '\n{"name": "now", "arguments": {}}',
    '\n</tool_call>',
  ]),
)
const tiny = await engine(tinyModel())
after(() => Promise.all(engines.map(one => one.close())))

let requests = 0
const makeCall = (): Call => ({
  id: `chatcmpl-${requests++}`,
  created: 1,
  signal: new AbortController().signal,
  log: silentLog,
  seed: 3,
  meter: { input() {}, output() {} },
})
const chunksOf = (on: LlamaEngine, more: Partial<ChatRequest>): AsyncIterable<ChatChunk> => {
  assert.ok(on.chat)
  return on.chat({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...more }, makeCall())
}
const chat = (on: LlamaEngine, more: Partial<ChatRequest>): Promise<ChatCompletion> => collectChat(chunksOf(on, more))
async function reply(on: LlamaEngine, more: Partial<ChatRequest>) {
  const [choice] = (await chat(on, more)).choices
  assert.ok(choice)
  const calls = (choice.message.tool_calls ?? []).map(call => {
    assert.ok(call.type === 'function')
    return [call.function.name, call.function.arguments] as const
  })
  return { ...choice.message, calls, finish: choice.finish_reason }
}
const refused = (param: string, code?: string) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.param], [400, param])
  if (code !== undefined) assert.equal(error.code, code)
  return true
}

const weather = {
  name: 'get_weather',
  parameters: {
    type: 'object',
    properties: { city: { enum: ['Oslo', 'Lima'] }, days: { type: 'integer', minimum: 1, maximum: 7 } },
    required: ['city', 'days'],
    additionalProperties: false,
  },
}
const now = { name: 'now' }
const tools: Tool[] = [
  { type: 'function', function: weather },
  { type: 'function', function: now },
]
const strict: Tool[] = [{ type: 'function', function: { ...weather, strict: true } }]
const named = (name: string) => ({ type: 'function' as const, function: { name } })
const seeds = Array.from({ length: 12 }, (_, seed) => seed)

function checkWeather(text: string): void {
  const value: unknown = JSON.parse(text)
  assert.ok(typeof value === 'object' && value !== null && 'city' in value && 'days' in value, text)
  assert.deepEqual(Object.keys(value), ['city', 'days'])
  assert.ok(value.city === 'Oslo' || value.city === 'Lima', text)
  assert.ok(Number.isInteger(value.days) && Number(value.days) >= 1 && Number(value.days) <= 7, text)
}

describe('calls that a model makes by itself', () => {
  it('come apart from thoughts and text', async () => {
    const said = await reply(caller, { tools, temperature: 0 })
    assert.equal(said.reasoning_content, 'Hmmm.')
    assert.equal(said.content, 'One moment.')
    assert.deepEqual(said.calls, [
      ['get_weather', '{"city": "Oslo"}'],
      ['now', '{}'],
    ])
    assert.equal(said.finish, 'tool_calls')
  })

  it('are billed with the thought, which is told apart', async () => {
    const { usage } = await chat(caller, { tools, temperature: 0 })
    assert.deepEqual([usage?.completion_tokens, usage?.completion_tokens_details?.reasoning_tokens], [14, 4]) // with the mark that ends it
    assert.equal((await chat(tiny, { max_tokens: 2 })).usage?.completion_tokens_details, undefined)
  })

  it('are streamed as OpenAI does: id, type and name once, then pieces of the arguments', async () => {
    const deltas: unknown[] = []
    const finishes: unknown[] = []
    for await (const { choices } of chunksOf(caller, { tools, temperature: 0 }))
      for (const { delta, finish_reason } of choices) {
        finishes.push(finish_reason)
        for (const { id, ...call } of delta.tool_calls ?? [])
          deltas.push(id === undefined ? call : { ...call, id: true })
      }
    assert.deepEqual(deltas, [
      { index: 0, id: true, type: 'function', function: { name: 'get_weather', arguments: '' } },
      { index: 0, function: { arguments: '{"city": ' } },
      { index: 0, function: { arguments: '"Oslo"}' } },
      { index: 1, id: true, type: 'function', function: { name: 'now', arguments: '' } },
      { index: 1, function: { arguments: '{}' } },
    ])
    assert.deepEqual(
      finishes.filter(reason => reason !== null),
      ['tool_calls'],
    )
    const [first, second] = [await chat(caller, { tools }), await chat(caller, { tools })]
    const ids = [first, second].flatMap(({ choices }) => choices[0]?.message.tool_calls?.map(({ id }) => id) ?? [])
    assert.equal(new Set(ids).size, 4)
    for (const id of ids) assert.match(id, /^call_[A-Za-z0-9]{24}$/)
  })

  it('stop after the first when calls are not parallel', async () => {
    const said = await reply(caller, { tools, parallel_tool_calls: false })
    assert.deepEqual(
      said.calls.map(([name]) => name),
      ['get_weather'],
    )
    assert.equal(said.finish, 'tool_calls')
  })

  it('are text when there are no tools, or none may be called', async () => {
    for (const more of [{}, { tools, tool_choice: 'none' as const }]) {
      const said = await reply(caller, more)
      assert.deepEqual([said.calls, said.finish], [[], 'stop'])
      assert.match(said.content ?? '', /^One moment\.<tool_call>\n\{"name": "get_weather"/)
      assert.equal(said.reasoning_content, 'Hmmm.')
    }
  })

  it('are cut with the reason length', async () => {
    const said = await reply(caller, { tools, max_tokens: 9 })
    assert.deepEqual([said.calls, said.finish], [[['get_weather', '{"city": ']], 'length'])
  })

  it('come in the older form to those who offer functions', async () => {
    const said = await reply(caller, { functions: [weather, now], temperature: 0 })
    assert.deepEqual(said.function_call, { name: 'get_weather', arguments: '{"city": "Oslo"}' })
    assert.deepEqual([said.calls, said.finish], [[], 'function_call'])
  })

  it('have no logprobs, but the text before them has', async () => {
    const [choice] = (await chat(caller, { tools, logprobs: true, temperature: 0 })).choices
    assert.deepEqual(
      choice?.logprobs?.content?.map(({ token }) => token).filter(token => token.trim() !== ''),
      ['One moment.'],
    )
  })
})

describe('calls that are demanded', () => {
  it('are made by any model, of any of the tools, their arguments fitting the schema', async () => {
    const names = new Set<string>()
    for (const seed of seeds) {
      const said = await reply(tiny, { tools, tool_choice: 'required', parallel_tool_calls: false, seed })
      assert.equal(said.content, null)
      assert.deepEqual([said.calls.length, said.finish], [1, 'tool_calls'])
      const [name, text] = said.calls[0] ?? ['', '']
      names.add(name)
      if (name === 'get_weather') checkWeather(text)
      else assert.equal(text, '{}')
    }
    assert.deepEqual([...names].sort(), ['get_weather', 'now'])
  })

  it('may be several at once', async () => {
    const counts = new Set<number>()
    for (const seed of seeds) {
      const said = await reply(tiny, { tools, tool_choice: 'required', seed, max_tokens: 600 })
      counts.add(said.calls.length)
      if (said.finish !== 'length')
        for (const [name, text] of said.calls) name === 'now' ? assert.equal(text, '{}') : checkWeather(text)
    }
    assert.ok(Math.max(...counts) > 1)
  })

  it('are of the one that is named, and end with stop', async () => {
    for (const seed of seeds) {
      const said = await reply(tiny, { tools, tool_choice: named('get_weather'), seed })
      assert.deepEqual([said.calls.length, said.calls[0]?.[0], said.finish], [1, 'get_weather', 'stop'])
      checkWeather(said.calls[0]?.[1] ?? '')
    }
    const said = await reply(tiny, { functions: [now, weather], function_call: { name: 'get_weather' } })
    assert.equal(said.function_call?.name, 'get_weather')
    checkWeather(said.function_call?.arguments ?? '')
    assert.equal(said.finish, 'stop')
  })

  it('are refused where there is nothing to call', async () => {
    await assert.rejects(chat(tiny, { tool_choice: 'required' }), refused('tool_choice'))
    await assert.rejects(chat(tiny, { tools, tool_choice: named('other') }), refused('tool_choice'))
  })
})

describe('strict tools', () => {
  it('are called with fitting arguments also when the model decides', async () => {
    // A model that likes to call: all its replies begin with the mark of a call.
    const eager = await engine(scriptedModel(['<tool_call>', 'eager']))
    let whole = 0
    for (const seed of seeds.slice(0, 8)) {
      const said = await reply(eager, { tools: strict, seed, temperature: 1, max_tokens: 300 })
      if (said.finish === 'length') continue
      whole++
      assert.ok(said.calls.length > 0)
      for (const [name, text] of said.calls) {
        assert.equal(name, 'get_weather')
        checkWeather(text)
      }
    }
    assert.ok(whole > 0)
  })

  it('leave a model its words', async () => {
    const said = await reply(await engine(scriptedModel(['I would ', 'rather <', 'talk>.'])), { tools: strict })
    assert.deepEqual([said.content, said.finish], ['I would rather <talk>.', 'stop'])
  })

  it('are refused when their schema is not OpenAI’s strict form', async () => {
    const loose: Tool[] = [
      { type: 'function', function: { name: 'f', strict: true, parameters: { type: 'object', properties: {} } } },
    ]
    await assert.rejects(
      chat(tiny, { tools: loose }),
      refused('tools.0.function.parameters.additionalProperties', 'invalid_json_schema'),
    )
  })
})

describe('a reply in JSON', () => {
  const schema = weather.parameters
  const format = (json_schema: { name: string; schema?: Record<string, unknown>; strict?: boolean }) => ({
    response_format: { type: 'json_schema' as const, json_schema },
  })

  it('is an object', async () => {
    let whole = 0
    for (const seed of seeds) {
      const said = await reply(tiny, { response_format: { type: 'json_object' }, seed, max_tokens: 150 })
      if (said.finish === 'length') continue
      whole++
      const value: unknown = JSON.parse(said.content ?? '')
      assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value))
    }
    assert.ok(whole > 0)
  })

  it('fits its schema, strict or not', async () => {
    for (const seed of seeds) {
      const said = await reply(tiny, { ...format({ name: 'a', schema, strict: seed % 2 === 0 }), seed, temperature: 2 })
      assert.equal(said.finish, 'stop')
      checkWeather(said.content ?? '')
    }
  })

  it('fits it beside bans, penalties, logprobs and several choices', async () => {
    const { choices } = await chat(tiny, {
      ...format({ name: 'a', schema, strict: true }),
      n: 3,
      logprobs: true,
      top_logprobs: 2,
      frequency_penalty: 2,
      logit_bias: { 79: -100 }, // O
    })
    for (const { message, logprobs } of choices) {
      checkWeather(message.content ?? '')
      assert.equal(logprobs?.content?.map(({ token }) => token).join(''), message.content)
    }
  })

  it('holds no control tokens, whose text is not shown', async () => {
    const word = {
      type: 'object',
      properties: { a: { type: 'string', minLength: 12, maxLength: 14 } },
      required: ['a'],
    }
    const control = { logit_bias: { 353: 60 } } // <|im_start|>, of 12 characters
    for (const seed of seeds) {
      const said = await reply(tiny, { ...format({ name: 'a', schema: word }), ...control, seed })
      const { a } = JSON.parse(said.content ?? '')
      assert.ok([...a].length >= 12, said.content ?? '')
    }
  })

  it('is given after a thought that the template begins, and beside tools', async () => {
    const thinking = await engine(
      tinyModel({ template: chatml.replace("'<|im_start|>assistant\\n'", "'<|im_start|>assistant\\n<think>\\n'") }),
    )
    const said = await reply(thinking, { ...format({ name: 'a', schema }), seed: 1 })
    checkWeather(said.content ?? '')
    const either = { ...format({ name: 'a', schema }), tools, seed: 1 }
    const json = await reply(tiny, { ...either, logit_bias: { 123: 100 } }) // {
    assert.deepEqual(json.calls, [])
    checkWeather(json.content ?? '')
    const called = await reply(tiny, { ...either, logit_bias: { 60: 20 }, parallel_tool_calls: false }) // <
    assert.deepEqual([called.content, called.calls.length], [null, 1])
  })

  it('is refused for a schema that cannot be enforced, and the model stays up', async () => {
    const at = 'response_format.json_schema.schema'
    const bomb = { type: 'object', properties: { a: { type: 'string', pattern: '(a|a)*{99999}' } } }
    await assert.rejects(chat(tiny, format({ name: 'a', schema: bomb })), (error: unknown) => {
      assert.ok(error instanceof Fault && error.status === 400 && error.param?.startsWith(at), String(error))
      return true
    })
    await assert.rejects(
      chat(tiny, format({ name: 'a', schema: { type: 'object', properties: { a: {} } }, strict: true })),
      (error: unknown) => error instanceof Fault && error.code === 'invalid_json_schema',
    )
    assert.equal((await reply(tiny, { max_tokens: 1 })).finish, 'length')
  })
})

describe('a conversation with calls', () => {
  it('shows the model calls, results, thoughts and names', async () => {
    const call = { id: 'c', type: 'function' as const, function: { name: 'now', arguments: '{}' } }
    const plain = (await chat(tiny, { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 })).usage
    const messages: ChatRequest['messages'] = [
      { role: 'user', content: 'Hi', name: 'ann' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c', content: 'noon' },
    ]
    const shown = (await chat(tiny, { messages, tools, max_tokens: 1 })).usage
    assert.ok((shown?.prompt_tokens ?? 0) > (plain?.prompt_tokens ?? 0) + 40)
    const unnamed = messages.with(0, { role: 'user', content: 'Hi' })
    const less = (await chat(tiny, { messages: unnamed, tools, max_tokens: 1 })).usage
    assert.ok((less?.prompt_tokens ?? 0) < (shown?.prompt_tokens ?? 0))
  })
})

describe('reasoning_effort', () => {
  const tokens = async (on: LlamaEngine, more: Partial<ChatRequest>) =>
    (await chat(on, { max_tokens: 1, ...more })).usage?.prompt_tokens ?? 0
  const prefixed = (text: string) => engine(tinyModel({ template: text + chatml }))

  it('is told to templates that know it', async () => {
    const wordy = await prefixed('{%- if reasoning_effort %}Reasoning: {{ reasoning_effort }} {%- endif %}')
    const plain = await tokens(wordy, {})
    assert.ok((await tokens(wordy, { reasoning_effort: 'high' })) > plain)
    await assert.rejects(chat(wordy, { reasoning_effort: 'none' }), refused('reasoning_effort', 'unsupported_value'))
    const switching = await prefixed(
      '{%- if enable_thinking is defined and not enable_thinking %}No thoughts. {%- endif %}',
    )
    assert.ok((await tokens(switching, { reasoning_effort: 'none' })) > (await tokens(switching, {})))
    await assert.rejects(chat(switching, { reasoning_effort: 'low' }), refused('reasoning_effort', 'unsupported_value'))
  })

  it('is refused where it would make no difference', async () => {
    await assert.rejects(chat(tiny, { reasoning_effort: 'low' }), refused('reasoning_effort', 'unsupported_value'))
  })
})
