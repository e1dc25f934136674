import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import { type Callable, forcedGrammar, formatGrammar, formatOrCalls, textOrCalls } from './constraint.ts'
import { dialectOf, type FunctionTool } from './dialects/index.ts'
import { matcher } from './grammar/harness.ts'

const weather: FunctionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    strict: true,
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' } },
      required: ['city'],
      additionalProperties: false,
    },
  },
}
const now: FunctionTool = { type: 'function', function: { name: 'now' } }
const fixture = (name: string) => readFileSync(new URL(`dialects/fixtures/${name}.jinja`, import.meta.url), 'utf8')

/** What a family demands of a reply that must call. */
function demanded(name: string, tools: readonly FunctionTool[], parallel = true, ends = (_: string) => false) {
  const asked = { tools, choice: 'required' as const, parallel, older: false }
  const { forced, callsMax } = dialectOf(fixture(name)).choose(asked)
  assert.ok(forced)
  const callable: Callable = { asked, tools, framing: forced.framing, most: callsMax, ends }
  return { forced, callable }
}

describe('the grammar of demanded calls', () => {
  it('goes on where the prompt ends: at the name, or at the arguments of the only tool', () => {
    const { callable, forced } = demanded('qwen', [weather, now])
    const any = matcher(forcedGrammar(callable, forced))
    const call = 'get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
    const next = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    assert.ok(any.matches(call))
    assert.ok(any.matches(`${call}\n${next}`))
    for (const wrong of ['', 'other", "arguments": {}}\n</tool_call>', call.replace('"Oslo"', '5'), `${call} and`])
      assert.ok(!any.matches(wrong), wrong)
    const one = demanded('qwen', [weather])
    const only = matcher(forcedGrammar(one.callable, one.forced))
    const rest = '{"city": "Oslo"}}\n</tool_call>'
    assert.ok(only.matches(rest))
    assert.ok(only.matches(`${rest}\n<tool_call>\n{"name": "get_weather", "arguments": ${rest}`))
  })

  it('allows one call where calls are not parallel, or the family writes one', () => {
    const rest = 'now", "arguments": {}}\n</tool_call>'
    const single = demanded('qwen', [weather, now], false)
    const grammar = matcher(forcedGrammar(single.callable, single.forced))
    assert.ok(grammar.matches(rest))
    assert.ok(!grammar.begins(`${rest}\n`))
    const llama = demanded('llama', [weather, now])
    const text = 'now", "parameters": {}}'
    assert.ok(matcher(forcedGrammar(llama.callable, llama.forced)).matches(text))
    assert.ok(!matcher(forcedGrammar(llama.callable, llama.forced)).begins(`${text},`))
  })

  it('does not demand a token that ends the reply', () => {
    const { callable, forced } = demanded('harmony', [now], true, spelling => spelling === '<|call|>')
    const grammar = matcher(forcedGrammar(callable, forced))
    assert.ok(grammar.matches('{}'))
    assert.ok(!grammar.begins('{}<'))
  })

  it('spells arguments as rows where the family does', () => {
    const search: FunctionTool = {
      type: 'function',
      function: {
        name: 'search',
        strict: true,
        parameters: {
          type: 'object',
          properties: {
            words: { type: 'string' },
            order: { enum: ['new', 'old'] },
            pages: { type: 'array', items: { $ref: '#/$defs/page' } },
          },
          required: ['words', 'order', 'pages'],
          additionalProperties: false,
          $defs: { page: { type: 'integer', minimum: 1, maximum: 9 } },
        },
      },
    }
    const { callable, forced } = demanded('qwen-coder', [now, search])
    const grammar = matcher(forcedGrammar(callable, forced))
    const row = (key: string, value: string) => `<parameter=${key}>\n${value}\n</parameter>\n`
    const call = (words: string, order: string, pages: string) =>
      `search>\n${row('words', words)}${row('order', order)}${row('pages', pages)}</function>\n</tool_call>`
    assert.ok(grammar.matches('now>\n</function>\n</tool_call>'))
    assert.ok(grammar.matches(call('a "b"\nc', 'new', '[1, 9]')))
    assert.ok(grammar.matches(`${call('a', 'old', '[]')}\n<tool_call>\n<function=${call('b', 'new', '[2]')}`))
    for (const wrong of ['other', call('a', 'any', '[1]'), call('a', 'new', '[0]'), call('a', 'new', '"x"')])
      assert.ok(!grammar.matches(wrong), wrong)
    const glm = demanded('glm', [search])
    const rest =
      '\n<arg_key>words</arg_key>\n<arg_value>a</arg_value>\n<arg_key>order</arg_key>\n<arg_value>new</arg_value>\n<arg_key>pages</arg_key>\n<arg_value>[3]</arg_value>\n</tool_call>'
    assert.ok(matcher(forcedGrammar(glm.callable, glm.forced)).matches(rest))
    const patterned = structuredClone(search)
    Object.assign(patterned.function.parameters ?? {}, {
      properties: { words: { type: 'string', pattern: '^a$' } },
      required: ['words'],
    })
    const held = demanded('qwen-coder', [patterned])
    assert.throws(
      () => forcedGrammar(held.callable, held.forced),
      (error: unknown) => error instanceof Fault && error.param === 'tools.0.function.parameters.properties.words',
    )
  })

  it('holds tools without strict to as much of their schema as can be enforced', () => {
    const odd: FunctionTool = {
      type: 'function',
      function: { name: 'odd', parameters: { type: 'object', not: { required: ['a'] } } },
    }
    const { callable, forced } = demanded('qwen', [odd])
    assert.ok(matcher(forcedGrammar(callable, forced)).matches('{"a": 1}}\n</tool_call>'))
    const named: FunctionTool = { type: 'function', function: { ...odd.function, strict: true } }
    const strict = demanded('qwen', [named])
    assert.throws(
      () => forcedGrammar(strict.callable, strict.forced),
      (error: unknown) => error instanceof Fault && error.code === 'invalid_json_schema',
    )
  })
})

