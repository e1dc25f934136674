import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { bytesOf, stored, tinyAdapter, tinyModel } from '../../../test/models/make.ts'
import { plainImage, tinyProjector } from '../../../test/models/projector.ts'
import { type FakeLlamaServer, fakeLlamaServer } from '../../../test/support/fake-llama-server.ts'
import { systemClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import type { CompletionUsage } from '../../wire/common.ts'
import type { CompletionRequest } from '../../wire/completions.ts'
import type { Call } from '../engine.ts'
import { type LlamaServerEngine, type LlamaServerOptions, llamaServerEngine } from './index.ts'

const model = await stored(bytesOf(tinyModel()))

async function setting(
  t: TestContext,
  more: Partial<LlamaServerOptions> = {},
  manner?: Parameters<typeof fakeLlamaServer>[0],
): Promise<{ engine: LlamaServerEngine; server: FakeLlamaServer }> {
  const server = await fakeLlamaServer(manner)
  const engine = llamaServerEngine({
    name: 'm',
    binary: server.binary,
    file: model,
    context: 2048,
    slots: 2,
    threads: 1,
    version: '0.0.0',
    clock: systemClock,
    log: silentLog,
    ...more,
  })
  t.after(async () => {
    await engine.close()
    await server[Symbol.asyncDispose]()
  })
  return { engine, server }
}

function makeCall(signal = new AbortController().signal) {
  const told = { input: 0, cached: 0, output: 0 }
  const call: Call = {
    id: 'chatcmpl-1',
    created: 1,
    signal,
    log: silentLog,
    seed: 3,
    meter: {
      input: (tokens, cached = 0) => Object.assign(told, { input: tokens, cached }),
      output: tokens => Object.assign(told, { output: tokens }),
    },
  }
  return { call, told }
}

const user = (content: ChatRequest['messages'][number]['content']): ChatRequest['messages'] => [
  { role: 'user', content: content ?? '' },
]

async function chat(engine: LlamaServerEngine, request: Omit<ChatRequest, 'model'>, call = makeCall().call) {
  const texts: string[] = []
  let usage: CompletionUsage | null | undefined
  for await (const chunk of engine.chat?.({ model: 'm', ...request }, call) ?? []) {
    assert.deepEqual([chunk.id, chunk.created, chunk.model], ['chatcmpl-1', 1, 'm'])
    assert.ok(!('timings' in chunk))
    for (const { index, delta } of chunk.choices) texts[index] = (texts[index] ?? '') + (delta.content ?? '')
    usage = chunk.usage ?? usage
  }
  return { texts, usage }
}

async function complete(engine: LlamaServerEngine, request: Omit<CompletionRequest, 'model'>, call = makeCall().call) {
  const texts: string[] = []
  let usage: CompletionUsage | null | undefined
  for await (const chunk of engine.complete?.({ model: 'm', ...request }, call) ?? []) {
    for (const { index, text } of chunk.choices) texts[index] = (texts[index] ?? '') + text
    usage = chunk.usage ?? usage
  }
  return { texts, usage }
}

const isFault =
  (status: number, code: string | null, param: string | null, message = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof Fault, String(error))
    assert.deepEqual([error.status, error.code, error.param], [status, code, param])
    assert.match(error.message, message)
    return true
  }

test('the server listens to this machine alone and to whoever knows its key, which no command line shows', async t => {
  const { engine, server } = await setting(t)
  await chat(engine, { messages: user('hi') })
  const [start] = await server.starts()
  assert.ok(start)
  const { args, environment } = start
  const value = (name: string) => args[args.indexOf(name) + 1]
  assert.deepEqual([value('--host'), value('--port'), value('--model')], ['127.0.0.1', '0', model])
  assert.deepEqual([value('--parallel'), value('--ctx-size'), value('--threads')], ['2', '4096', '1'])
  for (const flag of ['--no-webui', '--offline', '--no-mmproj', '--no-prefill-assistant'])
    assert.ok(args.includes(flag))
  assert.match(environment.LLAMA_API_KEY ?? '', /^[0-9a-f]{64}$/)
  assert.ok(!args.join(' ').includes(environment.LLAMA_API_KEY ?? ''))
  assert.deepEqual(
    Object.keys(environment)
      .filter(name => name.startsWith('LLAMA') || name === 'HOME')
      .sort(),
    ['LLAMA_API_KEY', 'LLAMA_ARG_CACHE_RAM'],
  )
})

