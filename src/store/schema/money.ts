/** What is spent, what may be spent, and what it costs. Money is integers: nano-dollars, prices pico-dollars. */

/**
 * The ledger: one row a request. A request that is running has a row with `status = 'open'` and what is reserved for it once it has
 * run for a few milliseconds; settling makes the row final. No foreign keys: it is a journal of facts, and a fact must not be
 * refused because an account was removed while the request ran.
 */
export interface UsageTable {
  id: string
  organization_id: string
  project_id: string
  key_id: string
  user_id: string | null
  /** The id of the operation, such as `chat.completions.create`. */
  operation: string
  /** What really answered. */
  model: string
  /** What the client asked for. */
  requested_model: string
  /** The `user` of the request, as the client sent it. */
  end_user: string | null
  input_tokens: number
  /** How many of the input tokens came from a cache. */
  cached_tokens: number
  output_tokens: number
  requests: number
  /** What is not counted in tokens: so many of `unit`. */
  quantity: number
  unit: UsageUnit | null
  /** Of what: an image's size and quality, such as `1024x1024 hd`. */
  variant: string | null
  /** 1 for a line of a batch. */
  batch: 0 | 1
  /** Nano-dollars. */
  cost_nano: number
  /** Nano-dollars: what was held while it ran. */
  reserved_nano: number
  /**
   * `interrupted`: the process ended in the middle; what was reserved is charged, because nobody knows what was used, and a hard limit
   * holds. `cancelled`: the client left.
   */
  status: 'open' | 'ok' | 'cancelled' | 'failed' | 'interrupted'
  duration_ms: number
  created_at: number
}

export type UsageUnit = 'images' | 'milliseconds' | 'characters' | 'bytes' | 'sessions' | 'calls'

/** Who a limit is for. */
export type LimitSubject = 'organization' | 'project' | 'key' | 'end_user'

/** At most so much in a calendar month (UTC). */
export interface SpendLimitsTable {
  organization_id: string
  subject: LimitSubject
  /** An id; for end users their name, `*` for each one without a limit of their own. */
  subject_id: string
  /** Nano-dollars; null: none. */
  hard_nano: number | null
  /** Nano-dollars; beyond it people are told. */
  soft_nano: number | null
  updated_at: number
}

/** At most so many in a minute, in a day, at once. Null: no limit. */
export interface RateLimitsTable {
  organization_id: string
  subject: 'organization' | 'project' | 'key'
  subject_id: string
  /** A model's name, or `*` for each model without a row of its own. */
  model: string
  requests_per_minute: number | null
  tokens_per_minute: number | null
  requests_per_day: number | null
  tokens_per_day: number | null
  images_per_minute: number | null
  concurrent_requests: number | null
  updated_at: number
}

/** Prices that the operator set while the server runs; they win over those of the settings from their date on. */
export interface PricesTable {
  model: string
  from_at: number
  /** JSON, as `platform/prices.ts` reads it. */
  price: string
  created_at: number
}

export interface CreditGrantsTable {
  id: string
  organization_id: string
  kind: 'grant' | 'top_up' | 'code'
  amount_nano: number
  used_nano: number
  note: string
  created_at: number
  expires_at: number | null
}

/** Redemption codes: each worth one grant, once. */
export interface CreditCodesTable {
  id: string
  /** SHA-256 of the code, lower-case hex, unique. */
  hash: string
  hint: string
  amount_nano: number
  /** How long the grant lives; null: for ever. */
  valid_days: number | null
  created_at: number
  expires_at: number | null
  redeemed_at: number | null
  organization_id: string | null
}

/** What people were told, so that they are told once. */
export interface NoticesTable {
  organization_id: string
  subject: LimitSubject | 'credit'
  subject_id: string
  /** `2026-11`. */
  month: string
  /** Nano-dollars. */
  threshold_nano: number
  created_at: number
}
