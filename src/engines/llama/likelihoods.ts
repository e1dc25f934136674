import type { ChatLogprobs } from '../../wire/chat.ts'
import type { CompletionLogprobs } from '../../wire/completions.ts'
import type { Likelihood, LikelyToken } from './protocol.ts'

/** The logprobs of a chat chunk; null when none were asked for. */
export function chatLogprobs(likely: readonly LikelyToken[] | undefined): ChatLogprobs {
  if (likely === undefined) return null
  const entry = ({ bytes, logprob }: Likelihood) => ({
    token: tokenText(bytes, ''),
    logprob: logprob ?? 0,
    bytes: [...bytes],
  })
  return { content: likely.map(one => ({ ...entry(one), top_logprobs: (one.top ?? []).map(entry) })), refusal: null }
}

/** The logprobs of a completion chunk; null when none were asked for. */
export function completionLogprobs(likely: readonly LikelyToken[] | undefined): CompletionLogprobs {
  if (likely === undefined) return null
  const asked = likely.some(({ top }) => top !== undefined)
  return {
    tokens: likely.map(({ bytes }) => tokenText(bytes, 'bytes:')),
    token_logprobs: likely.map(({ logprob }) => logprob),
    top_logprobs: asked ? likely.map(topOf) : null,
    text_offset: likely.map(({ offset }) => offset),
  }
}

/** The sampled token is always among them, so there may be one more than was asked for. */
function topOf(one: LikelyToken): Record<string, number> | null {
  if (one.logprob === null) return null
  // Likeliest first; where several tokens read the same, the likeliest counts.
  const all = [...(one.top ?? []), one].map(({ bytes, logprob }) => [tokenText(bytes, 'bytes:'), logprob ?? 0] as const)
  const names = new Map<string, number>()
  for (const [name, logprob] of all) if (!names.has(name)) names.set(name, logprob)
  return Object.fromEntries(names)
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** OpenAI writes a token that is not whole characters as its escaped bytes, in completions behind `bytes:`. */
function tokenText(bytes: readonly number[], mark: string): string {
  try {
    return strict.decode(Uint8Array.from(bytes))
  } catch {
    return mark + bytes.map(byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
  }
}
