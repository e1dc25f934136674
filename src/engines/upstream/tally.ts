import { describe } from '../../lib/log.ts'
import { ChatRequest } from '../../wire/chat.ts'
import { fits } from '../../wire/check.ts'
import type { CompletionUsage } from '../../wire/common.ts'
import type { Call, RelayPath } from '../engine.ts'
import type { PromptTokenizer } from '../tokenizer.ts'
import { Said } from './said.ts'
import { isObject, tokenCount } from './values.ts'

/** The request whose tokens are counted. */
export interface Counted {
  /** The engine's name, for the log. */
  readonly name: string
  readonly path: RelayPath
  readonly request: object
  /** How many replies it asks for. */
  readonly choices: number
  readonly call: Call
  readonly tokenizer: PromptTokenizer
}

/**
 * What one request has spent, told to the meter as it is known.
 *
 * The upstream's own usage counts, and the last word of it. Until it comes, each event with content counts as one token, as servers
 * send one token an event. When it never comes (a server that sends none, a stream that ends early), prompt and reply are counted
 * with the tokenizer of the upstream's model, when the exchange is over: the usual request pays nothing for that.
 */
export class Tally {
  readonly #counted: Counted
  readonly #said: Said
  #reported: CompletionUsage | undefined
  #input = 0
  #output = 0
  #closing: Promise<void> | undefined

  constructor(counted: Counted) {
    this.#counted = counted
    this.#said = new Said(counted.choices)
  }

  /** Whether the upstream has sent its usage. */
  get reported(): boolean {
    return this.#reported !== undefined
  }

  /** Takes a `usage` of the upstream; what is not one is left alone. */
  report(usage: unknown): void {
    if (!isObject(usage)) return
    const input = tokenCount(usage.prompt_tokens)
    if (input === undefined) return
    const output = tokenCount(usage.completion_tokens) ?? 0
    const cached = isObject(usage.prompt_tokens_details)
      ? tokenCount(usage.prompt_tokens_details.cached_tokens)
      : undefined
    this.#reported = {
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: input + output,
      ...details(usage, 'prompt_tokens_details', inputDetails),
      ...details(usage, 'completion_tokens_details', outputDetails),
    }
    this.#input = input
    this.#output = output
    const { meter } = this.#counted.call
    meter.input(input, cached)
    meter.output(output)
  }

  /** Takes an event of a stream, in Latin-1 of its UTF-8 bytes. */
  hear(event: string): void {
    if (!this.#said.take(event)) return
    this.#output++
    this.#counted.call.meter.output(this.#output)
  }

  /**
   * When the reply is over, also when it was aborted; not when it was refused. Nothing when the usage is known; otherwise a promise
   * that settles when all is counted.
   * @param reply one that is not a stream
   */
  close(aborted: boolean, reply?: Record<string, unknown>): Promise<void> | undefined {
    if (this.#reported !== undefined) return undefined
    this.#closing ??= this.#count(aborted, reply)
    return this.#closing
  }

  /** The usage that a reply shows: the upstream's, or what was counted. */
  usage(): CompletionUsage {
    return (
      this.#reported ?? {
        prompt_tokens: this.#input,
        completion_tokens: this.#output,
        total_tokens: this.#input + this.#output,
      }
    )
  }

  /** Never fails: what cannot be counted stays as it was estimated. Not aborted with the call, because what was spent is owed. */
  async #count(aborted: boolean, reply: Record<string, unknown> | undefined): Promise<void> {
    const { name, call, tokenizer, path } = this.#counted
    const { log, meter } = call
    if (!aborted)
      log.warn('upstream.usage_missing', {
        engine: name,
        countedWith: tokenizer.name,
        estimate: tokenizer.assumptions.length > 0,
      })
    try {
      this.#input = await this.#promptTokens()
      meter.input(this.#input)
      if (path === '/embeddings') return
      let output = this.#said.dropped
      for (const text of reply === undefined ? this.#said.texts() : replyTexts(reply))
        output += await tokenizer.count(text)
      this.#output = output
      meter.output(output)
    } catch (error) {
      log.error('upstream.not_counted', { engine: name, cause: describe(error) })
    }
  }

  async #promptTokens(): Promise<number> {
    const { request, tokenizer } = this.#counted
    if (fits(ChatRequest, request)) return (await tokenizer.countChat(request)).tokens
    const { texts, tokens } = promptOf(request)
    let total = tokens
    for (const text of texts) total += await tokenizer.count(text)
    return total
  }
}

const inputDetails = ['cached_tokens', 'audio_tokens'] as const
const outputDetails = [
  'reasoning_tokens',
  'audio_tokens',
  'accepted_prediction_tokens',
  'rejected_prediction_tokens',
] as const

function details<Group extends string, Field extends string>(
  usage: Record<string, unknown>,
  group: Group,
  fields: readonly Field[],
): Partial<Record<Group, Partial<Record<Field, number>>>> {
  const from = usage[group]
  if (!isObject(from)) return {}
  const counts: Partial<Record<Field, number>> = {}
  for (const field of fields) {
    const count = tokenCount(from[field])
    if (count !== undefined) counts[field] = count
  }
  const result: Partial<Record<Group, Partial<Record<Field, number>>>> = {}
  result[group] = counts
  return result
}

/** The texts of a prompt or of inputs, and how many tokens it holds as numbers. */
function promptOf(request: object): { texts: string[]; tokens: number } {
  const texts: string[] = []
  let tokens = 0
  const gather = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value)
    else if (typeof value === 'number') tokens++
    else if (Array.isArray(value)) for (const item of value) gather(item)
  }
  if ('prompt' in request) gather(request.prompt)
  if ('suffix' in request) gather(request.suffix)
  if ('input' in request) gather(request.input)
  return { texts, tokens }
}

/** What each choice of a whole reply says, with thoughts and the arguments of calls. */
function replyTexts({ choices }: Record<string, unknown>): string[] {
  return Array.isArray(choices) ? choices.map(choiceText) : []
}

function choiceText(choice: unknown): string {
  const texts: string[] = []
  const gather = (part: unknown): void => {
    if (!isObject(part)) return
    for (const field of ['content', 'text', 'refusal', 'reasoning_content', 'reasoning', 'arguments', 'name'])
      if (typeof part[field] === 'string') texts.push(part[field])
    for (const field of ['message', 'function', 'function_call']) gather(part[field])
    if (Array.isArray(part.tool_calls)) part.tool_calls.forEach(gather)
  }
  gather(choice)
  return texts.join('')
}