test('sampling is what OpenAI’s parameters say, whatever the server has as its own', async t => {
  const { engine, server } = await setting(t)
  await chat(engine, { messages: user('hi') })
  await chat(engine, {
    messages: user('hi'),
    temperature: 0.5,
    top_p: 0.9,
    stop: 'x',
    seed: 2 ** 40 + 5,
    max_completion_tokens: 9,
    frequency_penalty: 1,
    logit_bias: { '7': -100 },
    user: 'somebody',
  })
  const [plain, full] = (await server.requests()).map(({ body }) => body)
  const { messages: _, ...rest } = plain ?? {}
  assert.deepEqual(rest, {
    model: 'm',
    temperature: 1,
    top_p: 1,
    top_k: 0,
    min_p: 0,
    stop: [],
    seed: 3,
    max_tokens: -1,
    timings_per_token: true,
    stream: true,
    stream_options: { include_usage: true },
  })
  const { messages: __, ...changed } = full ?? {}
  assert.deepEqual(changed, {
    ...rest,
    temperature: 0.5,
    top_p: 0.9,
    stop: ['x'],
    seed: 5,
    max_tokens: 9,
    presence_penalty: 0,
    frequency_penalty: 1,
    repeat_last_n: 2048,
    logit_bias: [[7, -100]],
  })
})

test('each choice and each prompt is asked for by itself, and counted once', async t => {
  const { engine, server } = await setting(t)
  const { call, told } = makeCall()
  const { texts, usage } = await complete(engine, { prompt: ['a', 'b'], n: 3 }, call)
  assert.deepEqual(texts, Array(6).fill('ok'))
  assert.deepEqual([usage?.prompt_tokens, usage?.completion_tokens, usage?.total_tokens], [20, 24, 44])
  assert.equal(usage?.prompt_tokens_details?.cached_tokens, 6)
  assert.deepEqual(told, { input: 20, cached: 6, output: 24 })
  const asked = (await server.requests()).map(({ body }) => [body.prompt, body.seed, body.n, body.max_tokens])
  assert.deepEqual(asked.sort(), [
    ['a', 3, undefined, 16],
    ['a', 4, undefined, 16],
    ['a', 5, undefined, 16],
    ['b', 3, undefined, 16],
    ['b', 4, undefined, 16],
    ['b', 5, undefined, 16],
  ])
})

test('an image goes through to a model with a projector', async t => {
  const mmproj = await stored(bytesOf(tinyProjector()))
  const { engine, server } = await setting(t, { mmproj })
  assert.equal(engine.takes?.images, true)
  const url = plainImage([255, 0, 0])
  await chat(engine, {
    messages: user([
      { type: 'text', text: 'What ' },
      { type: 'text', text: 'is this? ' },
      { type: 'image_url', image_url: { url, detail: 'auto' } },
    ]),
  })
  const [asked] = await server.requests()
  assert.deepEqual(asked?.body.messages, [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this? ' },
        { type: 'image_url', image_url: { url } },
      ],
    },
  ])
  const [start] = await server.starts()
  assert.equal(start?.args[start.args.indexOf('--mmproj') + 1], mmproj)
})

