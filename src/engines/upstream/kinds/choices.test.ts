/** Several replies from a server that gives one a request. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { StuckSink, type TestCall, TextSink, testCall } from '../../../../test/hostile/sinks.ts'
import { type Fault, fault } from '../../../lib/faults.ts'
import type { ChatChunk, ChatRequest } from '../../../wire/chat.ts'
import type { CompletionRequest } from '../../../wire/completions.ts'
import type { Call, Engine, Relayed, Sink } from '../../engine.ts'
import { severalChoices } from './choices.ts'

/** What one of the parts does: its words, then perhaps a fault; or it waits before a word until the test says so. */
interface Part {
  words?: readonly string[]
  fails?: Fault
  /** Waits before each word after the first. */
  waits?: () => Promise<void>
}

interface Single {
  engine: Engine
  /** Requests and calls as they came, and how many chunks were taken of each. */
  readonly asked: { request: ChatRequest | CompletionRequest; call: Call; taken: number; ended: boolean }[]
}

/** An engine that gives one reply a request; its prompts cost 5 tokens, and each word one. */
function single(parts: readonly Part[]): Single {
  const asked: Single['asked'] = []
  async function* chat(request: ChatRequest, call: Call): AsyncGenerator<ChatChunk> {
    const place = asked.length
    const self = { request, call, taken: 0, ended: false }
    asked.push(self)
    const { words = ['a'], fails, waits } = parts[place] ?? {}
    const envelope = {
      id: `chatcmpl-${place}`,
      object: 'chat.completion.chunk' as const,
      created: 1000 + place,
      model: 'm-1',
    }
    const piece = (delta: ChatChunk['choices'][number]['delta'], finish: 'stop' | null): ChatChunk => {
      self.taken++
      return { ...envelope, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] }
    }
    try {
      call.meter.input(5, 2)
      let spent = 0
      for (const word of words) {
        if (spent > 0) await waits?.()
        if (call.signal.aborted) return
        call.meter.output(++spent)
        yield piece(spent === 1 ? { role: 'assistant', content: word } : { content: word }, null)
      }
      if (fails !== undefined) throw fails
      yield piece({}, 'stop')
      const usage = { prompt_tokens: 5, completion_tokens: spent, total_tokens: 5 + spent }
      yield { ...envelope, choices: [], usage: { ...usage, prompt_tokens_details: { cached_tokens: 2 } } }
    } finally {
      self.ended = true
    }
  }
  const engine: Engine = {
    name: 'm',
    abilities: new Set(['chat', 'complete', 'embed']),
    accepts: 'everything',
    chat,
    async *complete(request, call) {
      const place = asked.push({ request, call, taken: 0, ended: false }) - 1
      const prompts = Array.isArray(request.prompt) ? request.prompt : [request.prompt]
      for (const index of prompts.keys())
        yield {
          ...{ id: `cmpl-${place}`, object: 'text_completion' as const, created: 1, model: 'm-1' },
          choices: [{ index, text: `${place}/${index}`, logprobs: null, finish_reason: 'stop' as const }],
        }
      yield {
        ...{ id: `cmpl-${place}`, object: 'text_completion' as const, created: 1, model: 'm-1', choices: [] },
        usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
      }
    },
    relay: async path => ({ kind: 'json', bytes: Buffer.from(path) }),
    status: () => ({ state: 'ready' }),
    close: async () => {},
  }
  return { engine, asked }
}

const request: ChatRequest = { model: 'alias', messages: [{ role: 'user', content: 'Hi' }], n: 3, seed: 40 }

const chunksOf = async (engine: Engine, call: Call = testCall(), asked: ChatRequest = request) => {
  const chunks: ChatChunk[] = []
  for await (const chunk of engine.chat?.(asked, call) ?? []) chunks.push(chunk)
  return chunks
}

const textsOf = (chunks: readonly ChatChunk[], n = 3) =>
  Array.from({ length: n }, (_, index) =>
    chunks
      .flatMap(({ choices }) => choices)
      .filter(choice => choice.index === index)
      .map(({ delta }) => delta.content ?? '')
      .join(''),
  )

/** The relayed reply, piped to its end. */
async function relayedTo(sink: Sink, engine: Engine, asked: object, call: TestCall = testCall()) {
  const reply: Relayed | undefined = await engine.relay?.('/chat/completions', asked, call)
  assert.ok(reply?.kind === 'stream')
  return reply.pipe(sink)
}

