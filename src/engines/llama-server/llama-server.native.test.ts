import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { bytesOf, scriptedModel, stored, tinyAdapter, tinyModel } from '../../../test/models/make.ts'
import { plainImage, tinyProjector } from '../../../test/models/projector.ts'
import { llamaServer, needsLlamaServer } from '../../../test/support/llama-server.ts'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import type { ChatChunk, ChatRequest } from '../../wire/chat.ts'
import type { Call } from '../engine.ts'
import { type LlamaServerEngine, type LlamaServerOptions, llamaServerEngine } from './index.ts'

/** The real server, on models without trained weights: what is asked for makes a difference there, and nothing it says is lost. */

const call: Call = {
  id: 'chatcmpl-1',
  created: 1,
  signal: new AbortController().signal,
  log: silentLog,
  seed: 3,
  meter: { input: () => {}, output: () => {} },
}
/** Bytes that are no characters by themselves, by chance, would break off the reply. */
const textAlone = Object.fromEntries(Array.from({ length: 128 }, (_, i) => [128 + i, -100]))

const make = (options: Partial<LlamaServerOptions> & Pick<LlamaServerOptions, 'file'>): LlamaServerEngine =>
  llamaServerEngine({
    name: 'm',
    binary: llamaServer ?? '',
    threads: 1,
    context: 1024,
    version: '0.0.0',
    clock: systemClock,
    log: silentLog,
    ...options,
  })

async function chat(engine: LlamaServerEngine, request: Omit<ChatRequest, 'model'> & { lora?: unknown }) {
  const chunks: ChatChunk[] = []
  const settings = { model: 'm', temperature: 0, max_tokens: 24, logit_bias: textAlone }
  for await (const chunk of engine.chat?.({ ...settings, ...request }, call) ?? []) chunks.push(chunk)
  const choices = chunks.flatMap(chunk => chunk.choices)
  return {
    texts: [0, 1, 2].map(index =>
      choices
        .filter(choice => choice.index === index)
        .map(({ delta }) => delta.content ?? '')
        .join(''),
    ),
    deltas: choices.map(({ delta }) => delta),
    finish: choices.findLast(({ finish_reason }) => finish_reason !== null)?.finish_reason,
    usage: chunks.at(-1)?.usage,
  }
}

const user = (content: string): ChatRequest['messages'] => [{ role: 'user', content }]

