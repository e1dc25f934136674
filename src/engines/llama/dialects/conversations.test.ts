import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Fault } from '../../../lib/faults.ts'
import type { ChatMessage } from '../../../wire/chat.ts'
import { ChatTemplate } from '../templates.ts'
import type { Conversation, FunctionTool, TemplateTurn } from './dialect.ts'
import { dialectOf } from './index.ts'

const folder = new URL('fixtures/', import.meta.url)
const fixture = (file: string) => readFileSync(new URL(file, folder), 'utf8')
const names = readdirSync(folder)
  .filter(file => file.endsWith('.jinja'))
  .map(file => file.slice(0, -'.jinja'.length))

const weather: FunctionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: null,
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
    strict: true,
  },
}
const call = (id: string, text: string) =>
  ({ type: 'function', id, function: { name: 'get_weather', arguments: text } }) as const

/** Text and two calls at once, their results out of order. */
const visit: readonly ChatMessage[] = [
  { role: 'developer', content: 'Be brief.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'Oslo ' },
      { type: 'text', text: 'or Lima?' },
    ],
  },
  {
    role: 'assistant',
    content: 'Wait.',
    tool_calls: [call('call_1', '{"city": "Oslo"}'), call('call_2', '{"city":"Lima"}')],
  },
  { role: 'tool', tool_call_id: 'call_2', content: '19' },
  { role: 'tool', tool_call_id: 'call_1', content: '8' },
]

function render(name: string, { messages, tools }: Conversation): string {
  const template = new ChatTemplate({
    source: fixture(`${name}.jinja`),
    bosText: '<s>',
    eosText: '</s>',
    controlSpellings: [],
  })
  return template
    .render(messages, tools)
    .map(({ text }) => text)
    .join('')
}

const shown = (name: string, messages: readonly ChatMessage[], tools: readonly FunctionTool[] = []) =>
  dialectOf(fixture(`${name}.jinja`)).conversation(messages, tools)

const roles = (turns: readonly TemplateTurn[]) => turns.map(({ role, content }) => `${role}: ${content}`)

describe('a conversation with tools', () => {
  for (const name of names)
    it(`is rendered as the family was trained: ${name}`, () => {
      assert.equal(`${render(name, shown(name, visit, [weather]))}\n`, fixture(`${name}.prompt.txt`))
    })

  it('is told apart by the template alone', () => {
    assert.deepEqual(Object.fromEntries(names.map(name => [name, dialectOf(fixture(`${name}.jinja`)).family])), {
      actions: 'own-json',
      braces: 'own-braces',
      chatml: 'generic',
      deepseek: 'deepseek',
      'deepseek-plain': 'deepseek-v3.1',
      'function-tags': 'function-tags',
      functionary: 'functionary',
      gemma: 'generic',
      'gemma-strict': 'generic',
      glm: 'glm',
      harmony: 'harmony',
      hermes: 'hermes',
      keyed: 'own-keyed',
      llama: 'llama',
      mistral: 'mistral',
      'mistral-args': 'mistral-args',
      named: 'own-named',
      phi: 'phi',
      'phi-text': 'phi',
      'python-calls': 'lfm',
      qwen: 'hermes',
      'qwen-coder': 'qwen-coder',
      'qwen-thinking': 'hermes',
      rows: 'own-rows',
    })
  })

  it('renders without tools, and without calls, in every family', () => {
    for (const name of names.filter(each => each !== 'hermes')) {
      const text = render(name, shown(name, [{ role: 'user', content: 'Hi' }]))
      assert.ok(text.includes('Hi') && !text.includes('get_weather'), name)
    }
  })
})

describe('tools', () => {
  it('are whole where a template looks inside, and otherwise as they were given', () => {
    const bare: FunctionTool = { type: 'function', function: { name: 'now', parameters: { type: 'object' } } }
    assert.deepEqual(shown('qwen', [], [bare]).tools, [bare])
    assert.deepEqual(shown('hermes', [], [bare]).tools, [
      {
        type: 'function',
        function: { name: 'now', description: '', parameters: { type: 'object', properties: {} } },
      },
    ])
    for (const name of names) assert.ok(render(name, shown(name, visit, [bare])).includes('now'), name)
  })
})

