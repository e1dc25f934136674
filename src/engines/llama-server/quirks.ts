import { type Fault, fault } from '../../lib/faults.ts'
import type { Description } from '../llama/file.ts'
import type { SpentSoFar, UpstreamOptions } from '../upstream/index.ts'
import type { Settings } from './settings.ts'

/**
 * What an event tells of the tokens so far: with `timings_per_token` each has `timings`. A prompt is `prompt_n` tokens that were decoded
 * for this request and `cache_n` that were there.
 */
export const spentSoFar: SpentSoFar = ({ timings }) => {
  if (typeof timings !== 'object' || timings === null) return undefined
  const { prompt_n, cache_n, predicted_n }: Partial<Record<string, unknown>> = { ...timings }
  if (typeof prompt_n !== 'number' || typeof cache_n !== 'number') return undefined
  return {
    prompt_tokens: prompt_n + cache_n,
    completion_tokens: predicted_n,
    prompt_tokens_details: { cached_tokens: cache_n },
  }
}

/**
 * The faults of what llama-server refuses. It answers 500 where a chat template refuses the messages, and words a context that is too
 * short in its own way.
 */
export const judge =
  (
    { name }: Pick<Settings, 'name'>,
    { context }: Pick<Description, 'context'>,
  ): NonNullable<UpstreamOptions['judge']> =>
  (status, error, path) => {
    const message = typeof error.message === 'string' ? error.message : ''
    if (error.type === 'exceed_context_size_error')
      return contextFault(message, context, path === '/completions' ? 'prompt' : 'messages')
    const [, refused] = /Jinja Exception: ([^\n]{1,500})/.exec(message) ?? []
    if (refused !== undefined)
      return fault.invalidValue(
        'messages',
        `The chat template of the model '${name}' refuses these messages: ${refused}`,
      )
    // Its `code` is the status once more.
    if (status === 400)
      return fault.upstreamError(400, { message, type: 'invalid_request_error', code: 'invalid_value' })
    // It breaks a reply off where a model writes bytes that are no text.
    if (message.startsWith('The model produced output'))
      return fault.upstreamError(502, { message, type: 'server_error', code: 'engine_failed' })
    return undefined
  }

function contextFault(message: string, limit: number, subject: 'messages' | 'prompt'): Fault {
  const [, prompt] = /\((\d+) tokens\)/.exec(message) ?? []
  return fault.contextLengthExceeded({ limit, prompt: Number(prompt ?? limit + 1), subject })
}
