/** What an engine that stands on an upstream of one kind can tell of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { event, jsonAnswer, stream, streamThenSilence } from '../../../test/hostile/scripts.ts'
import { chat, faultOf, openAiError, relayed, setting, streamedChat } from '../../../test/hostile/setting.ts'
import { TextSink, testCall } from '../../../test/hostile/sinks.ts'
import { fault } from '../../lib/faults.ts'
import type { UpstreamOptions } from './index.ts'

test('what a server tells with each event is spent, and not counted, when the reader leaves', async t => {
  const timed = (delta: object, spent: number) =>
    event({ choices: [{ index: 0, delta, finish_reason: null }], timings: { prompt: 7, reply: spent } })
  const spentSoFar = ({ timings }: Readonly<Record<string, unknown>>) => {
    const { prompt, reply }: { prompt?: unknown; reply?: unknown } = { ...Object(timings) }
    return { prompt_tokens: prompt, completion_tokens: reply }
  }
  const script = streamThenSilence([timed({ role: 'assistant', content: 'a' }, 4), timed({ content: 'b' }, 9)])
  const { engine } = await setting(t, script, { spentSoFar })
  const call = testCall()
  const reply = await engine.relay?.('/chat/completions', streamedChat, call)
  assert.ok(reply?.kind === 'stream')
  const sink = new TextSink()
  const piped = reply.pipe(sink)
  while (!sink.text.includes('"b"')) await turn()
  call.abort()
  await piped
  assert.deepEqual(call.spent, { input: 7, output: 9 })
})

test('a server’s own way of saying no can be put into the product’s words', async t => {
  const judge: UpstreamOptions['judge'] = (status, error, path) =>
    error.type === 'odd' ? fault.invalidValue(path, `${status} ${String(error.message)}`) : undefined
  const { upstream, engine } = await setting(t, jsonAnswer(500, openAiError('No.', { type: 'odd' })), { judge })
  const refused = faultOf(await relayed(engine, chat))
  assert.deepEqual([refused.status, refused.param, refused.message], [400, '/chat/completions', '500 No.'])
  upstream.script = jsonAnswer(500, openAiError('No.'))
  assert.equal(faultOf(await relayed(engine, chat)).code, 'upstream_failed')
  upstream.script = stream([event(openAiError('No.', { type: 'odd', code: 418 }))])
  assert.equal(faultOf(await relayed(engine, streamedChat)).message, '418 No.')
})
