import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { validateReply } from '../../../test/spec/validate.ts'
import type { Engine } from '../../engines/engine.ts'
import { scriptedEngine } from '../../engines/scripted.ts'
import { Fault, fault } from '../../lib/faults.ts'
import type { Store } from '../../store/store.ts'
import type { ChatChunk, ChatRequest } from '../../wire/chat.ts'
import { createChatCompletion } from './create.ts'
import { question, rest, Setting, said } from './stored.fixture.ts'

const setting = new Setting()
before(() => setting.open())
after(() => setting.close())
beforeEach(async () => {
  setting.engine = scriptedEngine()
  await setting.store.write(setting.store.build.deleteFrom('chat_completions'))
})

const refused = (status: number, param: string | null, code: string | null) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.param, error.code], [status, param, code])
  return true
}
/** A store whose writes happen when the test says so. */
function slow(store: Store) {
  const asked: (() => void)[] = []
  const write = (...given: unknown[]) =>
    new Promise<void>(resolve => asked.push(resolve)).then(() => Reflect.apply(store.write, store, given))
  return { asked, store: new Proxy(store, { get: (on, name) => (name === 'write' ? write : Reflect.get(on, name)) }) }
}

describe('a reply that is stored', () => {
  test('is kept as it was answered, with what it was asked with', async () => {
    const metadata = { topic: 'tests', 'nul\u0000': 'a\u0000b' }
    const context = setting.context()
    const asked: Partial<ChatRequest> = { n: 2, seed: 3, temperature: 0.5, user: 'ann', metadata, service_tier: 'auto' }
    const reply = await setting.json(createChatCompletion, { body: { ...question, ...asked, store: true } }, context)
    assert.deepEqual(validateReply('2026-08-21', 'POST', '/v1/chat/completions', 200, reply), [])
    const { id, choices } = reply as { id: string; choices: unknown[] }
    assert.equal(choices.length, 2)
    const stored = await setting.retrieve(id)
    assert.deepEqual(validateReply('2026-08-21', 'GET', `/v1/chat/completions/${id}`, 200, stored), [])
    assert.deepEqual(stored, {
      ...(reply as object),
      metadata,
      request_id: 'req_1',
      input_user: 'ann',
      seed: 3,
      temperature: 0.5,
      top_p: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
      tools: null,
      tool_choice: null,
      response_format: null,
      service_tier: 'default',
    })
  })

  test('tells the seed that was drawn, tools and formats', async () => {
    const tools: ChatRequest['tools'] = [{ type: 'function', function: { name: 'f', parameters: {} } }]
    const asked: Partial<ChatRequest> = { tools, tool_choice: 'none', response_format: { type: 'text' } }
    const stored = await setting.retrieve(await setting.ask({ ...asked, safety_identifier: 'h4sh' }))
    assert.ok(Number.isInteger(stored.seed))
    const { tool_choice, response_format, input_user } = stored
    assert.deepEqual({ tools: stored.tools, tool_choice, response_format }, asked)
    assert.equal(input_user, 'h4sh')
  })

  test('is the same streamed, chunk for chunk what is sent without storing', async () => {
    for (const stream_options of [null, { include_usage: true }]) {
      const chunks = await rest(await setting.stream({ stream_options, n: 2 }))
      const plain = await rest(await setting.stream({ stream_options, n: 2, store: false }))
      const nameless = (chunk: ChatChunk) => ({ ...chunk, id: '' })
      assert.deepEqual(chunks.map(nameless), plain.map(nameless))
      const stored = await setting.retrieve(chunks[0]!.id)
      assert.equal(stored.choices[1]?.message.content, 'This is a test!')
      assert.equal(stored.usage?.completion_tokens, 8)
    }
    assert.deepEqual(await setting.counts(), [2, 4])
  })

  test('holds every text: NUL, half surrogate pairs, quotes', async () => {
    const odd = '\u0000 "half" \ud83d and \udc00 \u2028 \\'
    setting.engine = scriptedEngine({ reply: odd })
    const stored = await setting.retrieve(await setting.ask())
    assert.equal(stored.choices[0]?.message.content, odd)
  })
})

