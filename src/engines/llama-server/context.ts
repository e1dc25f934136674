import { fault } from '../../lib/faults.ts'
import type { Running } from './host.ts'
import type { Body, Plan } from './request.ts'

/** Tokens that a template may put around messages and tools, for a first look. */
const aroundTokens = 1024

/**
 * Refuses a request whose prompt and reply together do not fit, as the server would cut the reply instead. Its tokens are counted only
 * where their number could matter: a token stands for at least one byte.
 * @throws fault.contextLengthExceeded
 */
export async function checkContext(
  { parts, n, maxTokens }: Plan,
  running: Running,
  signal: AbortSignal,
): Promise<void> {
  if (maxTokens === undefined) return
  const { context: limit } = running.description
  for (const { body, choice } of parts) {
    if (choice % n !== 0) continue
    const isChat = 'messages' in body
    if (atMost(body) + aroundTokens + maxTokens <= limit) continue
    const prompt = await counted(body, running, signal)
    if (prompt + maxTokens <= limit) continue
    throw fault.contextLengthExceeded({ limit, prompt, completion: maxTokens, subject: isChat ? 'messages' : 'prompt' })
  }
}

function atMost({ messages, tools, prompt }: Body): number {
  if (Array.isArray(prompt)) return prompt.length
  return Buffer.byteLength(JSON.stringify([messages ?? prompt, tools]))
}

async function counted(body: Body, { counter }: Running, signal: AbortSignal): Promise<number> {
  if ('messages' in body) return (await counter.countChat(body, signal)).tokens
  const { prompt } = body
  if (Array.isArray(prompt)) return prompt.length
  return counter.countPrompt(String(prompt), signal)
}