test('a request names its adapters by number; those it does not name do nothing', async t => {
  const adapter = await stored(bytesOf(tinyAdapter()))
  const other = await stored(bytesOf(tinyAdapter({ seed: 12 })))
  const { engine, server } = await setting(t, { adapter, scale: 0.5, adapters: [other, adapter] })
  assert.deepEqual(engine.takes?.fields, ['lora'])
  const asked = async (lora?: unknown) => {
    const request = { model: 'm', prompt: 'a', ...(lora !== undefined && { lora }) }
    for await (const _ of engine.complete?.(request, makeCall().call) ?? []);
    return (await server.requests()).at(-1)?.body.lora
  }
  const scales = (...all: number[]) => all.map((scale, id) => ({ id, scale }))
  assert.deepEqual(await asked(), scales(0.5, 0, 0))
  assert.deepEqual(await asked([{ id: 1, scale: 2 }, { id: 0 }]), scales(0.5, 1, 2))
  for (const wrong of [{}, [{ id: 2 }], [{ id: 0.5 }], [{ id: 0, scale: 'x' }], [{ id: 0 }, { id: 0 }], [null]])
    await assert.rejects(asked(wrong), isFault(400, 'invalid_value', 'lora'))
  const [start] = await server.starts()
  assert.deepEqual(
    start?.args.filter((_, at, all) => all[at - 1] === '--lora'),
    [adapter, other, adapter],
  )
})

test('a prompt and a reply that do not fit together are refused, and counted only where it matters', async t => {
  const { engine, server } = await setting(t)
  await complete(engine, { prompt: 'short', max_tokens: 900 })
  assert.deepEqual(
    (await server.requests()).map(({ path }) => path),
    ['/v1/completions'],
  )
  const prompt = 'x'.repeat(1500)
  await assert.rejects(
    complete(engine, { prompt, max_tokens: 600 }),
    isFault(400, 'context_length_exceeded', 'prompt', /2100 tokens \(1500 in the prompt, 600 in the completion\)/),
  )
  assert.deepEqual(await complete(engine, { prompt, max_tokens: 500 }).then(({ texts }) => texts), ['ok'])
  await assert.rejects(
    chat(engine, { messages: user('y'.repeat(1500)), max_tokens: 900 }),
    isFault(400, 'context_length_exceeded', 'messages'),
  )
})

test('the words of the server become those of the product', async t => {
  const { engine } = await setting(t)
  await assert.rejects(
    chat(engine, { messages: user('too long') }),
    isFault(400, 'context_length_exceeded', 'messages', /maximum context length is 2048 tokens.*3000 tokens/),
  )
  await assert.rejects(
    chat(engine, { messages: user('against the template') }),
    isFault(400, 'invalid_value', 'messages', /The chat template of the model 'm' refuses these messages: Roles must/),
  )
})

test('a reply that is left is billed for what it had', async t => {
  const { engine } = await setting(t)
  const abort = new AbortController()
  const { call, told } = makeCall(abort.signal)
  let leftAt = 0
  for await (const chunk of engine.chat?.({ model: 'm', messages: user('on and on') }, call) ?? [])
    if (chunk.choices[0]?.delta.content) {
      leftAt = performance.now()
      abort.abort()
    }
  assert.ok(leftAt > 0 && performance.now() - leftAt < 100)
  assert.deepEqual(told, { input: 10, cached: 3, output: 2 })
})

test('a server that dies fails its requests, and is there again for the next one', async t => {
  const { engine, server } = await setting(t)
  await assert.rejects(
    chat(engine, { messages: user('die') }),
    isFault(500, 'engine_crashed', null, /ended unexpectedly/),
  )
  assert.equal(engine.status().state, 'idle')
  assert.deepEqual((await chat(engine, { messages: user('hi') })).texts, ['ok'])
  assert.equal((await server.starts()).length, 2)
})

test('why a server does not start is told in words, and it is left alone for a while', async t => {
  const { engine, server } = await setting(t, {}, 'broken')
  for (const _ of [1, 2])
    await assert.rejects(
      chat(engine, { messages: user('hi') }),
      isFault(500, 'model_load_failed', null, /could not be loaded: a tensor is odd/),
    )
  assert.equal((await server.starts()).length, 1)
  assert.deepEqual(engine.status(), { state: 'failed', detail: 'a tensor is odd' })
})

test('a server that never gets ready is ended in time', async t => {
  const { engine, server } = await setting(t, { loadTimeoutMs: 300 }, 'slow')
  await assert.rejects(
    chat(engine, { messages: user('hi') }),
    isFault(500, 'model_load_failed', null, /it took longer than 0.3 s/),
  )
  for (const { pid } of await server.starts()) assert.ok(!lives(pid))
})

