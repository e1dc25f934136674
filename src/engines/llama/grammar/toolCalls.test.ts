import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Fault } from '../../../lib/faults.ts'
import { matcher } from './harness.ts'
import { type ToolCall, toolCallGrammar } from './toolCalls.ts'

const hermes = (name: string, parameters: unknown, index = 0): ToolCall => ({
  prefix: `<tool_call>\n{"name": "${name}", "arguments": `,
  parameters,
  suffix: '}\n</tool_call>',
  place: { param: `tools.${index}.function.parameters`, subject: `function '${name}'` },
})
const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Ulm"}}\n</tool_call>'
const time = '<tool_call>\n{"name": "time", "arguments": {}}\n</tool_call>'

describe('toolCallGrammar', () => {
  it('frames the arguments of one tool', () => {
    const grammar = matcher(toolCallGrammar({ calls: [hermes('weather', city)], most: 1 }).text)
    assert.equal(grammar.matches(call), true)
    for (const text of [
      '',
      call.replace('Ulm"', 'Ulm'),
      call.replace('city', 'town'),
      `${call}\n${call}`,
      time,
      '{"city":"Ulm"}',
    ])
      assert.equal(grammar.matches(text), false, text)
  })

  it('lets a reply call several tools, with text before, between and after', () => {
    const calls = [hermes('weather', city), hermes('time', undefined, 1)]
    const grammar = matcher(toolCallGrammar({ calls, opening: '[', separator: ',\n', closing: ']', most: 3 }).text)
    for (const text of [`[${call}]`, `[${time},\n${call}]`, `[${time},\n${time},\n${call}]`])
      assert.equal(grammar.matches(text), true, text)
    for (const text of ['[]', `[${time},\n${time},\n${time},\n${call}]`, `[${time}${call}]`, call])
      assert.equal(grammar.matches(text), false, text)
  })

  it('makes arguments an object, whatever the schema leaves open', () => {
    const grammar = matcher(toolCallGrammar({ calls: [{ ...hermes('f', {}), prefix: '', suffix: '' }], most: 1 }).text)
    assert.deepEqual(
      ['{}', '{"a":[1]}', '[]', '1', 'null'].map(text => grammar.matches(text)),
      [true, true, false, false, false],
    )
  })

  it('takes any text as framing', () => {
    const framing = { prefix: '"\\[]^-\n{}é🙂', suffix: '\u0001"' }
    const grammar = matcher(toolCallGrammar({ calls: [{ ...hermes('f', undefined), ...framing }], most: 1 }).text)
    assert.equal(grammar.matches(`${framing.prefix}{}${framing.suffix}`), true)
  })

  it('names the tool whose schema is refused', () => {
    const calls = [hermes('weather', city), hermes('time', { properties: { a: { not: {} } } }, 1)]
    assert.throws(
      () => toolCallGrammar({ calls, most: 1 }),
      (error: unknown) => error instanceof Fault && error.param === 'tools.1.function.parameters.properties.a.not',
    )
    assert.throws(
      () => toolCallGrammar({ calls: [hermes('weather', { type: 'string' })], most: 1 }),
      (error: unknown) => error instanceof Fault && /function 'weather'.*no value/.test(error.message),
    )
  })
})