test('each part is asked for one reply, with a seed of its own and with what the call says', async () => {
  const { engine, asked } = single([])
  const call = { ...testCall(), tenant: 'org_1', outputMax: 9, requestId: 'req_1', route: { tried: [] } }
  await chunksOf(severalChoices(engine, 'east'), call)
  assert.deepEqual(
    asked.map(part => part.request),
    [40, 41, 42].map(seed => ({ model: 'alias', messages: request.messages, seed })),
  )
  for (const part of asked) {
    const { id, tenant, outputMax, requestId, route } = part.call
    assert.deepEqual([id, tenant, outputMax, requestId, route], [call.id, 'org_1', 9, 'req_1', undefined])
  }
  assert.deepEqual(
    call.route.tried.map(({ upstream, outcome }: { upstream: string; outcome?: string }) => [upstream, outcome]),
    [['east', 'ok']],
  )
})

test('the replies are one: an envelope, an index for each, one usage at the end, and the sum on the meter', async () => {
  const { engine } = single([{ words: ['a', 'b', 'c'] }, { words: ['d'] }, { words: ['e', 'f'] }])
  const call = testCall()
  const chunks = await chunksOf(severalChoices(engine), call)
  assert.deepEqual(textsOf(chunks), ['abc', 'd', 'ef'])
  assert.equal(new Set(chunks.map(({ id, created, model }) => `${id} ${created} ${model}`)).size, 1)
  const usages = chunks.filter(({ usage }) => usage !== undefined)
  assert.deepEqual(
    usages.map(({ choices, usage }) => [choices, usage]),
    [
      [
        [],
        {
          ...{ prompt_tokens: 15, completion_tokens: 6, total_tokens: 21 },
          prompt_tokens_details: { cached_tokens: 6 },
        },
      ],
    ],
  )
  assert.equal(chunks.at(-1), usages[0])
  assert.deepEqual(call.spent, { input: 15, cached: 6, output: 6 })
})

test('a request for one reply passes untouched', async () => {
  const { engine, asked } = single([])
  for (const one of [
    { ...request, n: 1 },
    { ...request, n: null },
  ]) {
    const call = testCall()
    await chunksOf(severalChoices(engine), call, one)
    assert.equal(asked.at(-1)?.request, one)
    assert.equal(asked.at(-1)?.call, call)
    const relayed = await severalChoices(engine).relay?.('/chat/completions', one, call)
    assert.ok(relayed?.kind === 'json' && relayed.bytes.toString() === '/chat/completions')
  }
  const embedded = await severalChoices(engine).relay?.('/embeddings', { n: 3 }, testCall())
  assert.ok(embedded?.kind === 'json' && embedded.bytes.toString() === '/embeddings')
})

test('completions of several prompts keep the order of OpenAI: all of a prompt beside one another', async () => {
  const { engine } = single([])
  const reply = await severalChoices(engine).relay?.(
    '/completions',
    { model: 'alias', prompt: ['x', 'y'], n: 2 },
    testCall(),
  )
  assert.ok(reply?.kind === 'json')
  const { choices, usage } = JSON.parse(reply.bytes.toString())
  assert.deepEqual(
    choices.map((choice: { index: number; text: string }) => [choice.index, choice.text]),
    [
      [0, '0/0'],
      [1, '1/0'],
      [2, '0/1'],
      [3, '1/1'],
    ],
  )
  assert.equal(usage.total_tokens, 12)
})

test('a document holds all replies and the usage', async () => {
  const { engine } = single([{ words: ['a', 'b'] }, { words: ['c'] }, {}])
  const reply = await severalChoices(engine).relay?.('/chat/completions', request, testCall())
  assert.ok(reply?.kind === 'json')
  const { choices, usage, object } = JSON.parse(reply.bytes.toString())
  assert.equal(object, 'chat.completion')
  assert.deepEqual(
    choices.map((choice: { message: { content: string } }) => choice.message.content),
    ['ab', 'c', 'a'],
  )
  assert.equal(usage.total_tokens, 19)
})

