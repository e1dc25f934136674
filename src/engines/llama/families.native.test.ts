import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { bytesOf, stored, tinyModel } from '../../../test/models/make.ts'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import type { ChatCompletion, ChatRequest, Tool } from '../../wire/chat.ts'
import { collectChat } from '../collect.ts'
import { type LlamaEngine, llamaEngine } from './index.ts'

const fixture = (name: string) => readFileSync(new URL(`dialects/fixtures/${name}.jinja`, import.meta.url), 'utf8')
const families = [
  'chatml',
  'deepseek',
  'deepseek-plain',
  'function-tags',
  'functionary',
  'gemma-strict',
  'glm',
  'harmony',
  'hermes',
  'llama',
  'mistral',
  'mistral-args',
  'phi',
  'qwen',
  'qwen-coder',
  'qwen-thinking',
]

const parameters = {
  type: 'object',
  properties: {
    city: { type: 'string', enum: ['Oslo', 'Lima'] },
    days: { type: 'integer', minimum: 1, maximum: 7 },
  },
  required: ['city', 'days'],
  additionalProperties: false,
}
const tools: Tool[] = ['get_weather', 'book'].map(name => ({
  type: 'function',
  function: { name, description: 'Does it.', parameters, strict: true },
}))

function checkTrip(text: string | null | undefined): void {
  const trip: unknown = JSON.parse(text ?? '')
  assert.ok(typeof trip === 'object' && trip !== null && 'city' in trip && 'days' in trip, text ?? '')
  assert.ok(trip.city === 'Oslo' || trip.city === 'Lima', text ?? '')
  assert.ok(Number.isInteger(trip.days) && Number(trip.days) >= 1 && Number(trip.days) <= 7, text ?? '')
}

function chat(on: LlamaEngine, more: Partial<ChatRequest>): Promise<ChatCompletion> {
  assert.ok(on.chat)
  const signal = new AbortController().signal
  const meter = { input() {}, output() {} }
  const request = {
    model: 'm',
    messages: [{ role: 'user' as const, content: 'Hi' }],
    max_tokens: 250,
    seed: 4,
    ...more,
  }
  return collectChat(on.chat(request, { id: 'chatcmpl-1', created: 1, signal, log: silentLog, seed: 3, meter }))
}

describe('a model that knows nothing of tools, behind the template of a family', () => {
  for (const family of families)
    it(`calls what it must and answers in JSON: ${family}`, async () => {
      const file = await stored(bytesOf(tinyModel({ template: fixture(family) })))
      const engine = llamaEngine({ name: 'm', file, threads: 1, context: 2048, clock: systemClock, log: silentLog })
      try {
        const named = await chat(engine, { tools, tool_choice: { type: 'function', function: { name: 'book' } } })
        const [call, other] = named.choices[0]?.message.tool_calls ?? []
        assert.ok(call?.type === 'function' && other === undefined, JSON.stringify(named.choices))
        assert.equal(call.function.name, 'book')
        checkTrip(call.function.arguments)
        const any = await chat(engine, { tools, tool_choice: 'required', parallel_tool_calls: false })
        const [first] = any.choices[0]?.message.tool_calls ?? []
        assert.ok(first?.type === 'function', JSON.stringify(any.choices))
        checkTrip(first.function.arguments)
        const response_format = { type: 'json_schema' as const, json_schema: { name: 'trip', schema: parameters } }
        checkTrip((await chat(engine, { response_format })).choices[0]?.message.content)
      } finally {
        await engine.close()
      }
    })
})
