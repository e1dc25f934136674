import type { Worst } from '../platform/ledger/types.ts'
import type { Models, Target } from '../platform/models.ts'
import type { ModelContext } from '../platform/operation.ts'
import type { ChatRequest } from '../wire/chat.ts'
import type { CompletionRequest } from '../wire/completions.ts'

/** What `worst` of an operation gets beside the body. */
interface Asked {
  bytes: number
  target: Target
  models: Models
  signal: AbortSignal
}

/** What templates put around a conversation: beginnings, a system text of the model's own. */
const templateTokens = 256
/** The explanation of how to call tools, in the longest-winded templates. */
const toolTemplateTokens = 1536
/** The dearest picture that there is: full size and detail with gpt-4o-mini. */
const imageTokensMax = 48_169
/** Estimates of an upstream's prompt may miss by a few; our own engines count what they read. */
const marginOf = (models: Models, target: Target, ability: 'chat' | 'complete'): number =>
  models.engineFor(target, ability).accepts === 'known' ? 0 : 8

/**
 * A token stands for at least one byte, so the bytes of a request are never fewer than its tokens; pictures, which may be given as an
 * address, and what the model's template adds come on top.
 */
export function chatWorst(body: ChatRequest, { bytes, target, models, signal }: Asked): Worst {
  const images = body.messages.reduce((sum, message) => sum + imagesIn(message.content), 0)
  const tools = (body.tools?.length ?? 0) + (body.functions?.length ?? 0) > 0 ? toolTemplateTokens : 0
  const choices = body.n ?? 1
  const limit = body.max_completion_tokens ?? body.max_tokens
  return {
    inputTokens: bytes + templateTokens + tools + images * imageTokensMax,
    outputTokens: limit == null ? null : limit * choices,
    choices,
    async count() {
      const counted = await models.tokenizerOf(target).countChat?.(body, signal)
      return counted === undefined ? bytes + templateTokens : counted.tokens + marginOf(models, target, 'chat')
    },
  }
}

function imagesIn(content: unknown): number {
  if (!Array.isArray(content)) return 0
  return content.filter(part => typeof part === 'object' && part !== null && 'type' in part && part.type !== 'text')
    .length
}

/** 16 tokens for each choice when the request does not say. */
const usualCompletionTokens = 16

export function completionWorst(body: CompletionRequest, { bytes, target, models, signal }: Asked): Worst {
  const prompts = Array.isArray(body.prompt) && typeof body.prompt[0] !== 'number' ? body.prompt.length : 1
  const choices = Math.max(body.n ?? 1, body.best_of ?? 1) * prompts
  const { prompt } = body
  return {
    inputTokens: bytes + prompts,
    outputTokens: (body.max_tokens ?? usualCompletionTokens) * choices,
    choices,
    async count() {
      if (typeof prompt !== 'string') return bytes + prompts
      const suffix = body.suffix == null ? 0 : await models.tokenizerOf(target).count(body.suffix, signal)
      return (
        (await models.tokenizerOf(target).count(prompt, signal)) + suffix + marginOf(models, target, 'complete') + 1
      ) // where the model begins a text with a token
    },
  }
}

/** Requests that are read and generate nothing. */
export const inputWorst = (_body: unknown, { bytes }: Asked): Worst => ({
  inputTokens: bytes,
  outputTokens: 0,
  choices: 1,
})

/** The instruction that stands before an edit is part of what is read. */
export const editWorst = (n: number, { bytes }: Asked, taskBytes: number): Worst => ({
  inputTokens: bytes + taskBytes + templateTokens,
  outputTokens: null,
  choices: n,
})

/** OpenAI's reasoning models know the newer name alone. */
const newerName = /^(?:o\d|gpt-5)/

/** The request as an upstream holds to the limit of the context. Engines of ours read it from their call. */
export function limitedChat(body: ChatRequest, context: ModelContext): ChatRequest {
  const { outputMax, models, target } = context
  if (outputMax === null || models.engineFor(target, 'chat').accepts === 'known') return body
  if (body.max_completion_tokens != null) return { ...body, max_completion_tokens: outputMax }
  if (body.max_tokens != null || !newerName.test(body.model)) return { ...body, max_tokens: outputMax }
  return { ...body, max_completion_tokens: outputMax }
}

export function limitedCompletion(body: CompletionRequest, context: ModelContext): CompletionRequest {
  const { outputMax, models, target } = context
  if (outputMax === null || models.engineFor(target, 'complete').accepts === 'known') return body
  return { ...body, max_tokens: outputMax }
}
