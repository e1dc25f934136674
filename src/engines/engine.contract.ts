import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Fault } from '../lib/faults.ts'
import { silentLog } from '../lib/log.ts'
import type { ChatChunk, ChatRequest } from '../wire/chat.ts'
import type { CompletionUsage } from '../wire/common.ts'
import type { CompletionChunk, CompletionRequest } from '../wire/completions.ts'
import type { Call, Engine } from './engine.ts'

/** An engine and what is known of its answers. */
export interface Subject {
  engine: Engine
  chat?: Known<ChatRequest>
  /** `n` choices are as many requests, and the prompt is counted with each. */
  readsPromptPerChoice?: boolean
  complete?: Known<CompletionRequest>
  /** Releases what `make` opened beside the engine. */
  close?(): Promise<void>
}

export interface Known<Request> {
  /** A request with `temperature: 0` whose reply is short. */
  request: Request
  /** What it is answered with, and what that costs. */
  reply: string
  usage: { prompt_tokens: number; completion_tokens: number }
  /** A sequence inside the reply that no single token holds, and the reply before it. */
  stop?: { sequence: string; before: string }
  /** A request whose reply goes on for a second or more; also used for `length`, with 3 tokens. */
  endless?: Request
  /** A request that no reply could follow, e.g. beyond the context: its fault. */
  refused?: { request: Request; status: number; code: string }
}

/** The rules of `engine.ts`, as tests. `make` is called once for each engine. */
export function engineContract(name: string, make: () => Promise<Subject>): void {
  describe(`engine contract: ${name}`, () => {
    let subject: Subject
    before(async () => {
      subject = await make()
    })
    after(async () => {
      await subject.engine.close()
      await subject.close?.()
    })
    rulesOf('chat', () => chatProbe(subject))
    rulesOf('complete', () => completionProbe(subject))
    it('names itself in its status and its abilities', () => {
      assert.ok(subject.engine.name.length > 0)
      assert.notEqual(subject.engine.status().state, 'closed')
      for (const ability of ['chat', 'complete', 'embed', 'rerank'] as const)
        if (subject.engine.abilities.has(ability)) assert.equal(typeof subject.engine[ability], 'function')
    })
  })
}

/** Chat and completions seen alike. */
interface Probe {
  known: Known<object>
  run(request: object, call: Call): AsyncIterable<ChatChunk | CompletionChunk>
  with(request: object, changes: Pick<CompletionRequest, 'n' | 'stop' | 'seed' | 'max_tokens' | 'temperature'>): object
  /** The first chunk of a choice carries the role. */
  roleFirst: boolean
  /** Whether it holds to `Call.outputMax`. */
  bounded: boolean
  /** How often `n` choices read the prompt. */
  promptReads(n: number): number
}

function chatProbe({ engine, chat, readsPromptPerChoice }: Subject): Probe | undefined {
  const { abilities } = engine
  if (!abilities.has('chat') || chat === undefined) return undefined
  return {
    known: chat,
    roleFirst: true,
    bounded: engine.accepts === 'known',
    promptReads: n => (readsPromptPerChoice ? n : 1),
    run: (request, call) => engine.chat?.({ ...chat.request, ...request }, call) ?? nothing(),
    with: (request, changes) => ({ ...request, ...changes }),
  }
}

function completionProbe({ engine, complete, readsPromptPerChoice }: Subject): Probe | undefined {
  const { abilities } = engine
  if (!abilities.has('complete') || complete === undefined) return undefined
  return {
    known: complete,
    roleFirst: false,
    bounded: engine.accepts === 'known',
    promptReads: n => (readsPromptPerChoice ? n : 1),
    run: (request, call) => engine.complete?.({ ...complete.request, ...request }, call) ?? nothing(),
    with: (request, changes) => ({ ...request, ...changes }),
  }
}

async function* nothing(): AsyncGenerator<never> {}

