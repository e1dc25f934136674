import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../lib/faults.ts'
import { type ChatChunk, ChatCompletion, type ChatDelta, type FinishReason } from '../wire/chat.ts'
import { check } from '../wire/check.ts'
import { Completion, type CompletionChunk } from '../wire/completions.ts'
import { collectChat, collectCompletion } from './collect.ts'

const head = { id: 'chatcmpl-1', created: 1_700_000_000, model: 'm' }
const usage = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }

function chunk(index: number, delta: ChatDelta, finish: FinishReason | null = null): ChatChunk {
  const choices = [{ index, delta, logprobs: null, finish_reason: finish }]
  return { ...head, object: 'chat.completion.chunk', choices }
}

function piece(text: string, more: Partial<CompletionChunk['choices'][number]> = {}): CompletionChunk {
  const choices = [{ text, index: 0, logprobs: null, finish_reason: null, ...more }]
  return { ...head, object: 'text_completion', choices }
}

async function* stream<Item>(...items: Item[]): AsyncGenerator<Item> {
  yield* items
}

const lastChunk: ChatChunk = { ...head, object: 'chat.completion.chunk', choices: [], usage }

test('the texts of a chat stream become one message, with the usage of the last chunk', async () => {
  const reply = await collectChat(
    stream(
      chunk(0, { role: 'assistant', content: '' }),
      chunk(0, { content: 'Hel' }),
      chunk(0, { content: 'lo' }),
      chunk(0, {}, 'stop'),
      lastChunk,
    ),
  )
  assert.deepEqual(reply, {
    ...head,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Hello', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage,
  })
  check(ChatCompletion, reply)
})

test('choices that interleave come out whole and ordered by index', async () => {
  const reply = await collectChat(
    stream(
      chunk(2, { content: 'c' }),
      chunk(0, { content: 'a' }),
      chunk(1, {}, 'length'),
      chunk(2, { content: 'C' }, 'stop'),
      chunk(0, {}, 'stop'),
    ),
  )
  assert.deepEqual(
    reply.choices.map(choice => [choice.index, choice.message.content, choice.finish_reason]),
    [
      [0, 'a', 'stop'],
      [1, '', 'length'],
      [2, 'cC', 'stop'],
    ],
  )
  assert.equal('usage' in reply, false)
})

test('tool calls are joined by index, and content is null when there is no text', async () => {
  const reply = await collectChat(
    stream(
      chunk(0, { role: 'assistant', content: null }),
      chunk(0, { tool_calls: [{ index: 1, id: 'call_b', type: 'function', function: { name: 'g', arguments: '' } }] }),
      chunk(0, { tool_calls: [{ index: 0, id: 'call_a', type: 'function', function: { name: 'f', arguments: '' } }] }),
      chunk(0, { tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] }),
      chunk(0, { tool_calls: [{ index: 1, function: { arguments: '{}' } }] }),
      chunk(0, { tool_calls: [{ index: 0, id: 'call_a', function: { name: 'f', arguments: ':1}' } }] }),
      chunk(0, {}, 'tool_calls'),
    ),
  )
  assert.deepEqual(reply.choices[0]?.message, {
    role: 'assistant',
    content: null,
    refusal: null,
    tool_calls: [
      { id: 'call_a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
      { id: 'call_b', type: 'function', function: { name: 'g', arguments: '{}' } },
    ],
  })
  check(ChatCompletion, reply)
})

test('text beside tool calls stays, and an empty reply without calls has an empty text', async () => {
  const call = { index: 0, id: 'call_a', type: 'function' as const, function: { name: 'f', arguments: '{}' } }
  const both = await collectChat(
    stream(chunk(0, { content: 'Look: ' }), chunk(0, { tool_calls: [call] }, 'tool_calls')),
  )
  assert.equal(both.choices[0]?.message.content, 'Look: ')
  const empty = await collectChat(stream(chunk(0, { role: 'assistant', content: '' }), chunk(0, {}, 'stop')))
  assert.equal(empty.choices[0]?.message.content, '')
})

test('refusals, older function calls and thoughts are joined', async () => {
  const refused = await collectChat(stream(chunk(0, { refusal: 'I ' }), chunk(0, { refusal: 'cannot.' }, 'stop')))
  assert.deepEqual(refused.choices[0]?.message, { role: 'assistant', content: null, refusal: 'I cannot.' })
  const called = await collectChat(
    stream(
      chunk(0, { function_call: { name: 'f', arguments: '{' } }),
      chunk(0, { function_call: { arguments: '}' } }, 'function_call'),
    ),
  )
  assert.deepEqual(called.choices[0]?.message.function_call, { name: 'f', arguments: '{}' })
  assert.equal(called.choices[0]?.message.content, null)
  const thought = await collectChat(
    stream(chunk(0, { reasoning_content: 'hm' }), chunk(0, { reasoning_content: 'm', content: '4' }, 'stop')),
  )
  assert.equal(thought.choices[0]?.message.reasoning_content, 'hmm')
})

