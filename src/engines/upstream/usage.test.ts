import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  chatEvent,
  completion,
  done,
  event,
  goodEvents,
  jsonAnswer,
  stream,
  usageEvent,
} from '../../../test/hostile/scripts.ts'
import { chat, relayed, setting, streamedChat, textOf, tokenizerBy } from '../../../test/hostile/setting.ts'
import { testCall } from '../../../test/hostile/sinks.ts'
import type { LogFields } from '../../lib/log.ts'
import { manualTime } from '../../lib/timers.ts'

/** Until what nobody waits for is counted. */
async function settledTurns(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await turn()
}

const words = (text: string) => text.split(/\s+/).filter(word => word !== '').length
const tokenizer = tokenizerBy(words)

/** What no upstream can have counted, asked with `max_tokens: 10`. */
const impossible: [what: string, usage: object][] = [
  ['no prompt', { completion_tokens: 3, total_tokens: 3 }],
  ['a negative prompt', { prompt_tokens: -5, completion_tokens: 3, total_tokens: -2 }],
  ['a negative reply', { prompt_tokens: 5, completion_tokens: -3, total_tokens: 2 }],
  ['a text', { prompt_tokens: '5', completion_tokens: '3', total_tokens: '8' }],
  ['null, as JSON writes NaN', { prompt_tokens: null, completion_tokens: null, total_tokens: null }],
  ['halves', { prompt_tokens: 5.5, completion_tokens: 2.5, total_tokens: 8 }],
  ['no reply', { prompt_tokens: 5 }],
  ['less in total than the prompt', { prompt_tokens: 5, total_tokens: 4 }],
  ['far more than was allowed', { prompt_tokens: 5, completion_tokens: 5000, total_tokens: 5005 }],
]

for (const [what, usage] of impossible)
  test(`a usage with ${what} is not believed: tokens are counted, and the reply shows our count`, async t => {
    const { upstream, engine } = await setting(t, jsonAnswer(200, { ...completion, usage }), { tokenizer })
    const whole = testCall()
    const asked = { ...chat, max_tokens: 10 }
    const reply = JSON.parse(textOf(await relayed(engine, asked, whole)))
    const said = words(completion.choices[0]!.message.content)
    assert.deepEqual(whole.spent, { input: 2, output: said })
    assert.deepEqual(reply.usage, { prompt_tokens: 2, completion_tokens: said, total_tokens: 2 + said })
    assert.match(whole.logged.join(), /upstream\.usage_missing.*"impossible":true/)

    const events = goodEvents.filter(one => one !== usageEvent && one !== done)
    upstream.script = stream([...events, event({ id: 'x', choices: [], usage }), done])
    const streamed = testCall()
    const options = { stream: true, stream_options: { include_usage: true } }
    const text = textOf(await relayed(engine, { ...asked, ...options }, streamed))
    assert.deepEqual(streamed.spent, { input: 2, output: 2 })
    const told = text.split('\n\n').filter(one => one.includes('"usage"'))
    assert.deepEqual(
      told.map(one => JSON.parse(one.slice(6)).usage),
      [{ prompt_tokens: 2, completion_tokens: 2, total_tokens: 4 }],
    )
  })

test('a little more than was allowed is believed, and what was left out is worked out of the total', async t => {
  const usage = { prompt_tokens: 5, total_tokens: 25 }
  const { engine } = await setting(t, jsonAnswer(200, { ...completion, usage }), { tokenizer })
  const call = testCall()
  await relayed(engine, { ...chat, max_tokens: 10 }, call)
  assert.deepEqual(call.spent, { input: 5, output: 20 })
})

test('more tokens from a cache than there were are not believed', async t => {
  const usage = { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 6 } }
  const { engine } = await setting(t, jsonAnswer(200, { ...completion, usage }), { tokenizer })
  const call = testCall()
  await relayed(engine, chat, call)
  assert.deepEqual(call.spent, { input: 5, output: 1 })
})

/** An engine that compares, under a clock that is moved, and the lines of its log. */
async function comparing(t: Parameters<typeof setting>[0], usage: object, more: Parameters<typeof setting>[2] = {}) {
  const time = manualTime()
  const lines: [string, LogFields | undefined][] = []
  const line = (name: string, fields?: LogFields) => void lines.push([name, fields])
  const log = { info: line, warn: line, error: line }
  const options = { tokenizer, clock: time, log, comparesUsage: true, ...more }
  const { upstream, engine } = await setting(t, jsonAnswer(200, { ...completion, usage }), options)
  return { time, lines, upstream, engine }
}

test('a usage that differs from our count is a line of the log, once a minute, and shows in the state of the engine', async t => {
  const usage = { prompt_tokens: 40, completion_tokens: 3, total_tokens: 43 }
  const { engine, lines, time, upstream } = await comparing(t, usage)
  const said = words(completion.choices[0]!.message.content)
  for (let round = 0; round < 3; round++) {
    const call = { ...testCall(), requestId: `req_${round}` }
    await relayed(engine, chat, call)
    await settledTurns()
    assert.deepEqual(call.spent, { input: 40, output: 3 }, 'the upstream is believed all the same')
  }
  const counts = { input: 40, inputCounted: 2, output: 3, outputCounted: said }
  assert.deepEqual(lines, [['upstream.usage_differs', { engine: 'big', requestId: 'req_0', ...counts }]])
  const { state, detail } = engine.status()
  assert.deepEqual([state, detail], ['ready', `reports 40 + 3 tokens where we count 2 + ${said}`])
  time.advance(60_000)
  await relayed(engine, chat)
  await settledTurns()
  assert.equal(lines.length, 2)
  time.advance(60_000)
  upstream.script = stream(goodEvents)
  await relayed(engine, streamedChat)
  await settledTurns()
  assert.deepEqual(engine.status(), { state: 'ready' }, 'it is right again')
  assert.equal(lines.length, 2)
})

const silent: [what: string, usage: object, more: object][] = [
  ['counts that are nearly equal', { prompt_tokens: 10, completion_tokens: 3 }, {}],
  ['a model whose tokens nobody knows', { prompt_tokens: 40, completion_tokens: 3 }, { tokenizer: undefined }],
  ['an engine that does not compare', { prompt_tokens: 40, completion_tokens: 3 }, { comparesUsage: false }],
  [
    'a reply with hidden thoughts',
    { prompt_tokens: 2, completion_tokens: 90, completion_tokens_details: { reasoning_tokens: 88 } },
    {},
  ],
]
for (const [what, usage, more] of silent)
  test(`nothing is said of ${what}`, async t => {
    const { engine, lines } = await comparing(t, usage, more)
    await relayed(engine, chat)
    await settledTurns()
    assert.deepEqual(lines, [])
    assert.deepEqual(engine.status(), { state: 'ready' })
  })

test('what a stream said is compared too', async t => {
  const long = chatEvent({ content: 'word '.repeat(60) })
  const { engine, lines, upstream } = await comparing(t, {})
  upstream.script = stream([...goodEvents.slice(0, 2), long, ...goodEvents.slice(4)])
  await relayed(engine, streamedChat)
  await settledTurns()
  assert.deepEqual(
    lines.map(([name, fields]) => [name, fields?.output, fields?.outputCounted]),
    [['upstream.usage_differs', 3, 60]],
  )
})
