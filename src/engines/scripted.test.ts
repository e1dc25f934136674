import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fault } from '../lib/faults.ts'
import { silentLog } from '../lib/log.ts'
import { engineContract } from './engine.contract.ts'
import type { Call } from './engine.ts'
import { scriptedEngine } from './scripted.ts'

const endlessReply = Array.from({ length: 5000 }, (_, i) => `word${i}`).join(' ')
const wait = (signal: AbortSignal) => pause(1, undefined, { signal }).catch(() => undefined)

engineContract('scripted', async () => ({
  engine: scriptedEngine({
    reply: prompt => (prompt.includes('on and on') ? endlessReply : 'Grüße, 世界 🙂 und guten Tag'),
    context: 100,
    wait,
  }),
  chat: {
    request: { model: 'scripted', messages: [{ role: 'user', content: 'Say hello, please' }], temperature: 0 },
    reply: 'Grüße, 世界 🙂 und guten Tag',
    usage: { prompt_tokens: 3, completion_tokens: 6 },
    stop: { sequence: '🙂 und gu', before: 'Grüße, 世界 ' },
    endless: { model: 'scripted', messages: [{ role: 'user', content: 'on and on' }] },
    refused: {
      request: { model: 'scripted', messages: [{ role: 'user', content: 'too much '.repeat(200) }] },
      status: 400,
      code: 'context_length_exceeded',
    },
  },
  complete: {
    request: { model: 'scripted', prompt: 'Say hello', temperature: 0 },
    reply: 'Grüße, 世界 🙂 und guten Tag',
    usage: { prompt_tokens: 2, completion_tokens: 6 },
    stop: { sequence: 'und guten', before: 'Grüße, 世界 🙂 ' },
    endless: { model: 'scripted', prompt: 'on and on', max_tokens: 90 },
    refused: {
      request: { model: 'scripted', prompt: 'much', max_tokens: 100 },
      status: 400,
      code: 'context_length_exceeded',
    },
  },
}))

describe('scripted engine', () => {
  const call: Call = {
    id: 'chatcmpl-1',
    created: 1,
    signal: new AbortController().signal,
    meter: { input: () => {}, output: () => {} },
    log: silentLog,
    seed: 1,
  }

  it('breaks where it was told to', async () => {
    const engine = scriptedEngine({ fails: { after: 2, fault: fault.engineCrashed('scripted') } })
    let text = ''
    await assert.rejects(async () => {
      for await (const chunk of engine.chat?.({ model: 'm', messages: [{ role: 'user', content: 'x' }] }, call) ?? [])
        text += chunk.choices[0]?.delta.content ?? ''
    }, /ended unexpectedly/)
    assert.equal(text, 'This is')
  })

  it('gives every input its vector', async () => {
    const engine = scriptedEngine({ vector: [0, 1] })
    const list = await engine.embed?.({ model: 'm', input: ['one', 'two words'] }, call)
    assert.deepEqual(
      list?.data.map(({ embedding }) => embedding),
      [
        [0, 1],
        [0, 1],
      ],
    )
    assert.deepEqual(list?.usage, { prompt_tokens: 3, total_tokens: 3 })
  })
})