test('log probabilities are appended token by token', async () => {
  const token = (text: string) => ({ token: text, logprob: -0.5, bytes: null, top_logprobs: [] })
  const withLogprobs = (text: string, finish: FinishReason | null): ChatChunk => ({
    ...chunk(0, {}),
    choices: [
      {
        index: 0,
        delta: { content: text },
        logprobs: { content: [token(text)], refusal: null },
        finish_reason: finish,
      },
    ],
  })
  const chunks = [withLogprobs('a', null), withLogprobs('b', 'stop')]
  const reply = await collectChat(stream(...chunks))
  assert.deepEqual(reply.choices[0]?.logprobs, { content: [token('a'), token('b')], refusal: null })
  assert.deepEqual(
    chunks[0]?.choices[0]?.logprobs?.content,
    [token('a')],
    'the chunks themselves are left as they were',
  )
})

test('fields that only an upstream knows are kept: around the choices, in a choice and in a delta', async () => {
  const filter = { hate: { filtered: false, severity: 'safe' } }
  const first = {
    ...lastChunk,
    id: '',
    created: 0,
    model: '',
    usage: null,
    prompt_filter_results: [{ prompt_index: 0 }],
    obfuscation: 'x',
  }
  const middle = {
    ...chunk(0, {}),
    service_tier: 'default' as const,
    choices: [
      {
        index: 0,
        delta: { content: 'a', notes: ['n1'], audio: { id: 'audio_1', transcript: 'Hel' } },
        logprobs: null,
        finish_reason: null,
        content_filter_results: filter,
      },
    ],
  }
  const last = {
    ...chunk(0, {}),
    system_fingerprint: 'fp',
    choices: [
      {
        index: 0,
        delta: { content: null, notes: ['n2'], audio: { id: 'audio_1', transcript: 'lo' } },
        logprobs: null,
        finish_reason: 'stop' as const,
      },
    ],
  }
  assert.deepEqual(await collectChat(stream<ChatChunk>(first, middle, last)), {
    ...head,
    object: 'chat.completion',
    prompt_filter_results: [{ prompt_index: 0 }],
    service_tier: 'default',
    system_fingerprint: 'fp',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: 'a',
          refusal: null,
          notes: ['n1', 'n2'],
          audio: { id: 'audio_1', transcript: 'Hello' },
        },
        logprobs: null,
        finish_reason: 'stop',
        content_filter_results: filter,
      },
    ],
  })
})

test('a stream that ends without a finish is a fault, not a reply', async () => {
  const broken = (error: unknown) => error instanceof Fault && error.status === 500
  await assert.rejects(collectChat(stream<ChatChunk>()), broken)
  await assert.rejects(collectChat(stream(chunk(0, { content: 'half' }))), broken)
  await assert.rejects(collectCompletion(stream(piece('half'))), broken)
})

test('an error of the engine passes through', async () => {
  const failing = async function* (): AsyncGenerator<ChatChunk> {
    yield chunk(0, { content: 'a' })
    throw new RangeError('engine')
  }
  await assert.rejects(collectChat(failing()), RangeError)
})

test('the pieces of a completion become one text with its log probabilities', async () => {
  const logprobs = (text: string, offset: number) => ({
    tokens: [text],
    token_logprobs: [-1],
    top_logprobs: [{ [text]: -1 }],
    text_offset: [offset],
  })
  const reply = await collectCompletion(
    stream(
      piece('one ', { logprobs: logprobs('one ', 0) }),
      piece('two', { logprobs: logprobs('two', 4) }),
      piece('', { finish_reason: 'length' }),
      { ...head, object: 'text_completion' as const, choices: [], usage },
    ),
  )
  assert.deepEqual(reply, {
    ...head,
    object: 'text_completion',
    choices: [
      {
        index: 0,
        text: 'one two',
        logprobs: {
          tokens: ['one ', 'two'],
          token_logprobs: [-1, -1],
          top_logprobs: [{ 'one ': -1 }, { two: -1 }],
          text_offset: [0, 4],
        },
        finish_reason: 'length',
      },
    ],
    usage,
  })
  check(Completion, reply)
})