test('an engine that is closed while it loads says so, and leaves nothing behind', async t => {
  for (const early of [true, false]) {
    const { engine, server } = await setting(t, {}, 'slow')
    const loading = assert.rejects(engine.resident.load(), isFault(503, 'model_closed', null))
    if (!early) while ((await server.starts()).length === 0) await new Promise(resolve => setImmediate(resolve))
    await engine.close()
    await loading
    assert.equal(engine.status().state, 'closed')
    for (const { pid } of await server.starts()) assert.ok(!lives(pid))
  }
})

test('a program that is not there, and files that are not what they should be, are told of', async t => {
  const load = async (more: Partial<LlamaServerOptions>) => (await setting(t, more)).engine.resident.load()
  await assert.rejects(load({ binary: '/nowhere/llama-server' }), isFault(500, 'model_load_failed', null, /not found/))
  await assert.rejects(load({ mmproj: model }), isFault(500, 'model_load_failed', null, /no projector but: llama/))
  await assert.rejects(load({ mmproj: '/nowhere/x.gguf' }), isFault(500, 'model_load_failed', null, /cannot be read/))
  await assert.rejects(load({ adapters: [model] }), isFault(500, 'model_load_failed', null, /no adapter but: model/))
  const encoder = await stored(bytesOf(tinyModel({ pooling: 1 })))
  await assert.rejects(load({ file: encoder }), isFault(500, 'model_load_failed', null, /for models that generate/))
})

test('its memory can be told, and given back', async t => {
  const { engine, server } = await setting(t)
  const { resident } = engine
  assert.equal(resident.bytes(), 0)
  assert.ok(((await resident.estimateBytes()) ?? 0) > 100_000_000)
  await resident.load()
  assert.equal(engine.status().state, 'ready')
  const [start] = await server.starts()
  assert.equal(engine.pid, start?.pid)
  if (process.platform === 'linux') assert.ok(resident.bytes() > 10_000_000)
  await resident.unload()
  assert.ok(!lives(start?.pid ?? 0))
  assert.deepEqual([engine.status().state, resident.bytes()], ['idle', 0])
  assert.deepEqual((await chat(engine, { messages: user('hi') })).texts, ['ok'])
})

test('the end of the engine ends its server and its requests', async t => {
  const { engine, server } = await setting(t)
  const chunks = engine.chat?.({ model: 'm', messages: user('on and on') }, makeCall().call)?.[Symbol.asyncIterator]()
  await chunks?.next()
  const rest = (async () => {
    while ((await chunks?.next())?.done === false);
  })()
  const failed = assert.rejects(rest, isFault(503, 'model_closed', null))
  await engine.close()
  await failed
  for (const { pid } of await server.starts()) assert.ok(!lives(pid))
  await assert.rejects(chat(engine, { messages: user('hi') }), isFault(503, 'model_closed', null))
})

test('a server ends with a process that is killed', { skip: process.platform === 'win32' }, async t => {
  const { server } = await setting(t)
  const owner = fork(new URL('../../../test/support/llama-server-owner.ts', import.meta.url), [server.binary, model])
  const [pid] = (await Promise.race([once(owner, 'message'), once(owner, 'exit')])) as [number]
  assert.ok(lives(pid))
  owner.kill('SIGKILL')
  const until = performance.now() + 5000
  while (lives(pid) && performance.now() < until) await new Promise(resolve => setImmediate(resolve))
  assert.ok(!lives(pid))
})

test('requests beyond the queue are refused at once', async t => {
  const { engine } = await setting(t, { slots: 1, queue: 0 })
  const first = engine.chat?.({ model: 'm', messages: user('on and on') }, makeCall().call)?.[Symbol.asyncIterator]()
  await first?.next()
  await assert.rejects(chat(engine, { messages: user('hi') }), isFault(503, 'engine_overloaded', null))
  await first?.return?.()
  assert.deepEqual((await chat(engine, { messages: user('hi') })).texts, ['ok'])
})

/** Whether a process is there and not merely waiting to be noticed as ended. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
