import type { RateLimitsTable } from '../../store/schema/money.ts'
import type { Asked } from './types.ts'

/** What limits count. */
export interface Amounts extends Asked {
  requests: number
}

/** A kind of limit. */
export interface Kind {
  /** At most so much in any span of this length; null: at any moment, until the request ends. */
  readonly windowMs: number | null
  /** What a request, or several of them, take of it. */
  amount(of: Amounts): number
  /** How it is called in the message. */
  readonly words: string
  /** The `type` of the error. */
  readonly type: 'requests' | 'tokens'
  /** The `x-ratelimit-…` headers that tell of it; null: none. */
  readonly headers: 'requests' | 'tokens' | null
}

/** A column of `rate_limits` that holds a limit. */
export type LimitColumn = {
  [Name in keyof RateLimitsTable]: null extends RateLimitsTable[Name] ? Name : never
}[keyof RateLimitsTable]

const minute = 60_000
const day = 24 * 60 * minute

/**
 * Every kind of limit. A newcomer adds a column to the table `rate_limits` and an entry here (the compiler asks for it): admission,
 * messages and headers follow.
 */
export const kinds: Readonly<Record<LimitColumn, Kind>> = {
  requests_per_minute: {
    windowMs: minute,
    amount: ({ requests }) => requests,
    words: 'requests per min (RPM)',
    type: 'requests',
    headers: 'requests',
  },
  requests_per_day: {
    windowMs: day,
    amount: ({ requests }) => requests,
    words: 'requests per day (RPD)',
    type: 'requests',
    headers: 'requests',
  },
  tokens_per_minute: {
    windowMs: minute,
    amount: ({ tokens }) => tokens,
    words: 'tokens per min (TPM)',
    type: 'tokens',
    headers: 'tokens',
  },
  tokens_per_day: {
    windowMs: day,
    amount: ({ tokens }) => tokens,
    words: 'tokens per day (TPD)',
    type: 'tokens',
    headers: 'tokens',
  },
  images_per_minute: {
    windowMs: minute,
    amount: ({ images }) => images,
    words: 'images per min (IPM)',
    type: 'requests',
    headers: null,
  },
  concurrent_requests: {
    windowMs: null,
    amount: ({ requests }) => requests,
    words: 'concurrent requests',
    type: 'requests',
    headers: null,
  },
}

export const limitColumns = Object.keys(kinds) as LimitColumn[]
