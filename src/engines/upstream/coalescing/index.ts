import { fault } from '../../../lib/faults.ts'
import { describe, type Log } from '../../../lib/log.ts'
import type { Timers } from '../../../lib/timers.ts'
import type { Call } from '../../engine.ts'
import type { PromptTokenizer } from '../../tokenizer.ts'
import type { Document } from '../document.ts'
import { type Send, sendJoint } from './joint.ts'
import { countTokens, type Joinable, joinable, type Part } from './part.ts'

/** How far requests for embeddings are joined. */
export interface CoalescingOptions {
  /** How long a request waits for others. */
  waitMs: number
  /** Of a joint request. Default: 128. */
  inputsMax?: number
  /** Of a joint request, by our own count. Default: 100,000. */
  tokensMax?: number
}

interface About {
  /** The engine, for messages. */
  readonly name: string
  readonly tokenizer: PromptTokenizer
  readonly timers: Timers
  readonly log: Log
}

/** Of the inputs of a joint request. */
const jointBytesMax = 1_048_576
/** Requests that wait at once; those beyond are sent alone. */
const waitingMax = 4096

/** Who waits for the same joint request. */
interface Group {
  readonly key: string
  /** With what ends the watch over their callers. */
  readonly parts: Map<Part, () => void>
  inputs: number
  tokens: number
  bytes: number
  cancelTimer(): void
}

/**
 * Joins requests for embeddings that come within a short time and differ in their inputs alone, whoever their callers are, into one
 * request to the upstream. Each gets its own vectors and its share of the tokens.
 */
export class Coalescer {
  readonly #options: Required<CoalescingOptions>
  readonly #about: About
  readonly #ask: Send
  readonly #groups = new Map<string, Group>()
  #waiting = 0
  #isClosed = false

  /** @param send asks the upstream, and tells the meter of the call */
  constructor({ waitMs, inputsMax = 128, tokensMax = 100_000 }: CoalescingOptions, about: About, send: Send) {
    this.#options = { waitMs, inputsMax, tokensMax }
    this.#about = about
    this.#ask = send
  }

  /** @throws what `send` does, and the reason of the signal */
  async ask(request: object, call: Call): Promise<Document> {
    const one = joinable(request, this.#options.inputsMax)
    if (one === undefined || this.#waiting >= waitingMax) return this.#ask(request, call)
    this.#waiting++ // while its tokens are counted, too
    const tokens = await this.#count(one)
    if (this.#isClosed || call.signal.aborted || tokens === undefined || tokens > this.#options.tokensMax) {
      this.#waiting--
      return this.#ask(request, call)
    }
    return new Promise((resolve, reject) => this.#join({ ...one, request, call, tokens, resolve, reject }))
  }

  /** Who still waits is told that the server ends. */
  close(): void {
    this.#isClosed = true
    for (const group of this.#groups.values()) for (const part of this.#close(group)) part.reject(fault.draining())
  }

  async #count(one: Joinable): Promise<number | undefined> {
    try {
      return await countTokens(one, this.#about.tokenizer)
    } catch (error) {
      this.#about.log.error('upstream.not_counted', { engine: this.#about.name, cause: describe(error) })
      return undefined
    }
  }

  #join(part: Part): void {
    const { key, call } = part
    const open = this.#groups.get(key)
    if (open !== undefined && !this.#fits(open, part)) this.#send(open)
    const group = this.#groups.get(key) ?? this.#begin(key)
    const leave = () => {
      this.#waiting--
      group.parts.delete(part)
      grow(group, part, -1)
      if (group.parts.size === 0) this.#close(group)
      part.reject(call.signal.reason)
    }
    call.signal.addEventListener('abort', leave, { once: true })
    group.parts.set(part, () => call.signal.removeEventListener('abort', leave))
    grow(group, part, 1)
    if (group.inputs >= this.#options.inputsMax) this.#send(group)
  }

  #begin(key: string): Group {
    const group: Group = {
      key,
      parts: new Map(),
      ...{ inputs: 0, tokens: 0, bytes: 0 },
      cancelTimer: this.#about.timers.after(this.#options.waitMs, () => this.#send(group)),
    }
    this.#groups.set(key, group)
    return group
  }

  #fits({ inputs, tokens, bytes }: Group, part: Part): boolean {
    const { inputsMax, tokensMax } = this.#options
    return (
      inputs + part.inputs.length <= inputsMax &&
      tokens + part.tokens <= tokensMax &&
      bytes + part.bytes <= jointBytesMax
    )
  }

  #send(group: Group): void {
    const parts = this.#close(group)
    const [first] = parts
    if (first !== undefined && parts.length === 1) first.resolve(this.#ask(first.request, first.call))
    else void sendJoint(this.#about, parts, this.#ask)
  }

  /** Takes no more. @returns who waits, no longer watched */
  #close(group: Group): Part[] {
    group.cancelTimer()
    this.#groups.delete(group.key)
    this.#waiting -= group.parts.size
    for (const forget of group.parts.values()) forget()
    return [...group.parts.keys()]
  }
}

function grow(group: Group, { inputs, tokens, bytes }: Part, sign: 1 | -1): void {
  group.inputs += sign * inputs.length
  group.tokens += sign * tokens
  group.bytes += sign * bytes
}