function rulesOf(kind: 'chat' | 'complete', find: () => Probe | undefined): void {
  const rule = (promise: string, check: (probe: Probe) => Promise<void>, needs: keyof Known<object> = 'request') =>
    it(`${kind}: ${promise}`, async context => {
      const probe = find()
      if (probe?.known[needs] === undefined) context.skip('this engine does not offer it')
      else await check(probe)
    })

  rule('all chunks carry one id, one time and what really answered', async ({ known, run }) => {
    const { chunks, call } = await collect(run, known.request)
    assert.ok(chunks.length > 0)
    for (const chunk of chunks) {
      assert.equal(chunk.id, call.id)
      assert.equal(chunk.created, call.created)
      assert.equal(chunk.model, chunks[0]?.model)
    }
  })

  rule('role, content and finish come in order, and the usage last', async ({ known, run, roleFirst }) => {
    const { chunks } = await collect(run, known.request)
    const usage = chunks.pop()
    assert.deepEqual(usage?.choices, [])
    assertUsage(usage?.usage, known.usage)
    assertOrder(chunks, 0, roleFirst)
    assert.equal(textAt(chunks, 0), known.reply)
    assert.equal(finishAt(chunks, 0), 'stop')
    for (const chunk of chunks) assert.equal(chunk.usage ?? null, null)
  })

  rule('the meter is told what the usage says', async ({ known, run }) => {
    const { meter } = await collect(run, known.request)
    assert.deepEqual(meter.last(), { input: known.usage.prompt_tokens, output: known.usage.completion_tokens })
  })

  rule('text is cut at whole characters', async ({ known, run }) => {
    const { chunks } = await collect(run, known.request)
    for (const chunk of chunks)
      for (const text of chunk.choices.map(choiceText)) assert.ok(text.isWellFormed() && !text.includes('\ufffd'))
  })

  rule('n choices interleave by index and are counted together', async probe => {
    const { known, run, roleFirst } = probe
    const { chunks, meter } = await collect(run, probe.with(known.request, { n: 3 }))
    const usage = chunks.pop()?.usage
    for (const index of [0, 1, 2]) {
      assertOrder(chunks, index, roleFirst)
      assert.equal(textAt(chunks, index), known.reply)
    }
    assertUsage(usage, {
      prompt_tokens: known.usage.prompt_tokens * probe.promptReads(3),
      completion_tokens: known.usage.completion_tokens * 3,
    })
    assert.equal(meter.last().output, known.usage.completion_tokens * 3)
  })

  rule(
    'a stop sequence never reaches the client, also when it is split over tokens',
    async probe => {
      const { known, run } = probe
      assert.ok(known.stop)
      const { chunks } = await collect(run, probe.with(known.request, { stop: [known.stop.sequence] }))
      assert.equal(textAt(chunks, 0), known.stop.before)
      assert.equal(finishAt(chunks, 0), 'stop')
    },
    'stop',
  )

  rule('a sequence that never comes to its end is sent in the end', async probe => {
    const { known, run } = probe
    const { chunks } = await collect(run, probe.with(known.request, { stop: [`${known.reply.slice(-3)}…`] }))
    assert.equal(textAt(chunks, 0), known.reply)
  })

  rule(
    'the token limit ends the reply with `length` and exact usage',
    async probe => {
      const { known, run } = probe
      assert.ok(known.endless)
      const { chunks, meter } = await collect(run, probe.with(known.endless, { max_tokens: 3 }))
      assert.equal(chunks.at(-1)?.usage?.completion_tokens, 3)
      assert.equal(meter.last().output, 3)
      assert.equal(finishAt(chunks, 0), 'length')
    },
    'endless',
  )

  rule(
    'the bound of the call ends the reply like a limit, and makes no request too long',
    async probe => {
      const { known, run, bounded } = probe
      assert.ok(known.endless)
      if (!bounded) return
      const { chunks } = await collect(run, known.endless, { outputMax: 3 })
      assert.equal(chunks.at(-1)?.usage?.completion_tokens, 3)
      assert.equal(finishAt(chunks, 0), 'length')
      const { chunks: asked } = await collect(run, probe.with(known.endless, { max_tokens: 2 }), {
        outputMax: 1_000_000,
      })
      assert.equal(asked.at(-1)?.usage?.completion_tokens, 2)
    },
    'endless',
  )

  rule('the same seed gives the same text', async probe => {
    const { known, run } = probe
    const request = probe.with(known.endless ?? known.request, { seed: 11, temperature: 1, max_tokens: 24 })
    const [first, second] = [await collect(run, request), await collect(run, request)]
    assert.equal(textAt(first.chunks, 0), textAt(second.chunks, 0))
  })

  rule(
    'an abort ends the stream at once, without an error, and with the meter told',
    async probe => {
      const { known, run } = probe
      assert.ok(known.endless)
      const abort = new AbortController()
      const { call, meter } = makeCall(abort.signal)
      let abortedAt = 0
      let afterwards = 0
      for await (const chunk of run(known.endless, call)) {
        if (abortedAt > 0) afterwards++
        if (abortedAt === 0 && chunk.choices.some(choice => choiceText(choice) !== '')) {
          abortedAt = performance.now()
          abort.abort()
        }
      }
      const took = performance.now() - abortedAt
      assert.ok(abortedAt > 0 && took < 1000, `it took ${took} ms`)
      assert.ok(afterwards <= 8, `${afterwards} chunks came afterwards`)
      assert.ok(meter.last().input > 0 && meter.last().output > 0)
    },
    'endless',
  )

  rule('a request that is aborted before it starts yields nothing', async ({ known, run }) => {
    const { call } = makeCall(AbortSignal.abort())
    for await (const _ of run(known.request, call)) assert.fail('a chunk came')
  })

  rule('a reader that leaves early does not hold up the next one', async ({ known, run }) => {
    const { call } = makeCall(new AbortController().signal)
    for await (const _ of run(known.endless ?? known.request, call)) break
    const { chunks } = await collect(run, known.request)
    assert.equal(textAt(chunks, 0), known.reply)
  })

  rule(
    'what cannot be answered is a fault, thrown before the first chunk',
    async ({ known, run }) => {
      const { refused } = known
      assert.ok(refused)
      const { call } = makeCall(new AbortController().signal)
      const iterator = run(refused.request, call)[Symbol.asyncIterator]()
      await assert.rejects(iterator.next(), (error: unknown) => {
        assert.ok(error instanceof Fault)
        assert.equal(error.status, refused.status)
        assert.equal(error.code, refused.code)
        return true
      })
    },
    'refused',
  )
}

