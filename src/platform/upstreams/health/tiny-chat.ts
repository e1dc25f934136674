import { type About, refusal } from '../../../engines/upstream/refusals.ts'
import { parseJson } from '../../../lib/json.ts'
import { BlockCutter, BlockTooLong, readBlock } from '../../../lib/sse.ts'
import { isRecord } from '../../../wire/walk.ts'
import { type Answer, ask, type Question, Unanswered } from '../listing/ask.ts'
import type { UpstreamDoor } from '../listing/door.ts'
import { whyRefused, whyUnanswered } from '../listing/words.ts'

/** The smallest chat there is, whole and as a stream: does it work, and what does it count? */

export type Around = Pick<Question, 'clock' | 'timers' | 'signal' | 'timeoutMs'>

export interface Usage {
  readonly input: number
  readonly output: number
}

/** `refusedKey`: the list of models may have been for everybody. */
export type ChatTried =
  | { readonly ok: false; readonly ms: number; readonly detail: string; readonly refusedKey: boolean }
  | { readonly ok: true; readonly ms: number; readonly usage: Usage | undefined }

/** A few words; a reply that goes on is left. */
const answerBytesMax = 1_048_576
const tokensMax = 16

export const chatOnce = (door: UpstreamDoor, model: string, around: Around): Promise<ChatTried> =>
  tried(door, model, false, around)

/** `ok` when pieces of a reply came one after another. */
export const chatStreamed = (door: UpstreamDoor, model: string, around: Around): Promise<ChatTried> =>
  tried(door, model, true, around)

async function tried(door: UpstreamDoor, model: string, streamed: boolean, around: Around): Promise<ChatTried> {
  const startedMs = around.clock.monotonic()
  const refused = (detail: string, refusedKey = false): ChatTried => {
    const ms = Math.round(around.clock.monotonic() - startedMs)
    return { ok: false, ms, detail, refusedKey }
  }
  try {
    const answer = await asked(door, model, streamed, around)
    if (answer.status !== 200) {
      const { stage, detail } = refusedBecause(answer, door, model)
      return refused(detail, stage === 'key')
    }
    if (!streamed) return wholeReply(answer) ?? refused(whyRefused(answer, door, 'a chat completion').detail)
    return streamedReply(answer) ?? refused(`${door.origin} sends no stream of events where one was asked for.`)
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error
    return refused(whyUnanswered(error, door).detail)
  }
}

async function asked(door: UpstreamDoor, model: string, streamed: boolean, around: Around): Promise<Answer> {
  const messages = [{ role: 'user', content: 'Say ok.' }]
  const stream = streamed ? { stream: true, ...door.streamOptions } : {}
  const send = (limit: object) => {
    const body = JSON.stringify({ model, messages, ...limit, ...stream })
    const { pool, headers } = door
    const path = door.chatPath(model)
    return ask({ pool, method: 'POST', path, headers, body, bytesMax: answerBytesMax, ...around })
  }
  const first = await send({ max_tokens: tokensMax })
  // Newer models of OpenAI know only the newer word, and name it; other servers know only the older one.
  const wantsNewer = first.status === 400 && first.bytes.includes('max_completion_tokens')
  return wantsNewer ? send({ max_completion_tokens: tokensMax }) : first
}

/** Words of ours for what is about the way there; those of the upstream, without secrets, for what is about the request. */
function refusedBecause(answer: Answer, door: UpstreamDoor, model: string) {
  const { status, bytes, headers } = answer
  const ours = whyRefused(answer, door, 'chat completions')
  if (status !== 400 && status !== 404 && status !== 422 && status !== 429) return ours
  const about: About = { name: model, secrets: door.secrets }
  const { code, message } = refusal(about, { status, headers }, bytes)
  if (code === 'upstream_invalid_response') return ours
  return { stage: 'answer', detail: `${door.origin} refuses the chat (status ${status}): ${message.slice(0, 500)}` }
}

function wholeReply({ bytes, endMs: ms }: Answer): ChatTried | undefined {
  const reply = parsed(bytes)
  if (!isRecord(reply) || !Array.isArray(reply.choices) || !isMessage(reply.choices[0])) return undefined
  return { ok: true, ms, usage: usageIn(reply) }
}

const isMessage = (choice: unknown): boolean => isRecord(choice) && isRecord(choice.message)

function streamedReply({ bytes, headMs: ms }: Answer): ChatTried | undefined {
  const events = eventsIn(bytes)
  const chunks = events.map(parsed).filter(isRecord)
  if (!chunks.some(chunk => Array.isArray(chunk.choices) && chunk.choices.length > 0)) return undefined
  return { ok: true, ms, usage: chunks.map(usageIn).findLast(usage => usage !== undefined) }
}

function eventsIn(bytes: Buffer): string[] {
  try {
    const blocks = new BlockCutter(answerBytesMax).push(Buffer.concat([bytes, Buffer.from('\n\n')])).toString()
    return blocks.split('\n\n').flatMap(block => readBlock(block)?.data ?? [])
  } catch (error) {
    if (error instanceof BlockTooLong) return []
    throw error
  }
}

function usageIn({ usage }: Record<string, unknown>): Usage | undefined {
  if (!isRecord(usage)) return undefined
  const { prompt_tokens: input, completion_tokens: output } = usage
  return typeof input === 'number' && typeof output === 'number' ? { input, output } : undefined
}

function parsed(text: Buffer | string): unknown {
  try {
    return parseJson(Buffer.from(text), { maxDepth: 32 })
  } catch {
    return undefined // told with everything else that is no reply
  }
}
