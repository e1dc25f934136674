import type { CompletionUsage } from '../../wire/common.ts'
import type { Call } from '../engine.ts'
import { isObject, tokenCount } from './values.ts'

/** Counts the tokens of a text, where an upstream does not. */
export type CountTokens = (text: string) => number

/**
 * What one request has spent, told to the meter as it is known.
 *
 * The upstream's own usage counts, and the last word of it. Until it comes (and for an upstream that never sends any, or a stream
 * that ends early) each event with content counts as one token, as servers send one token an event; with `countTokens` the text
 * itself is counted, which costs the parsing of every event. The prompt is counted only with `countTokens`: without it, the meter
 * hears nothing about the input of a reply that came without usage.
 */
export class Tally {
  readonly #call: Call
  readonly #request: object
  readonly #name: string
  /** Present: the texts of events are wanted. */
  readonly countTokens: CountTokens | undefined
  #reported: CompletionUsage | undefined
  #input = 0
  #output = 0
  #closed = false

  constructor(name: string, request: object, call: Call, countTokens: CountTokens | undefined) {
    this.#name = name
    this.#request = request
    this.#call = call
    this.countTokens = countTokens
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
    this.#call.meter.input(input, cached)
    this.#call.meter.output(output)
  }

  /** Tokens that were generated since the last word. */
  add(tokens: number): void {
    this.#output += tokens
    this.#call.meter.output(this.#output)
  }

  /** When the reply is over, also when it was aborted; not when it was refused. Later calls do nothing. */
  close(aborted: boolean): void {
    if (this.#reported !== undefined || this.#closed) return
    this.#closed = true
    if (!aborted)
      this.#call.log.warn('upstream.usage_missing', { engine: this.#name, counted: this.countTokens !== undefined })
    if (this.countTokens === undefined) return
    this.#input = this.countTokens(promptText(this.#request))
    this.#call.meter.input(this.#input)
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

/** The texts of a prompt, one after the other; a list of tokens counts as that many words. */
function promptText(request: object): string {
  const texts: string[] = []
  const gather = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value)
    else if (typeof value === 'number') texts.push('a')
    else if (Array.isArray(value)) value.forEach(gather)
    else if (isObject(value)) {
      gather(value.content)
      gather(value.text)
    }
  }
  if ('messages' in request) gather(request.messages)
  if ('prompt' in request) gather(request.prompt)
  if ('input' in request) gather(request.input)
  if ('tools' in request && request.tools != null) texts.push(JSON.stringify(request.tools))
  return texts.join(' ')
}

/** What a reply says: the text of a chunk or of a whole reply, with thoughts and the arguments of calls. */
export function replyText(reply: unknown): string {
  const texts: string[] = []
  const gather = (part: unknown): void => {
    if (!isObject(part)) return
    for (const field of ['content', 'text', 'refusal', 'reasoning_content', 'reasoning', 'arguments', 'name'])
      if (typeof part[field] === 'string') texts.push(part[field])
    for (const field of ['delta', 'message', 'function', 'function_call']) gather(part[field])
    if (Array.isArray(part.tool_calls)) part.tool_calls.forEach(gather)
  }
  if (isObject(reply) && Array.isArray(reply.choices)) reply.choices.forEach(gather)
  return texts.join('')
}
