import { Pool } from 'undici'
import { fault } from '../../lib/faults.ts'
import type { ChatCount } from '../../tokens/index.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import { isRecord } from '../../wire/walk.ts'
import type { PromptTokenizer } from '../tokenizer.ts'

const timeoutMs = 60_000
const connectionsMax = 8

/** Counts with the running server, which has the model's own tokenizer and template. Its methods end with the signal's reason. */
export class Counter implements PromptTokenizer {
  readonly name: string
  readonly assumptions = []
  readonly #pool: Pool
  readonly #key: string

  constructor(name: string, address: string, key: string) {
    this.name = name
    this.#pool = new Pool(address, { connections: connectionsMax })
    this.#key = key
  }

  /** @throws fault.upstreamInvalid, and what the connection fails with */
  async count(text: string, signal?: AbortSignal): Promise<number> {
    const { tokens } = await this.#ask('/tokenize', { content: text, add_special: false }, signal)
    if (Array.isArray(tokens)) return tokens.length
    throw fault.upstreamInvalid(this.name, new Error('The count is no list of tokens.'))
  }

  /** Of a request in the form in which this server takes it. */
  async countChat(request: ChatRequest | object, signal?: AbortSignal): Promise<ChatCount> {
    const { input_tokens: tokens } = await this.#ask('/v1/chat/completions/input_tokens', request, signal)
    if (typeof tokens === 'number') return { tokens, assumptions: [] }
    throw fault.upstreamInvalid(this.name, new Error('The count is no number.'))
  }

  /** The tokens of a text that begins a completion. */
  async countPrompt(text: string, signal?: AbortSignal): Promise<number> {
    const { tokens } = await this.#ask('/tokenize', { content: text, add_special: true }, signal)
    if (Array.isArray(tokens)) return tokens.length
    throw fault.upstreamInvalid(this.name, new Error('The count is no list of tokens.'))
  }

  /**
   * Whether the chat template of the model can show and spell calls, as the server sees it: tools that it cannot are left out in
   * silence. Versions that do not say are believed to.
   */
  async callsTools(): Promise<boolean> {
    const { chat_template_caps: can } = await this.#send('GET', '/props')
    return !isRecord(can) || can.supports_tool_calls !== false
  }

  close(): Promise<void> {
    return this.#pool.destroy()
  }

  #ask(path: string, body: object, signal: AbortSignal | undefined): Promise<Record<string, unknown>> {
    return this.#send('POST', path, JSON.stringify(body), signal)
  }

  async #send(method: 'GET' | 'POST', path: string, body?: string, signal?: AbortSignal) {
    const { statusCode, body: answer } = await this.#pool.request({
      method,
      path,
      headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body }),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      ...(signal !== undefined && { signal }),
    })
    const value: unknown = await answer.json()
    if (statusCode === 200 && isRecord(value)) return value
    throw new Rejected(statusCode, value)
  }
}

/** What the server says instead of a count. */
export class Rejected extends Error {
  override readonly name = 'Rejected'
  readonly status: number
  readonly answer: unknown

  constructor(status: number, answer: unknown) {
    super(`llama-server answered with the status ${status}.`)
    this.status = status
    this.answer = answer
  }
}