describe('llama-server with a model of random weights', needsLlamaServer, () => {
  let engine: LlamaServerEngine
  before(async () => {
    engine = make({
      file: await stored(bytesOf(tinyModel())),
      mmproj: await stored(bytesOf(tinyProjector())),
      adapters: [await stored(bytesOf(tinyAdapter()))],
    })
  })
  after(() => engine.close())

  it('sees images: another image is another reply, the same one the same', async () => {
    const ask = async (colour: readonly [number, number, number]) => {
      const image = { type: 'image_url' as const, image_url: { url: plainImage(colour) } }
      const { texts, usage } = await chat(engine, {
        messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this? ' }, image] }],
      })
      return { text: texts[0], prompt: usage?.prompt_tokens ?? 0 }
    }
    const [red, blue, again] = [await ask([255, 0, 0]), await ask([0, 0, 255]), await ask([255, 0, 0])]
    assert.notEqual(red.text, blue.text)
    assert.equal(red.text, again.text)
    const without = await chat(engine, { messages: user('What is this? ') })
    assert.equal(red.prompt, (without.usage?.prompt_tokens ?? 0) + 4, 'the patches of the image are counted')
  })

  it('works with the adapters a request names, and with no other', async () => {
    const messages = user('Shall I compare thee')
    const plain = (await chat(engine, { messages })).texts[0]
    const adapted = (await chat(engine, { messages, lora: [{ id: 0, scale: 4 }] })).texts[0]
    assert.notEqual(adapted, plain)
    assert.equal((await chat(engine, { messages })).texts[0], plain)
    assert.equal((await chat(engine, { messages, lora: [{ id: 0, scale: 0 }] })).texts[0], plain)
  })

  it('samples each choice by itself, and the same for the same seed', async () => {
    const request = { messages: user('Hi'), temperature: 1, n: 3, seed: 9 }
    const first = await chat(engine, request)
    assert.equal(new Set(first.texts).size, 3)
    assert.deepEqual((await chat(engine, request)).texts, first.texts)
    assert.notDeepEqual((await chat(engine, { ...request, seed: 21 })).texts, first.texts)
  })

  it('has no settings of its own: without limits nearly every token has its chance', async () => {
    const { texts } = await chat(engine, { messages: user('Hi'), temperature: 2, max_tokens: 900, seed: 4 })
    // Of 40 tokens, as the server's own top_k has it, there would be fewer characters.
    assert.ok(new Set(texts[0]).size > 60, `${new Set(texts[0]).size} different characters`)
  })

  it('bans a token, and punishes those that were there', async () => {
    const messages = user('Shall I compare thee')
    const first = (await chat(engine, { messages, max_tokens: 1 })).texts[0] ?? ''
    const ids = await engine.tokenizer.ids?.encode(first, false)
    assert.equal(ids?.length, 1)
    const banned = { ...textAlone, [ids?.[0] ?? 0]: -100 }
    assert.notEqual((await chat(engine, { messages, max_tokens: 1, logit_bias: banned })).texts[0], first)
    const different = async (more: object) => {
      const { texts } = await chat(engine, { messages, max_tokens: 60, ...more })
      return new Set(await engine.tokenizer.ids?.encode(texts[0] ?? '', false)).size
    }
    assert.ok((await different({ presence_penalty: 2, frequency_penalty: 2 })) > (await different({})))
  })

  it('answers in JSON that fits, also where the server’s own grammar would let it go', async () => {
    const schema = {
      type: 'object',
      properties: { size: { type: 'number', minimum: 5, maximum: 7 }, kind: { enum: ['x', 'yy'] } },
      required: ['size', 'kind'],
      additionalProperties: false,
    }
    for (const seed of [1, 2, 3, 4]) {
      const { texts, finish } = await chat(engine, {
        messages: user('Hi'),
        temperature: 1,
        seed,
        max_tokens: 200,
        response_format: { type: 'json_schema', json_schema: { name: 'thing', strict: true, schema } },
      })
      if (finish === 'length') continue
      const { size, kind } = JSON.parse(texts[0] ?? '')
      assert.ok(size >= 5 && size <= 7 && ['x', 'yy'].includes(kind), texts[0])
    }
    const { texts } = await chat(engine, {
      messages: user('Hi'),
      temperature: 1,
      response_format: { type: 'json_object' },
    })
    assert.match(texts[0] ?? '', /^\{/)
  })

  it('continues an empty prompt', async () => {
    const texts: string[] = []
    const request = { model: 'm', prompt: '', temperature: 0, max_tokens: 5, logit_bias: textAlone }
    for await (const { choices } of engine.complete?.(request, call) ?? []) texts.push(choices[0]?.text ?? '')
    assert.ok(texts.join('').length > 0)
  })
})

const hermes = await readFile(new URL('../llama/dialects/fixtures/hermes.jinja', import.meta.url), 'utf8')

describe('llama-server with a model that calls a tool', needsLlamaServer, () => {
  let engine: LlamaServerEngine
  const calls = [
    '<tool_call>',
    Buffer.from('\n'),
    '{"name": "weather", ',
    '"arguments": {"city": "Paris"}}',
    '\n</tool_call>',
  ]
  const functions = [
    { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
  ]
  const tools = functions.map(definition => ({ type: 'function' as const, function: definition }))
  before(async () => {
    engine = make({ file: await stored(bytesOf(scriptedModel(calls, { template: hermes }))), context: 2048 })
  })
  after(() => engine.close())

  it('tells the call in the newer form, and in the older one to who asked in it', async () => {
    const newer = await chat(engine, { messages: user('Hi'), tools, logit_bias: null })
    const called = newer.deltas.flatMap(({ tool_calls = [] }) => tool_calls)
    assert.equal(called[0]?.function?.name, 'weather')
    assert.ok(called[0]?.id)
    const text = called.map(one => one.function?.arguments ?? '').join('')
    assert.deepEqual(JSON.parse(text), { city: 'Paris' })
    assert.equal(newer.finish, 'tool_calls')
    const older = await chat(engine, { messages: user('Hi'), functions, logit_bias: null })
    const parts = older.deltas.flatMap(({ function_call: part }) => (part === undefined ? [] : [part]))
    assert.equal(parts[0]?.name, 'weather')
    assert.deepEqual(JSON.parse(parts.map(part => part.arguments ?? '').join('')), { city: 'Paris' })
    assert.equal(older.finish, 'function_call')
    assert.ok(older.deltas.every(delta => delta.tool_calls === undefined))
  })

  it('ends with stop where the function was demanded by name', async () => {
    const { finish, deltas } = await chat(engine, {
      messages: user('Hi'),
      tools,
      tool_choice: { type: 'function', function: { name: 'weather' } },
      logit_bias: null,
      max_tokens: 100,
    })
    assert.ok(deltas.some(({ tool_calls }) => tool_calls !== undefined))
    assert.equal(finish, 'stop')
  })
})
