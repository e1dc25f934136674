/** What goes wrong when a reply runs: an error event, and no `[DONE]`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  bytes,
  bytesThenEnd,
  bytesThenReset,
  chatEvent,
  chunk,
  done,
  endless,
  event,
  goodEvents,
  stream,
  streamHead,
  streamThenSilence,
} from '../../../test/hostile/scripts.ts'
import {
  assertNothingLeaks,
  key,
  openAiError,
  relayed,
  setting,
  streamedChat,
  textOf,
} from '../../../test/hostile/setting.ts'
import { testCall } from '../../../test/hostile/sinks.ts'
import type { Script } from '../../../test/hostile/upstream.ts'

const begun = goodEvents.slice(0, 3)
const start = streamHead + chunk(begun.join(''))

const breaks: { name: string; script: Script; code: string | null; message?: RegExp }[] = [
  { name: 'a reset', script: bytesThenReset(start), code: 'upstream_interrupted' },
  {
    name: 'a cut inside an event',
    script: bytesThenEnd(streamHead + chunk(`${begun.join('')}data: {"id"`)),
    code: 'upstream_interrupted',
  },
  { name: 'a clean end without a finish_reason', script: stream(begun), code: 'upstream_interrupted' },
  {
    name: 'an error event',
    script: stream([...begun, event(openAiError(`Broke at 127.0.0.1 with ${key}`)), done]),
    code: 'some_code',
    message: /^Broke at \[upstream\] with \[upstream\]$/,
  },
  { name: 'an error event without words', script: stream([...begun, event({ error: {} })]), code: null },
  { name: 'garbage', script: stream([...begun, 'data: <html>\n\n']), code: 'upstream_invalid_response' },
  {
    name: 'garbage in one piece with good events',
    script: stream([begun[0] ?? '', `${begun[1]}${begun[2]}data: x\n\n${goodEvents[3]}`]),
    code: 'upstream_invalid_response',
  },
  {
    name: 'bytes that are not UTF-8',
    script: stream([...begun, Buffer.from('data: {"x":"\xff"}\n\n', 'latin1')]),
    code: 'upstream_invalid_response',
  },
  { name: 'a NUL', script: stream([...begun, 'data: {"x":"\0"}\n\n']), code: 'upstream_invalid_response' },
  {
    name: 'a line of 100 MB',
    script: async (wire, request) => {
      await wire.send(start)
      await endless('y'.repeat(100_000), '', 100_000_000)(wire, request)
    },
    code: 'upstream_invalid_response',
  },
  { name: 'broken chunks', script: bytes(`${start}nonsense\r\n`), code: 'upstream_invalid_response' },
  { name: 'chunk sizes that lie', script: bytes(`${start}3\r\n${goodEvents[3]}`), code: 'upstream_invalid_response' },
  { name: 'silence', script: streamThenSilence(begun), code: 'upstream_timeout' },
  {
    name: 'single bytes, slowly',
    script: async wire => {
      await wire.send(start)
      while (await wire.send(chunk('y'))) await turn()
    },
    code: 'upstream_timeout',
  },
]

for (const { name, script, code, message } of breaks)
  test(`in the middle of a stream: ${name} becomes an error event and no [DONE]`, async t => {
    const { upstream, engine } = await setting(
      t,
      script,
      code === 'upstream_timeout' ? { timeouts: { idleMs: 60 } } : {},
    )
    const call = testCall()
    const text = textOf(await relayed(engine, streamedChat, call))
    assert.ok(text.startsWith(begun.join('')), text.slice(0, 1000))
    const rest = /^data: (\{"error":.*\})\n\n$/.exec(text.slice(begun.join('').length))
    assert.ok(rest?.[1] !== undefined, text.slice(0, 2000))
    const { error } = JSON.parse(rest[1])
    assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'])
    assert.equal(error.code, code)
    if (message !== undefined) assert.match(error.message, message)
    assertNothingLeaks(text, upstream.port)
    assert.deepEqual(call.spent, { input: 9, output: 2 }, 'what was seen is billed')
    assert.match(call.logged.join(), /upstream\.stream_failed/)
    assert.doesNotMatch(call.logged.join(), new RegExp(`${key}|Hel|Broke`))
  })

test('a stream that breaks closes its connection', async t => {
  const { upstream, engine } = await setting(t, endless('data: <html>\n\n', start))
  await relayed(engine, streamedChat)
  await (await upstream.request(0)).closed
})

test('a stream that would never end is ended by the limit on the whole', async t => {
  const script = endless(chatEvent({ content: 'again ' }))
  const { upstream, engine } = await setting(t, script, { timeouts: { totalMs: 400 } })
  const text = textOf(await relayed(engine, streamedChat))
  assert.match(text.slice(-500), /\n\ndata: \{"error":\{[^\n]*"upstream_timeout"\}\}\n\n$/)
  await (await upstream.request(0)).closed
})