async function collect(run: Probe['run'], request: object, more: Partial<Call> = {}) {
  const { call: made, meter } = makeCall(new AbortController().signal)
  const call = { ...made, ...more }
  const chunks: (ChatChunk | CompletionChunk)[] = []
  for await (const chunk of run(request, call)) chunks.push(chunk)
  return { chunks, call, meter }
}

function makeCall(signal: AbortSignal) {
  const told = { input: 0, output: 0 }
  const call: Call = {
    id: 'chatcmpl-contract',
    created: 1_700_000_000,
    signal,
    log: silentLog,
    seed: 5,
    meter: {
      input: tokens => {
        told.input = tokens
      },
      output: tokens => {
        told.output = tokens
      },
    },
  }
  return { call, meter: { last: () => ({ ...told }) } }
}

type AnyChoice = ChatChunk['choices'][number] | CompletionChunk['choices'][number]

const choiceText = (choice: AnyChoice): string => ('delta' in choice ? (choice.delta.content ?? '') : choice.text)

const choicesAt = (chunks: readonly (ChatChunk | CompletionChunk)[], index: number): AnyChoice[] =>
  chunks.flatMap((chunk): AnyChoice[] => chunk.choices.filter(choice => choice.index === index))

const textAt = (chunks: readonly (ChatChunk | CompletionChunk)[], index: number) =>
  choicesAt(chunks, index).map(choiceText).join('')

const finishAt = (chunks: readonly (ChatChunk | CompletionChunk)[], index: number) =>
  choicesAt(chunks, index).at(-1)?.finish_reason

function assertOrder(chunks: readonly (ChatChunk | CompletionChunk)[], index: number, roleFirst: boolean): void {
  const choices = choicesAt(chunks, index)
  assert.ok(choices.length > 0, `choice ${index} is missing`)
  for (const choice of choices.slice(0, -1)) assert.equal(choice.finish_reason, null)
  assert.notEqual(choices.at(-1)?.finish_reason ?? null, null)
  if (!roleFirst) return
  const [first, ...others] = choices
  assert.ok(first !== undefined && 'delta' in first)
  assert.equal(first.delta.role, 'assistant')
  assert.equal(first.delta.content, '')
  for (const other of others) assert.ok('delta' in other && other.delta.role === undefined)
  assert.equal(choiceText(choices.at(-1) ?? first), '')
}

function assertUsage(usage: CompletionUsage | null | undefined, expected: Known<unknown>['usage']): void {
  assert.equal(usage?.prompt_tokens, expected.prompt_tokens)
  assert.equal(usage?.completion_tokens, expected.completion_tokens)
  assert.equal(usage?.total_tokens, expected.prompt_tokens + expected.completion_tokens)
}
