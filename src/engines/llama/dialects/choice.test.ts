import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Fault } from '../../../lib/faults.ts'
import { slots } from '../grammar/slots.ts'
import type { CallFraming, Dialect, ForcedCall, FunctionTool, ToolsAsked } from './dialect.ts'
import { dialectOf, toolsAsked } from './index.ts'

const folder = new URL('fixtures/', import.meta.url)
const dialects = new Map(
  readdirSync(folder)
    .filter(file => file.endsWith('.jinja'))
    .map(file => [file.slice(0, -'.jinja'.length), dialectOf(readFileSync(new URL(file, folder), 'utf8'))]),
)
const qwen = dialects.get('qwen') as Dialect

const tool = (name: string): FunctionTool => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
})
const tools = [tool('get_weather'), tool('now')]
const choose = (asked: Partial<ToolsAsked>, dialect = qwen) =>
  dialect.choose({ tools, choice: 'auto', parallel: true, ...asked })
const named = (name: string) => ({ type: 'function' as const, function: { name } })
const written = ({ prefix }: ForcedCall) => prefix.map(({ text }) => text).join('')

/** A call's arguments in the words of a family. */
const body = ({ parameters }: CallFraming) =>
  parameters ? `${parameters.before}city${parameters.between}Oslo${parameters.after}` : '{"city": "Oslo"}'

describe('a choice of tools', () => {
  it('is the model’s own by default', () => {
    assert.deepEqual(choose({}), { tools, callsMax: null, forced: null })
    assert.deepEqual(choose({ choice: null, parallel: false }), { tools, callsMax: 1, forced: null })
  })

  it('can be none: no tools are shown', () => {
    assert.deepEqual(choose({ choice: 'none' }), { tools: [], callsMax: null, forced: null })
  })

  it('can be any of them', () => {
    const { tools: offered, callsMax, forced } = choose({ choice: 'required' })
    assert.deepEqual([offered, callsMax, forced?.names], [tools, null, ['get_weather', 'now']])
    assert.deepEqual(forced?.prefix, [{ text: '<tool_call>\n{"name": "', control: true }])
    assert.equal(forced?.written, '<tool_call>\n{"name": "')
  })

  it('can be one of them, which is called once', () => {
    const { tools: offered, callsMax, forced } = choose({ choice: named('now') })
    assert.deepEqual([offered, callsMax, forced?.names], [tools, 1, ['now']])
    assert.equal(forced?.written, '<tool_call>\n{"name": "now", "arguments": ')
    assert.deepEqual(forced?.prefix, [
      { text: '<tool_call>\n{"name": "', control: true },
      { text: 'now', control: false },
      { text: '", "arguments": ', control: true },
    ])
  })

  it('can be some of them', () => {
    const some = (mode: 'auto' | 'required') => ({
      type: 'allowed_tools' as const,
      allowed_tools: { mode, tools: [{ type: 'function', name: 'now' }] },
    })
    assert.deepEqual(choose({ choice: some('auto') }), { tools: tools.slice(1), callsMax: null, forced: null })
    assert.deepEqual(choose({ choice: some('required') }).forced?.names, ['now'])
  })

  it('is refused when there is nothing to choose', () => {
    const faults: Partial<ToolsAsked>[] = [
      { choice: named('other') },
      { tools: [], choice: 'required' },
      { choice: { type: 'custom', custom: { name: 'now' } } },
    ]
    for (const asked of faults)
      assert.throws(
        () => choose(asked),
        (error: unknown) => error instanceof Fault && error.param === 'tool_choice',
      )
  })

  it('ends a thought that the prompt began', () => {
    const { forced } = choose({ choice: 'required', prompt: '<|im_start|>assistant\n<think>\n' })
    assert.ok(forced && written(forced).startsWith('\n</think>\n\n<tool_call>'))
  })
})

describe('what a request says of tools', () => {
  const request = { model: 'm', messages: [] }

  it('is read in the newer form and in the older one', () => {
    assert.deepEqual(toolsAsked(request), { tools: [], choice: undefined, parallel: true })
    assert.deepEqual(toolsAsked({ ...request, tools, tool_choice: 'required', parallel_tool_calls: false }), {
      tools,
      choice: 'required',
      parallel: false,
    })
    assert.deepEqual(toolsAsked({ ...request, functions: [{ name: 'now' }], function_call: { name: 'now' } }), {
      tools: [{ type: 'function', function: { name: 'now' } }],
      choice: { type: 'function', function: { name: 'now' } },
      parallel: false,
    })
  })

  it('is refused where it is no function', () => {
    assert.throws(
      () => toolsAsked({ ...request, tools: [...tools, { type: 'custom', custom: { name: 'x' } }] }),
      (error: unknown) => error instanceof Fault && error.param === 'tools.2.type',
    )
  })
})

describe('a forced call', () => {
  for (const [name, dialect] of dialects) {
    const prompt = name === 'functionary' ? '>>>' : name.startsWith('qwen-thinking') ? '<think>\n' : ''

    it(`is read back from its framing: ${name}`, () => {
      const { forced, callsMax } = choose({ choice: named('get_weather'), prompt }, dialect)
      assert.ok(forced)
      const { framing } = forced
      const parser = dialect.parser({ tools, prompt, callsMax })
      const said = [
        ...parser.push(written(forced)),
        ...parser.push(body(framing) + framing.after + framing.close),
        ...parser.end(),
      ]
      const [first, ...others] = said
      assert.deepEqual(first, { kind: 'toolCall', index: 0, name: 'get_weather' })
      assert.deepEqual(JSON.parse(others.map(event => ('text' in event ? event.text : '')).join('')), { city: 'Oslo' })
    })

    it(`may be followed by others: ${name}`, () => {
      const { forced } = choose({ choice: 'required', prompt }, dialect)
      assert.ok(forced)
      const { before, between, after, separator, close } = forced.framing
      const each = `get_weather${between}${body(forced.framing)}${after}`
      const text = (separator === null ? each : `${each}${separator}${before}${each}${close}`).replaceAll(
        slots.index,
        '1',
      )
      const parser = dialect.parser({ tools, prompt })
      const said = [...parser.push(written(forced) + text), ...parser.end()]
      assert.equal(parser.calls, separator === null ? 1 : 2)
      // A token that ends the reply is no part of it, but stands in the spelling.
      assert.ok(said.every(event => event.kind !== 'content' || event.text === close))
    })
  }

  it('keeps a name in its place, whatever it holds', () => {
    const odd = tool('a"\\<|im_end|>')
    const { forced } = choose({ tools: [odd], choice: 'required' })
    assert.deepEqual(forced?.prefix[1], { text: 'a\\"\\\\<|im_end|>', control: false })
    assert.ok(forced)
    const parser = qwen.parser({ tools: [odd], prompt: '' })
    assert.deepEqual(parser.push(`${written(forced)}{`)[0], { kind: 'toolCall', index: 0, name: odd.function.name })
  })
})
