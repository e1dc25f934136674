/** For tests: an engine in front of a hostile upstream, both closed when the test ends. */
import type { TestContext } from 'node:test'
import type { Engine, RelayPath } from '../../src/engines/engine.ts'
import type { PromptTokenizer } from '../../src/engines/tokenizer.ts'
import { type UpstreamOptions, upstreamEngine, upstreamPool } from '../../src/engines/upstream/index.ts'
import { Fault } from '../../src/lib/faults.ts'
import { silentLog } from '../../src/lib/log.ts'
import { textOf as contentText } from '../../src/wire/chat.ts'
import { type TestCall, TextSink, testCall } from './sinks.ts'
import { type HostileUpstream, hostileUpstream, type Script } from './upstream.ts'

export const key = 'sk-upstream-canary-0123456789'

export interface Setting {
  upstream: HostileUpstream
  engine: Engine
}

export async function setting(t: TestContext, script: Script, more: Partial<UpstreamOptions> = {}): Promise<Setting> {
  const upstream = await hostileUpstream(script)
  const baseUrl = `${upstream.origin}/v1`
  const pool = more.pool ?? upstreamPool(baseUrl)
  t.after(async () => {
    await pool.close()
    await upstream.close()
  })
  const engine = upstreamEngine({
    name: 'big',
    baseUrl,
    apiKey: key,
    target: 'big-1',
    version: '0.0.0',
    log: silentLog,
    pool,
    ...more,
  })
  return { upstream, engine }
}

/** Counts by a measure of its own; of a chat it sees the texts alone. */
export function tokenizerBy(measure: (text: string) => number): PromptTokenizer {
  return {
    name: 'by the test',
    assumptions: [],
    count: async text => measure(text),
    countChat: async ({ messages }) => ({
      tokens: measure(messages.map(({ content }) => contentText(content ?? '') ?? '').join(' ')),
      assumptions: [],
    }),
  }
}

export const chat = { model: 'alias', messages: [{ role: 'user' as const, content: 'Say hello' }] }
export const streamedChat = { ...chat, stream: true }

/** What a client would see: the fault, or the text of the stream or document. */
export type Seen = { fault: Fault } | { text: string; writes: string[] }

export async function relayed(
  engine: Engine,
  request: object,
  call: TestCall = testCall(),
  path: RelayPath = '/chat/completions',
): Promise<Seen> {
  try {
    const reply = await engine.relay?.(path, request, call)
    if (reply === undefined) throw new Error('The engine cannot relay.')
    if (reply.kind === 'json') return { text: reply.bytes.toString(), writes: [] }
    const sink = new TextSink()
    await reply.pipe(sink)
    return { text: sink.text, writes: sink.writes }
  } catch (error) {
    if (error instanceof Fault) return { fault: error }
    throw error
  }
}

/** The text of a reply that must not be a fault. */
export function textOf(seen: Seen): string {
  if ('fault' in seen) throw seen.fault
  return seen.text
}

/** The fault of a reply that must be one. */
export function faultOf(seen: Seen): Fault {
  if ('fault' in seen) return seen.fault
  throw new Error(`A fault was due, not: ${seen.text.slice(0, 500)}`)
}

/** An error as OpenAI sends it. */
export const openAiError = (message: string, more: object = {}) => ({
  error: { message, type: 'some_type', param: 'p', code: 'some_code', ...more },
})

/** Nothing of the configuration or of this machine stands in what a client sees. */
export function assertNothingLeaks(text: string, port: number): void {
  for (const secret of [key, String(port), '127.0.0.1', 'localhost', 'ECONN', 'undici', 'node:', '/opt/'])
    if (text.includes(secret)) throw new Error(`${secret} stands in ${text.slice(0, 1000)}`)
}