describe('what is acknowledged is stored', () => {
  test('a reply in one piece leaves when it is committed', async () => {
    const { asked, store } = slow(setting.store)
    let left = false
    const asking = setting.ask({}, setting.context({ store })).finally(() => {
      left = true
    })
    while (asked.length === 0) await turn()
    await turn()
    assert.equal(left, false)
    asked[0]!()
    await setting.retrieve(await asking)
  })

  test('a stream ends when it is committed, and waits for nothing before', async () => {
    const { asked, store } = slow(setting.store)
    const events = await setting.stream({}, setting.context({ store }))
    let text = ''
    while (text !== 'This is a test!') {
      const { value } = await events.next()
      text += said([value])
      assert.equal(value.choices[0].finish_reason, null)
      assert.equal(asked.length, 0)
    }
    let told = false
    const ending = events.next().finally(() => {
      told = true
    })
    while (asked.length === 0) await turn()
    await turn()
    assert.equal(told, false)
    asked[0]!()
    const { value } = await ending
    assert.equal(value.choices[0].finish_reason, 'stop')
    await setting.retrieve(value.id)
    assert.equal((await events.next()).done, true)
  })

  test('when there is no room, a reply in one piece is a 507, and a stream breaks before its end', async () => {
    const full = new Setting()
    await full.open({ maxSizeBytes: 700_000 })
    const long: ChatRequest['messages'] = [{ role: 'user', content: 'x'.repeat(900_000) }]
    await assert.rejects(full.ask({ messages: long }), refused(507, null, 'insufficient_storage'))
    const events = await full.stream({ messages: long })
    const chunks: ChatChunk[] = []
    const reading = async () => {
      for (let next = await events.next(); !next.done; next = await events.next()) chunks.push(next.value)
    }
    await assert.rejects(reading, refused(507, null, 'insufficient_storage'))
    assert.equal(said(chunks), 'This is a test!')
    assert.ok(chunks.every(({ choices }) => choices[0]?.finish_reason === null))
    assert.deepEqual(await full.counts(), [0, 0])
    await full.close()
  })
})

describe('what did not come to its end is not stored', () => {
  test('a generation that fails', async () => {
    const broken = fault.engineCrashed('words-1')
    setting.engine = scriptedEngine({ fails: { after: 2, fault: broken } })
    await assert.rejects(setting.ask(), broken)
    await assert.rejects(rest(await setting.stream()), broken)
    assert.deepEqual(await setting.counts(), [0, 0])
  })

  test('one that the client left', async () => {
    const leaving = new AbortController()
    const events = await setting.stream({}, setting.context({ signal: leaving.signal }))
    await events.next()
    leaving.abort()
    await rest(events)
    const closed = await setting.stream()
    await closed.next()
    await closed.return?.()
    assert.deepEqual(await setting.counts(), [0, 0])
  })
})

describe('what is too large is refused', () => {
  const tooLarge = refused(400, 'store', 'completion_too_large')
  const big = 'x'.repeat(1_000_000)

  test('a request before anything is asked', async () => {
    setting.engine = scriptedEngine({ reply: () => assert.fail('the model was asked') })
    const messages = Array.from({ length: 9 }, () => ({ role: 'user' as const, content: big }))
    await assert.rejects(setting.ask({ messages }), tooLarge)
    await assert.rejects(setting.stream({ messages }), tooLarge)
  })

  test('a reply, whole and streamed', async () => {
    setting.engine = scriptedEngine({ reply: big.repeat(17) })
    await assert.rejects(setting.ask(), tooLarge)
    await assert.rejects(rest(await setting.stream()), tooLarge)
    assert.deepEqual(await setting.counts(), [0, 0])
  })

  test('a stream that never ends, as soon as it is certain', async () => {
    const endless = setting.engine
    let sent = 0
    setting.engine = {
      ...endless,
      name: 'endless',
      abilities: endless.abilities,
      accepts: 'everything',
      async *chat() {
        for (;;) {
          sent++
          const choices = [{ index: 0, delta: { content: big }, logprobs: null, finish_reason: null }]
          yield { id: 'x', created: 1, model: 'm', object: 'chat.completion.chunk', choices }
        }
      },
    }
    await assert.rejects(rest(await setting.stream()), tooLarge)
    assert.ok(sent < 80, `${sent} chunks`)
  })
})