describe('the grammar of a reply that may call', () => {
  it('is any text that holds no mark of a call, and calls behind it', () => {
    const { callable } = demanded('qwen', [weather, now])
    const grammar = matcher(textOrCalls(callable, ''))
    const call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
    for (const text of [
      '',
      'Hello.',
      '<tool',
      'a < b <<tool_calk> {"x": 1}',
      '<think>\nhm\n</think>\n\nYes',
      call,
      ` Wait.\n${call}`,
      `<${call}`,
    ])
      assert.ok(grammar.matches(text), text)
    for (const text of [
      '<tool_call>',
      'x<tool_call>{',
      call.replace('city', 'town'),
      '{"name": "get_weather"',
      '\n[',
      `${call} and`,
    ])
      assert.ok(!grammar.matches(text), text)
  })

  it('is a row of recipients where the family has them', () => {
    const { callable } = demanded('functionary', [weather, now])
    const grammar = matcher(textOrCalls(callable, 'all\n'))
    const call = 'get_weather\n{"city": "Oslo"}'
    for (const text of [call, `${call}>>>now\n{}`, 'all\nHello. 1 >> 0', `all\nLet me see.\n>>>${call}`])
      assert.ok(grammar.matches(text), text)
    for (const text of ['Hello', 'get_weather\n{"town"', 'all\nHm>>>other', `${call} and`])
      assert.ok(!grammar.matches(text), text)
  })

  it('is JSON or calls where the reply must be JSON', () => {
    const { callable } = demanded('qwen', [now])
    const format = formatGrammar({ name: 'a', schema: weather.function.parameters ?? {}, strict: true })
    const either = matcher(formatOrCalls(format, callable, ''))
    const call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    for (const text of ['{"city": "Oslo"}', call, `${call}\n${call}`]) assert.ok(either.matches(text), text)
    for (const text of ['Oslo', '{}', `{"city": "Oslo"}${call}`]) assert.ok(!either.matches(text), text)
    const opened = matcher(formatOrCalls(format, null, '<|channel|>final<|message|>'))
    assert.ok(opened.matches('<|channel|>final<|message|>{"city": "a"}'))
    assert.ok(!opened.begins('{'))
  })
})
