import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Said } from './said.ts'

/** As the filter hands events over. */
const latin1 = (event: object) => Buffer.from(`data: ${JSON.stringify(event)}\n\n`).toString('latin1')
const delta = (fields: object, index = 0) => latin1({ choices: [{ index, delta: fields, finish_reason: null }] })

function heard(choices: number, events: string[]) {
  const said = new Said(choices)
  return { said: events.map(event => said.take(event)), texts: said.texts(), dropped: said.dropped }
}

test('what a stream says is put together again, whatever characters it holds', () => {
  const pieces = ['Grüße, ', '世界 ', '🙂', '"quoted" \\ ', '\\"', 'line\nbreak\t\u0001', '\u2028', '\\']
  const { said, texts } = heard(
    1,
    pieces.map(content => delta({ content })),
  )
  assert.deepEqual(texts, [pieces.join('')])
  assert.ok(said.every(Boolean))
})

test('a character whose halves come in two events is whole again', () => {
  const half = (escaped: string) => `data: {"choices":[{"delta":{"content":"${escaped}"}}]}\n\n`
  assert.deepEqual(heard(1, [half('\\ud83d'), half('\\ude42')]).texts, ['🙂'])
})

test('thoughts, refusals, texts, and names and arguments of calls are said; nothing else is', () => {
  const { said, texts } = heard(1, [
    latin1({
      id: 'x',
      object: 'chat.completion.chunk',
      model: 'm',
      choices: [{ delta: { role: 'assistant', content: '' } }],
    }),
    delta({ reasoning_content: 'hm ' }),
    delta({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'f', arguments: '' } }] }),
    delta({ tool_calls: [{ index: 0, function: { arguments: '{"content": "a"}' } }] }),
    latin1({ choices: [{ index: 0, text: ' t', logprobs: { tokens: ['t'], text_offset: [0] } }] }),
    delta({ refusal: ' no' }),
    delta({}),
  ])
  assert.deepEqual(texts, ['hm f{"content": "a"} t no'])
  assert.deepEqual(said, [false, true, true, true, true, true, false])
})

test('a reply of many pieces is whole, of each choice', () => {
  const pieces = Array.from({ length: 2000 }, (_, at) => ` ${at} ü世`)
  const events = pieces.flatMap(content => [delta({ content }, 0), delta({ content: 'y' }, 1)])
  assert.deepEqual(heard(2, events).texts, [pieces.join(''), 'y'.repeat(2000)])
})

test('choices that interleave are told apart', () => {
  const events = [delta({ content: 'a' }, 0), delta({ content: 'x' }, 1), delta({ content: 'b' }, 0)]
  assert.deepEqual(heard(2, events).texts, ['ab', 'x'])
})

test('a reply beyond the bound is counted by its events', () => {
  const large = delta({ content: 'x'.repeat(1_000_000) })
  const { texts, dropped, said } = heard(
    1,
    Array.from({ length: 7 }, () => large),
  )
  assert.equal(texts[0]?.length, 4_000_000)
  assert.equal(dropped, 3)
  assert.ok(said.every(Boolean))
})

test('an event that is no JSON is taken as it is', () => {
  assert.deepEqual(heard(1, ['data: {"content":"a\\q"}\n\n', 'data: {"content":"never ends']).texts, ['a\\qnever ends'])
})
