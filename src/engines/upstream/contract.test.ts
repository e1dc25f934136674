/** The contract of all engines, with an upstream that speaks correctly: the scripted engine behind HTTP. */
import { setTimeout as pause } from 'node:timers/promises'
import { chunk, event, jsonAnswer, lastChunk, streamHead } from '../../../test/hostile/scripts.ts'
import { tokenizerBy } from '../../../test/hostile/setting.ts'
import { hostileUpstream, type Script } from '../../../test/hostile/upstream.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import { engineContract } from '../engine.contract.ts'
import type { Call, Engine } from '../engine.ts'
import { scriptedEngine } from '../scripted.ts'
import { type UpstreamOptions, upstreamEngine, upstreamPool } from './index.ts'

const reply = 'Grüße, 世界 🙂 und guten Tag'
const endless = Array.from({ length: 5000 }, (_, place) => `word${place}`).join(' ')
const words = (text: string) => text.split(/\s+/).filter(word => word !== '').length

/** Serves an engine as OpenAI would, with the ids that the contract looks for. */
const served =
  (engine: Engine): Script =>
  async (wire, request) => {
    const abort = new AbortController()
    wire.closed.then(() => abort.abort())
    const call: Call = {
      id: 'chatcmpl-contract',
      created: 1_700_000_000,
      signal: abort.signal,
      meter: { input: () => {}, output: () => {} },
      log: silentLog,
      seed: 5,
    }
    const body = JSON.parse(request.body)
    const chunks = request.path.includes('/chat/') ? engine.chat?.(body, call) : engine.complete?.(body, call)
    try {
      let begun = false
      for await (const one of chunks ?? []) {
        if (!begun) await wire.send(streamHead)
        begun = true
        await wire.send(chunk(event(one)))
      }
      await wire.send(chunk('data: [DONE]\n\n') + lastChunk)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      await jsonAnswer(error.status, error.body())(wire, request)
    }
  }

/** As servers do that make one reply: what asks for several is refused. */
const refusingSeveral =
  (script: Script): Script =>
  (wire, request) => {
    const { n = 1 }: { n?: number } = JSON.parse(request.body)
    return (n === 1 ? script : jsonAnswer(400, { error: { message: 'n must be 1', code: 'one_choice' } }))(
      wire,
      request,
    )
  }

const kinds: { name: string; options: Partial<UpstreamOptions>; oneChoice?: true }[] = [
  { name: 'upstream', options: {} },
  { name: 'upstream of the kind azure', options: { kind: 'azure', apiKey: 'a-key', target: 'a deployment' } },
  { name: 'upstream that gives one reply a request', options: { kind: 'lm-studio' }, oneChoice: true },
]

for (const { name, options, oneChoice } of kinds)
  engineContract(name, async () => {
    const scripted = scriptedEngine({
      reply: prompt => (prompt.includes('on and on') ? endless : reply),
      context: 100,
      wait: signal => pause(1, undefined, { signal }).catch(() => undefined),
    })
    const upstream = await hostileUpstream(oneChoice ? refusingSeveral(served(scripted)) : served(scripted))
    const pool = upstreamPool(upstream.origin)
    const engine = upstreamEngine({
      name: 'upstream',
      baseUrl: upstream.origin,
      target: 'scripted',
      version: '0.0.0',
      log: silentLog,
      pool,
      tokenizer: tokenizerBy(words), // an aborted stream has no usage of the upstream
      ...options,
    })
    const messages = (content: string) => [{ role: 'user' as const, content }]
    return {
      engine,
      ...(oneChoice && { readsPromptPerChoice: true }),
      async close() {
        await pool.close()
        await upstream.close()
      },
      chat: {
        request: { model: 'alias', messages: messages('Say hello, please'), temperature: 0 },
        reply,
        usage: { prompt_tokens: 3, completion_tokens: 6 },
        stop: { sequence: '🙂 und gu', before: 'Grüße, 世界 ' },
        endless: { model: 'alias', messages: messages('on and on') },
        refused: {
          request: { model: 'alias', messages: messages('too much '.repeat(200)) },
          status: 400,
          code: 'context_length_exceeded',
        },
      },
      complete: {
        request: { model: 'alias', prompt: 'Say hello', temperature: 0 },
        reply,
        usage: { prompt_tokens: 2, completion_tokens: 6 },
        stop: { sequence: 'und guten', before: 'Grüße, 世界 🙂 ' },
        endless: { model: 'alias', prompt: 'on and on', max_tokens: 90 },
        refused: {
          request: { model: 'alias', prompt: 'much', max_tokens: 100 },
          status: 400,
          code: 'context_length_exceeded',
        },
      },
    }
  })