describe('messages', () => {
  it('in the older form of calls are those of the newer', () => {
    const older: ChatMessage[] = [
      { role: 'user', content: 'Oslo?' },
      { role: 'assistant', content: null, function_call: { name: 'get_weather', arguments: '{"city": "Oslo"}' } },
      { role: 'function', name: 'get_weather', content: '8' },
    ]
    const [, asked, answered] = shown('qwen', older).messages
    assert.deepEqual(asked?.tool_calls, [
      { id: 'function-1', type: 'function', function: { name: 'get_weather', arguments: { city: 'Oslo' } } },
    ])
    assert.deepEqual(answered, { role: 'tool', content: '8', tool_call_id: 'function-1', name: 'get_weather' })
    assert.ok(render('mistral', shown('mistral', older)).includes('[TOOL_CALLS]'))
  })

  it('name their participants in the text, where templates know no names', () => {
    assert.deepEqual(roles(shown('qwen', [{ role: 'user', name: 'Ann', content: 'Hi' }]).messages), ['user: Ann: Hi'])
  })

  it('of the system stand where the template takes them', () => {
    const spread: ChatMessage[] = [
      { role: 'system', content: 'a' },
      { role: 'developer', content: 'b' },
      { role: 'user', content: 'c' },
      { role: 'system', content: 'd' },
    ]
    assert.deepEqual(roles(shown('qwen', spread).messages), ['system: a', 'system: b', 'user: c', 'system: d'])
    assert.deepEqual(roles(shown('phi', spread).messages), ['system: a\n\nb', 'user: c', 'user: d'])
    assert.deepEqual(roles(shown('gemma', spread).messages), ['system: a\n\nb', 'user: c\n\nd'])
    assert.deepEqual(roles(shown('mistral', spread).messages), ['user: c\n\na\n\nb\n\nd'])
    assert.deepEqual(roles(shown('gemma-strict', spread).messages), ['user: a\n\nb\n\nc\n\nd'])
  })

  it('of one role in a row become one where roles must alternate', () => {
    const row: ChatMessage[] = [
      { role: 'user', content: 'a' },
      { role: 'user', content: 'b' },
      { role: 'assistant', content: 'c' },
      { role: 'assistant', content: 'd' },
      { role: 'user', content: 'e' },
    ]
    assert.deepEqual(roles(shown('mistral', row).messages), ['user: a\n\nb', 'assistant: c\n\nd', 'user: e'])
    assert.equal(shown('qwen', row).messages.length, 5)
  })

  it('carry arguments that are no JSON as they are', () => {
    const broken: ChatMessage[] = [{ role: 'assistant', content: null, tool_calls: [call('a', '{"city"')] }]
    const given = (name: string) => {
      const calls = shown(name, broken).messages[0]?.tool_calls
      return JSON.stringify(calls)
    }
    assert.ok(given('qwen').includes(JSON.stringify({ arguments: '{"city"' }).slice(1, -1)))
    assert.ok(given('deepseek').includes(JSON.stringify({ arguments: '{"city"' }).slice(1, -1)))
    assert.ok(given('qwen-coder').includes(JSON.stringify({ arguments: { arguments: '{"city"' } }).slice(1, -1)))
  })

  it('give results in the order of their calls, since templates show no ids', () => {
    assert.deepEqual(roles(shown('qwen', visit).messages).slice(-2), ['tool: 8', 'tool: 19'])
    assert.deepEqual(roles(shown('llama', visit).messages).slice(-5), [
      'assistant: Wait.',
      'assistant: ',
      'tool: 8',
      'assistant: ',
      'tool: 19',
    ])
  })

  it('of the system are not lost to a template that prints them beside the last message alone', () => {
    assert.ok(render('mistral', shown('mistral', visit)).includes('[INST]Be brief.\n\nOslo or Lima?[/INST]'))
  })

  it('carry arguments nested beyond reason as text', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    for (const name of ['chatml', 'qwen', 'qwen-coder']) {
      const { messages } = shown(name, [{ role: 'assistant', content: null, tool_calls: [call('a', deep)] }])
      assert.ok(JSON.stringify(messages).includes(deep), name)
    }
  })

  it('keep ids of nine letters and digits, and give others one that is always the same', () => {
    const ids = (id: string) => {
      const turns = shown('mistral', [
        { role: 'assistant', content: null, tool_calls: [call(id, '{}')] },
        { role: 'tool', tool_call_id: id, content: '' },
      ]).messages
      return [JSON.stringify(turns[0]?.tool_calls), turns[1]?.tool_call_id]
    }
    const [calls, result] = ids('call_abcdefghijklmnopqrstuvwx')
    assert.match(String(result), /^[a-z0-9]{9}$/)
    assert.ok(String(calls).includes(`"id":"${result}"`))
    assert.equal(ids('aB3dE6gH9')[1], 'aB3dE6gH9')
  })

  it('carry thoughts and refusals of earlier turns', () => {
    const thought = { role: 'assistant' as const, content: 'b', reasoning_content: 'a' }
    assert.equal(shown('qwen', [thought]).messages[0]?.reasoning_content, 'a')
    assert.equal(shown('harmony', [thought]).messages[0]?.thinking, 'a')
    assert.deepEqual(roles(shown('qwen', [{ role: 'assistant', content: null, refusal: 'no' }]).messages), [
      'assistant: no',
    ])
  })

  it('that are not text are refused by name', () => {
    assert.throws(
      () =>
        shown('qwen', [
          { role: 'user', content: 'a' },
          { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] },
        ]),
      (error: unknown) => error instanceof Fault && error.param === 'messages.1.content',
    )
  })
})

describe('a hostile template', () => {
  it('is asked for a second and no longer, however much it spends on an answer', () => {
    const loop = '{% for i in range(9000) %}{% for j in range(9) %}{% endfor %}{% endfor %}'
    for (const source of [loop, `${loop}{{ messages|tojson }}{{ tools|tojson }}`]) {
      const before = process.threadCpuUsage().user
      dialectOf(source)
      const millis = (process.threadCpuUsage().user - before) / 1000
      assert.ok(millis < 2000, `${millis} ms`)
    }
  })

  it('is read in little time', () => {
    const parts = [
      '{#',
      'elif ',
      'assistant',
      'raise_exception(',
      ' ',
      '\n',
      '+ a',
      "arguments']",
      'tools',
      'elif assistant ',
    ]
    for (const part of parts) {
      const before = process.threadCpuUsage().user
      dialectOf(part.repeat(Math.ceil(2_000_000 / part.length)))
      const millis = (process.threadCpuUsage().user - before) / 1000
      assert.ok(millis < 1000, `${JSON.stringify(part)}: ${millis} ms`)
    }
  })
})