for (const asks of [true, false])
  test(`a relayed stream ends with one [DONE], ${asks ? 'after the usage' : 'without a usage'}`, async () => {
    const { engine } = single([])
    const sink = new TextSink()
    const more = asks ? { stream_options: { include_usage: true } } : {}
    assert.equal(await relayedTo(sink, severalChoices(engine), { ...request, stream: true, ...more }), undefined)
    assert.equal(sink.text.match(/\[DONE\]/g)?.length, 1)
    assert.ok(sink.text.endsWith('data: [DONE]\n\n'))
    const events = [...sink.text.matchAll(/^data: (\{.*)$/gm)].map(([, data = '']) => JSON.parse(data))
    const usages = events.map(({ usage }) => usage)
    if (asks) assert.deepEqual([usages[0], usages.at(-1).total_tokens], [null, 18])
    else assert.ok(events.every(event => !('usage' in event) && event.choices.length > 0))
  })

const down = fault.upstreamUnreachable('m', new Error('down'))

test('what fails before the first piece of a reply is an ordinary error, and ends the other parts', async () => {
  for (const stream of [false, true]) {
    const { engine, asked } = single([{ words: [], fails: down }, { words: ['a'] }, { words: [], fails: down }])
    const reply = severalChoices(engine).relay?.('/chat/completions', { ...request, stream }, testCall())
    await assert.rejects(reply ?? Promise.resolve(), error => error === down)
    assert.ok(asked.every(({ call, ended }) => call.signal.aborted && ended))
  }
})

test('what fails later is told at the end of the stream, without [DONE], and ends the other parts', async () => {
  const gone = (signal: AbortSignal) =>
    new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
  const { engine, asked } = single([
    { words: ['a'] },
    { words: ['b', 'c'], waits: () => gone(asked[1]!.call.signal) },
    { words: ['d', 'e'], fails: down },
  ])
  const sink = new TextSink()
  const failed = await relayedTo(sink, severalChoices(engine), { ...request, stream: true })
  assert.equal(failed, down)
  assert.doesNotMatch(sink.text, /\[DONE\]/)
  assert.match(sink.text, /\n\ndata: \{"error":\{.*"upstream_unreachable".*\}\}\n\n$/)
  assert.ok(asked.every(({ ended }) => ended))
})

test('an abort ends all parts and the reply without a word, and what was spent is told', async () => {
  const parts = Array.from({ length: 3 }, () => ({ words: ['a', 'b', 'c', 'd'], waits: () => turn() }))
  const { engine, asked } = single(parts)
  const call = testCall()
  const seen: ChatChunk[] = []
  for await (const chunk of severalChoices(engine).chat?.(request, call) ?? []) {
    seen.push(chunk)
    if (seen.length === 4) call.abort()
  }
  assert.ok(seen.length < 10 && seen.every(({ usage }) => usage === undefined))
  assert.ok(asked.every(({ ended }) => ended))
  assert.equal(call.spent.input, 15)
  assert.ok((call.spent.output ?? 0) >= 4)
  const late = testCall()
  late.abort()
  assert.deepEqual(await chunksOf(severalChoices(engine), late), [])
  await assert.rejects(async () => severalChoices(engine).relay?.('/chat/completions', request, late))
})

test('an abort before the first piece rejects a relayed reply with its reason', async () => {
  const call = testCall()
  const { engine, asked } = single([])
  const waiting = severalChoices({
    ...engine,
    async *chat(one, part) {
      asked.push({ request: one, call: part, taken: 0, ended: false })
      await new Promise<void>(resolve => part.signal.addEventListener('abort', () => resolve(), { once: true }))
    },
  })
  for (const stream of [true, false]) {
    const own = stream ? call : testCall()
    const reply = waiting.relay?.('/chat/completions', { ...request, stream }, own)
    await turn()
    own.abort()
    await assert.rejects(reply ?? Promise.resolve(), { name: 'AbortError' })
  }
  assert.equal(asked.length, 6)
})

test('a reader that leaves ends all parts', async () => {
  const { engine, asked } = single(Array.from({ length: 3 }, () => ({ words: ['a', 'b'], waits: () => turn() })))
  for await (const _ of severalChoices(engine).chat?.(request, testCall()) ?? []) break
  assert.ok(asked.every(({ ended, call }) => ended && call.signal.aborted))
})

test('who does not read holds the parts back: at most one piece of each waits', async () => {
  const words = Array.from({ length: 100 }, () => 'x')
  const { engine, asked } = single([{ words }, { words }, { words }])
  const sink = new StuckSink()
  const call = testCall()
  const piped = relayedTo(sink, severalChoices(engine), { ...request, stream: true }, call)
  await sink.refused()
  for (let turns = 0; turns < 20; turns++) await turn()
  assert.ok(asked.every(({ taken }) => taken <= 2))
  sink.release()
  await sink.refused()
  call.abort()
  assert.equal(await piped, undefined)
  assert.ok(asked.every(({ ended }) => ended))
})
