import { describe } from '../../lib/log.ts'
import { ChatRequest } from '../../wire/chat.ts'
import { fits } from '../../wire/check.ts'
import type { CompletionUsage } from '../../wire/common.ts'
import type { Call, RelayPath } from '../engine.ts'
import type { PromptTokenizer } from '../tokenizer.ts'
import type { Spent, UsageComparison } from './comparison.ts'
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
  /** Present where the tokenizer is known to be the model's own. */
  readonly comparison?: UsageComparison | undefined
}

/**
 * What one request has spent, told to the meter as it is known.
 *
 * The upstream's own usage counts, and the last word of it, as far as it can be true. Until it comes, each event with content counts
 * as one token, as servers send one token an event. When it never comes (a server that sends none, a stream that ends early), prompt
 * and reply are counted with the tokenizer of the upstream's model, when the exchange is over: the usual request pays nothing for that.
 */
export class Tally {
  readonly #counted: Counted
  readonly #said: Said
  #reported: CompletionUsage | undefined
  /** The upstream has sent what cannot be true. */
  #disbelieved = false
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

  /** Takes a `usage` of the upstream. What is not one, or cannot be true, is left alone: false. */
  report(usage: unknown): boolean {
    const reported = isObject(usage) ? this.#believed(usage) : undefined
    if (reported === undefined) {
      this.#disbelieved ||= isObject(usage)
      return false
    }
    this.#reported = reported
    this.#input = reported.prompt_tokens
    this.#output = reported.completion_tokens
    const { meter } = this.#counted.call
    meter.input(this.#input, reported.prompt_tokens_details?.cached_tokens)
    meter.output(this.#output)
    return true
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
    if (this.#reported !== undefined) {
      if (!aborted && this.#counted.comparison?.isDue()) void this.#compare(this.#counted.comparison, reply)
      return undefined
    }
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

  /** A usage in whole, of plausible numbers: a prompt that was counted, and a reply not far beyond what was asked for. */
  #believed(usage: Record<string, unknown>): CompletionUsage | undefined {
    const { path, request, choices } = this.#counted
    const input = tokenCount(usage.prompt_tokens)
    if (input === undefined) return undefined
    const output = path === '/embeddings' ? 0 : (tokenCount(usage.completion_tokens) ?? rest(usage.total_tokens, input))
    if (output === undefined || output > plausibleMax(request, choices)) return undefined
    const inside = details(usage, 'prompt_tokens_details', inputDetails)
    const { cached_tokens: cached = 0 } = inside.prompt_tokens_details ?? {}
    return {
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: input + output,
      ...(cached <= input ? inside : {}),
      ...details(usage, 'completion_tokens_details', outputDetails),
    }
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
        ...(this.#disbelieved && { impossible: true }),
      })
    try {
      this.#input = (await this.#promptTokens()).tokens
      meter.input(this.#input)
      if (path === '/embeddings') return
      this.#output = this.#said.dropped + (await this.#replyTokens(reply))
      meter.output(this.#output)
    } catch (error) {
      log.error('upstream.not_counted', { engine: name, cause: describe(error) })
    }
  }

  /** Never fails. Of a reply whose tokens are not all text the prompt alone is compared. */
  async #compare(comparison: UsageComparison, reply: Record<string, unknown> | undefined): Promise<void> {
    const { name, call, path } = this.#counted
    const { prompt_tokens: input, completion_tokens: output, completion_tokens_details: unseen = {} } = this.usage()
    const isText =
      path !== '/embeddings' && this.#said.dropped === 0 && Object.values(unseen).every(count => count === 0)
    try {
      const prompt = await this.#promptTokens()
      const counted: Spent = {
        input: prompt.estimated ? undefined : prompt.tokens,
        output: isText ? await this.#replyTokens(reply) : undefined,
      }
      comparison.compare({ input, output }, counted, call.requestId)
    } catch (error) {
      call.log.error('upstream.not_counted', { engine: name, cause: describe(error) })
    }
  }

  async #promptTokens(): Promise<{ tokens: number; estimated: boolean }> {
    const { request, tokenizer } = this.#counted
    if (fits(ChatRequest, request)) {
      const { tokens, assumptions } = await tokenizer.countChat(request)
      return { tokens, estimated: assumptions.length > 0 }
    }
    const { texts, tokens } = promptOf(request)
    let total = tokens
    for (const text of texts) total += await tokenizer.count(text)
    return { tokens: total, estimated: false }
  }

  async #replyTokens(reply: Record<string, unknown> | undefined): Promise<number> {
    let tokens = 0
    for (const text of reply === undefined ? this.#said.texts() : replyTexts(reply))
      tokens += await this.#counted.tokenizer.count(text)
    return tokens
  }
}

/** What some servers leave to be worked out. */
function rest(total: unknown, input: number): number | undefined {
  const count = tokenCount(total)
  return count === undefined || count < input ? undefined : count - input
}

/** Servers that count thoughts beside the limit, or end with the step in which it is reached, go beyond it, but not by far. */
function plausibleMax(request: object, choices: number): number {
  const { max_completion_tokens, max_tokens, best_of, n }: Record<string, unknown> = { ...request }
  const limit = tokenCount(max_completion_tokens ?? max_tokens)
  if (limit === undefined) return Number.POSITIVE_INFINITY
  const candidates = Math.max(1, (tokenCount(best_of) ?? 1) / (tokenCount(n) || 1)) * choices
  return 2 * limit * candidates + slackTokens
}

const slackTokens = 256

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
