import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Sink } from '../../engines/engine.ts'
import { operations } from '../../operations/index.ts'
import type { Reply } from '../../platform/operation.ts'
import { withFilterResults } from './filtering.ts'

const operationOf = (id: string) => operations.find(one => one.id === id) ?? assert.fail(`${id} is there`)
const chat = operations.find(one => one.method === 'POST' && one.path === '/v1/chat/completions')!
const completions = operationOf('completions.create')
const unfiltered = { error: { code: 'content_filter_error', message: 'The contents are not filtered' } }
const prompt = (index: number) => ({ prompt_index: index, content_filter_results: unfiltered })
const opening = { choices: [], created: 0, id: '', model: '', object: '' }

/** What a relay with these writes sends. */
async function sent(writes: readonly string[], body: object = {}): Promise<string[]> {
  const seen: string[] = []
  const sink: Sink = { write: bytes => seen.push(Buffer.from(bytes).toString()) > 0, drained: () => {} }
  const relay: Reply = {
    kind: 'relay',
    async pipe(to) {
      for (const text of writes) to.write(Buffer.from(text))
    },
  }
  const reply = withFilterResults(relay, chat, body)
  assert.ok(reply.kind === 'relay')
  await reply.pipe(sink)
  return seen
}

async function eventsOf(
  events: AsyncIterable<object>,
  reply = withFilterResults({ kind: 'events', events }, chat, {}),
) {
  assert.ok(reply.kind === 'events')
  const seen: object[] = []
  for await (const event of reply.events) seen.push(event)
  return seen
}
async function* from(...events: object[]): AsyncGenerator<object> {
  yield* events
}

describe('a reply in one piece', () => {
  const value = { id: 'chatcmpl-1', choices: [{ index: 0 }, { index: 1 }] }
  const whole = {
    id: 'chatcmpl-1',
    choices: [
      { content_filter_results: unfiltered, index: 0 },
      { content_filter_results: unfiltered, index: 1 },
    ],
    prompt_filter_results: [prompt(0)],
  }

  test('says of the prompt and of each choice that nothing was filtered, and never that it is safe', () => {
    for (const reply of [
      { kind: 'json', value } as const,
      { kind: 'bytes', bytes: Buffer.from(JSON.stringify(value)) } as const,
    ])
      assert.deepEqual(withFilterResults({ ...reply, headers: ['a', 'b'] }, chat, {}), {
        kind: 'json',
        headers: ['a', 'b'],
        value: whole,
      })
  })

  test('says it of each prompt of a completion', () => {
    for (const [given, count] of [
      [{ prompt: 'one' }, 1],
      [{ prompt: [1, 2, 3] }, 1],
      [{ prompt: ['one', 'two'] }, 2],
      [{ prompt: [[1], [2], [3]] }, 3],
      [{}, 1],
    ] as const) {
      const reply = withFilterResults({ kind: 'json', value }, completions, given)
      assert.ok(reply.kind === 'json' && 'prompt_filter_results' in reply.value)
      assert.deepEqual(
        reply.value.prompt_filter_results,
        Array.from({ length: count }, (_, index) => prompt(index)),
      )
    }
  })

  test('keeps what an upstream says of a filter of its own', () => {
    const own = { choices: [{ index: 0 }], prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }] }
    assert.deepEqual(withFilterResults({ kind: 'json', value: own }, chat, {}), { kind: 'json', value: own })
    const filtered = { hate: { filtered: false, severity: 'safe' } }
    const reply = withFilterResults(
      { kind: 'json', value: { choices: [{ index: 0, content_filter_results: filtered }] } },
      chat,
      {},
    )
    assert.ok(reply.kind === 'json' && 'choices' in reply.value)
    assert.deepEqual(reply.value.choices, [{ content_filter_results: filtered, index: 0 }])
  })

  test('of another operation stays as it is', () => {
    const reply: Reply = { kind: 'json', value: { data: [] } }
    for (const id of ['embeddings.create', 'models.list'])
      assert.equal(withFilterResults(reply, operationOf(id), { input: 'a' }), reply)
  })
})

describe('a stream opens with an event for the prompts', () => {
  test('made of events, and ends when its reader leaves', async () => {
    const first = { choices: [{ index: 0 }] }
    assert.deepEqual(await eventsOf(from(first, {})), [{ ...opening, prompt_filter_results: [prompt(0)] }, first, {}])
    let ended = false
    const endless = async function* () {
      try {
        for (;;) yield first
      } finally {
        ended = true
      }
    }
    const reply = withFilterResults({ kind: 'events', events: endless() }, chat, {})
    assert.ok(reply.kind === 'events')
    for await (const _ of reply.events) break
    assert.ok(ended)
  })

  test('made of bytes, which pass as they are', async () => {
    const first = `data: ${JSON.stringify({ ...opening, prompt_filter_results: [prompt(0)] })}\n\n`
    const chunks = [': ping\n\n', 'data: {"choices":[1]}\n\n', 'data: {"choices":[2]}\n\n', 'data: [DONE]\n\n']
    const [ping, one, ...rest] = chunks
    assert.deepEqual(await sent(chunks), [ping, first + one, ...rest])
    assert.equal((await sent(chunks)).join('').match(/prompt_filter_results/g)?.length, 1)
  })

  test('with no usage, where usage is asked for', async () => {
    const [opened] = await sent(['data: {"choices":[]}\n\n'], { stream_options: { include_usage: true } })
    assert.ok(opened?.includes('"usage":null}\n\n'))
  })

  test('unless the upstream has sent one', async () => {
    const own = 'data: {"choices":[],"prompt_filter_results":[]}\n\n'
    assert.deepEqual(await sent([own, 'data: {}\n\n']), [own, 'data: {}\n\n'])
    const event = { choices: [], prompt_filter_results: [] }
    assert.deepEqual(await eventsOf(from(event)), [event])
  })
})
