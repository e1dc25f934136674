import { goDuration } from '../duration.ts'
import { bad, Fault } from './fault.ts'

/** Limits and money. Clients retry every 429 that does not tell them not to. */
export const moneyFaults = {
  // 429 and the like: the money. Clients retry every 429 that does not tell them not to (wire.md section 3)
  quotaExceeded: (why: string) =>
    new Fault({
      status: 429,
      type: 'insufficient_quota',
      code: 'insufficient_quota',
      message: `You exceeded your current quota, please check your plan and billing details. ${why}`,
      headers: { 'x-should-retry': 'false' },
    }),
  /** The same for operations that make images. */
  hardLimitReached: (why: string) =>
    bad(`Billing hard limit has been reached. ${why}`, null, 'billing_hard_limit_reached'),
  /** The wording that client programs match with regular expressions (wire.md section 4). */
  rateLimited: (reached: RateNumbers) =>
    new Fault({
      status: 429,
      type: reached.type,
      code: 'rate_limit_exceeded',
      message: rateMessage(reached),
      headers: {
        ...reached.headers,
        ...(reached.retryAfterMs !== null && {
          'retry-after': String(Math.ceil(reached.retryAfterMs / 1000)),
          'retry-after-ms': String(reached.retryAfterMs),
        }),
        // openai-node 6 sleeps as long as it is told, without a word and without a bound: for a day, where a day is used up.
        ...((reached.retryAfterMs ?? Number.POSITIVE_INFINITY) > retriedMs && { 'x-should-retry': 'false' }),
      },
    }),
  /** So much is counted for rate limits at once that there is no room to count more; nothing is let in uncounted. */
  limitsFull: () =>
    new Fault({
      status: 503,
      type: 'server_error',
      code: 'limits_full',
      message: 'The server counts for too many keys and models at once. Please try again in 2s.',
      headers: { 'retry-after': '2' },
    }),
}

/** Clients that wait and try again by themselves are asked to do so for at most so long. */
const retriedMs = 60_000

export interface RateNumbers {
  model: string
  organizationId: string
  /** Whose limit it is, such as `project proj_1`. */
  whose: string
  /** What is limited, such as `tokens per min (TPM)`. */
  words: string
  type: 'requests' | 'tokens'
  limit: number
  used: number
  requested: number
  /** Whole, at least 1; null: one such request is more than the limit, and waiting is no use. */
  retryAfterMs: number | null
  headers: Readonly<Record<string, string>>
}

function rateMessage(reached: RateNumbers): string {
  const { model, organizationId, whose, words, type, limit, used, requested, retryAfterMs } = reached
  const where = `for ${model} in organization ${organizationId} on ${words}: Limit ${limit}`
  const source = `This is a limit of the ${whose}; \`parlance limits\` shows all of them.`
  if (retryAfterMs !== null)
    return `Rate limit reached ${where}, Used ${used}, Requested ${requested}. Please try again in ${goDuration(retryAfterMs)}. ${source}`
  const hint = type === 'tokens' ? ' The input or output tokens must be reduced in order to run successfully.' : ''
  return `Request too large ${where}, Requested ${requested}.${hint} ${source}`
}