describe('a reply of an upstream', () => {
  const sloppy = { id: 'chatcmpl-123', choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' } }], more: 1 }
  const asked: Record<string, unknown>[] = []
  function upstream(reply: Buffer): Engine {
    const relay = async (_path: string, request: object) => {
      asked.push({ ...request })
      return { kind: 'json' as const, bytes: reply }
    }
    const { chat } = scriptedEngine()
    return {
      name: 'upstream',
      abilities: new Set(['chat']),
      accepts: 'everything',
      relay,
      async *chat(request, call) {
        asked.push({ ...request })
        for await (const chunk of chat!.call(scriptedEngine(), request, call)) yield { ...chunk, id: 'chatcmpl-123' }
      },
      status: () => ({ state: 'ready' }),
      close: async () => {},
    }
  }
  beforeEach(() => {
    asked.length = 0
    setting.engine = upstream(Buffer.from(JSON.stringify(sloppy)))
  })

  test('gets an id of ours, and is found by it; the upstream is not told to store', async () => {
    const [one, two] = [await setting.ask({ metadata: { a: 'b' } }), await setting.ask({ metadata: { a: 'b' } })]
    assert.notEqual(one, two)
    assert.match(one, /^chatcmpl-\w{29}$/)
    const stored = await setting.retrieve(one)
    const { choices, object, created, model, metadata, more } = stored as typeof stored & { more: number }
    assert.deepEqual(choices, sloppy.choices)
    assert.deepEqual(
      { object, created, model },
      { object: 'chat.completion', created: 1_700_000_000, model: 'words-1' },
    )
    assert.deepEqual([metadata, more], [{ a: 'b' }, 1])
    assert.deepEqual(asked, [question, question])
    // Nobody knows what it was sampled with.
    assert.deepEqual([stored.seed, stored.temperature, stored.service_tier], [null, null, null])
  })

  test('is renamed in a stream too', async () => {
    const chunks = await rest(await setting.stream({ metadata: { a: 'b' } }))
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1)
    assert.match(chunks[0]!.id, /^chatcmpl-\w{29}$/)
    assert.equal((await setting.retrieve(chunks[0]!.id)).choices[0]?.message.content, 'This is a test!')
    assert.deepEqual(asked, [{ ...question, stream: true }])
  })

  test('passes as the bytes it came in when nothing is stored, and the request with all it holds', async () => {
    const bytes = Buffer.from('{ "any" : "bytes" }')
    setting.engine = upstream(bytes)
    for (const store of [false, null, undefined]) {
      const body = { ...question, metadata: { a: 'b' }, ...(store !== undefined && { store }) }
      const reply = await setting.run(createChatCompletion, { body })
      assert.ok(reply.kind === 'bytes' && reply.bytes === bytes)
      assert.deepEqual(asked.pop(), body)
    }
    assert.deepEqual(await setting.counts(), [0, 0])
  })
})

test('a request that names a tier is told which one served it', async () => {
  const tiers = async (service_tier: ChatRequest['service_tier']) => {
    const body = { ...question, ...(service_tier !== undefined && { service_tier }) }
    const whole = (await setting.json(createChatCompletion, { body })) as { service_tier?: string }
    const [chunk] = await rest(await setting.stream({ ...body, store: false }))
    return [whole.service_tier, chunk?.service_tier]
  }
  assert.deepEqual(await tiers('auto'), ['default', 'default'])
  assert.deepEqual(await tiers('default'), ['default', 'default'])
  assert.deepEqual(await tiers(null), [undefined, undefined])
  assert.deepEqual(await tiers(undefined), [undefined, undefined])
  await assert.rejects(tiers('priority'), refused(400, 'service_tier', 'unsupported_value'))
})

test('metadata without a place to be kept are refused', async () => {
  const asking = (store: boolean | null) =>
    setting.run(createChatCompletion, { body: { ...question, metadata: { a: 'b' }, store } })
  await assert.rejects(asking(null), refused(400, 'metadata', 'invalid_parameter_combination'))
  await assert.rejects(asking(false), refused(400, 'metadata', 'invalid_parameter_combination'))
})
