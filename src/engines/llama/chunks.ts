import { createHash } from 'node:crypto'
import type { ChatChunk, ChatDelta, ChatLogprobs, FinishReason } from '../../wire/chat.ts'
import type { CompletionUsage } from '../../wire/common.ts'
import type { CompletionChunk } from '../../wire/completions.ts'
import type { Meter } from '../engine.ts'
import { chatLogprobs, completionLogprobs } from './likelihoods.ts'
import type { EndEvent, Event, LikelyToken, SaidEvent } from './protocol.ts'

/** What all chunks of a reply share. */
export interface Envelope {
  readonly id: string
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
}

/** How a request wants to hear of calls. */
export interface CallForm {
  /** In the older form: `function_call`. */
  readonly older: boolean
  /** A named function was demanded: the reply then ends with `stop`, as with OpenAI. */
  readonly named: boolean
}

/** Chunks of a chat out of the events of its choices: role, then content, thoughts and calls, then the end. */
export const chatChunks =
  (form: CallForm) =>
  (envelope: Envelope, event: Event): ChatChunk[] => {
    const chunk = (delta: ChatDelta, finish: FinishReason | null, logprobs: ChatLogprobs = null): ChatChunk => ({
      ...envelope,
      object: 'chat.completion.chunk',
      choices: [{ index: event.choice, delta, logprobs, finish_reason: finish }],
    })
    switch (event.kind) {
      case 'begun':
        return [chunk({ role: 'assistant', content: '', refusal: null }, null)]
      case 'text':
        return silent(event) ? [] : [chunk({ content: event.text }, null, chatLogprobs(event.likely))]
      case 'said': {
        const delta = said(event, envelope.id, form)
        return delta === null ? [] : [chunk(delta, null)]
      }
      case 'end': {
        const last = silent(event) ? [] : [chunk({ content: event.text }, null, chatLogprobs(event.likely))]
        return [...last, chunk({}, finishOf(event, form))]
      }
      case 'failure':
      case 'vector':
        return []
    }
  }

function finishOf({ reason, calls }: EndEvent, { older, named }: CallForm): FinishReason {
  if (reason === 'length' || calls === 0 || named) return reason
  return older ? 'function_call' : 'tool_calls'
}

function said({ said, choice }: SaidEvent, reply: string, { older }: CallForm): ChatDelta | null {
  switch (said.kind) {
    case 'content':
      return { content: said.text }
    case 'reasoning':
      return { reasoning_content: said.text }
    case 'toolCall': {
      const called = { name: said.name, arguments: '' }
      if (older) return said.index === 0 ? { function_call: called } : null
      const id = said.id ?? callId(reply, choice, said.index)
      return { tool_calls: [{ index: said.index, id, type: 'function', function: called }] }
    }
    case 'toolArguments': {
      const more = { arguments: said.text }
      if (older) return said.index === 0 ? { function_call: more } : null
      return { tool_calls: [{ index: said.index, function: more }] }
    }
  }
}

/** As unique as the id of the reply. */
function callId(reply: string, choice: number, index: number): string {
  const digest = createHash('sha256').update(`${reply}/${choice}/${index}`).digest('base64')
  return `call_${digest.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 24)}`
}

/** The events of a choice become the chunks of a completion. */
export function completionChunks(envelope: Envelope, event: Event): CompletionChunk[] {
  const chunk = (
    { text, likely }: { text: string; likely?: readonly LikelyToken[] },
    finish: 'stop' | 'length' | null,
  ): CompletionChunk => ({
    ...envelope,
    object: 'text_completion',
    choices: [{ text, index: event.choice, logprobs: completionLogprobs(likely), finish_reason: finish }],
  })
  if (event.kind === 'text') return silent(event) ? [] : [chunk(event, null)]
  return event.kind === 'end' ? [chunk(event, event.reason)] : []
}

const silent = ({ text, likely = [] }: { text: string; likely?: readonly LikelyToken[] }) =>
  text === '' && likely.length === 0

/** The last chunk: no choices, the usage. */
export const chatUsageChunk = (envelope: Envelope, usage: CompletionUsage): ChatChunk => ({
  ...envelope,
  object: 'chat.completion.chunk',
  choices: [],
  usage,
})

export const completionUsageChunk = (envelope: Envelope, usage: CompletionUsage): CompletionChunk => ({
  ...envelope,
  object: 'text_completion',
  choices: [],
  usage,
})

/** Counts what the events of one request spend, and tells the meter. */
export class Tally {
  readonly #meter: Meter
  readonly #choicesPerPrompt: number
  /** By prompt: it is counted once, however many choices it has. */
  readonly #prompts = new Map<number, { tokens: number; cached: number }>()
  readonly #outputs = new Map<number, number>()
  #thought = 0

  constructor(meter: Meter, choicesPerPrompt: number) {
    this.#meter = meter
    this.#choicesPerPrompt = choicesPerPrompt
  }

  take(event: Event): void {
    if (event.kind === 'begun') {
      const prompt = Math.floor(event.choice / this.#choicesPerPrompt)
      // Later choices find the prompt of the first one in the cache; that is our doing, not the caller's.
      if (this.#prompts.has(prompt)) return
      this.#prompts.set(prompt, { tokens: event.promptTokens, cached: event.cachedTokens })
      const { prompt_tokens, prompt_tokens_details } = this.usage()
      this.#meter.input(prompt_tokens, prompt_tokens_details?.cached_tokens)
    } else if (event.kind !== 'failure' && event.kind !== 'vector') {
      this.#outputs.set(event.choice, event.tokens)
      if (event.kind === 'end') this.#thought += event.thought
      this.#meter.output(sum(this.#outputs.values()))
    }
  }

  usage(): CompletionUsage {
    const prompts = [...this.#prompts.values()]
    const promptTokens = sum(prompts.map(({ tokens }) => tokens))
    const completionTokens = sum(this.#outputs.values())
    return {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
      prompt_tokens_details: { cached_tokens: sum(prompts.map(({ cached }) => cached)) },
      ...(this.#thought > 0 && { completion_tokens_details: { reasoning_tokens: this.#thought } }),
    }
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}
