/**
 * What the consoles and tools of 2023 read: `/v1/dashboard/billing/…` and `/v1/usage`. OpenAI never described it; these are the fields
 * that public clients of that time declare and read.
 */
import Type, { type Static } from 'typebox'

const day = (description: string) =>
  Type.String({ maxLength: 32, description: `${description} As \`2023-07-31\`, UTC.` })
const count = (description: string) => Type.Integer({ minimum: 0, description })
const usd = (description: string) => Type.Number({ description: `${description} In dollars.` })
const seconds = (description: string) => Type.Integer({ minimum: 0, description: `${description} Unix seconds.` })

export const BillingSubscription = Type.Object({
  object: Type.Literal('billing_subscription'),
  has_payment_method: Type.Boolean({ description: 'Whether more can be spent than was given: credit is not needed.' }),
  canceled: Type.Boolean(),
  canceled_at: Type.Null(),
  delinquent: Type.Null(),
  access_until: seconds('When the last of the credit ends; the end of the year 9999 when nothing ends.'),
  soft_limit: count('The soft limit, in tokens of 0.06 dollars a thousand, as it was counted then.'),
  hard_limit: count('The hard limit, in the same.'),
  system_hard_limit: count('The same.'),
  soft_limit_usd: usd('From here on people are told.'),
  hard_limit_usd: usd(
    'What may be spent in this month; with credit at most what is spent and left. 100000000: no limit.',
  ),
  system_hard_limit_usd: usd('The same.'),
  plan: Type.Object({ title: Type.String(), id: Type.String() }),
  account_name: Type.String(),
  po_number: Type.Null(),
  billing_email: Type.Null(),
  tax_ids: Type.Null(),
  billing_address: Type.Null(),
  business_address: Type.Null(),
})
export type BillingSubscription = Static<typeof BillingSubscription>

export const BillingUsageQuery = Type.Object({
  start_date: Type.Optional(day('The first day. Default: the first of this month.')),
  end_date: Type.Optional(day('The day after the last; the same as `start_date` for that day. Default: tomorrow.')),
})
export type BillingUsageQuery = Static<typeof BillingUsageQuery>

export const BillingUsage = Type.Object({
  object: Type.Literal('list'),
  daily_costs: Type.Array(
    Type.Object({
      timestamp: seconds('When the day begins.'),
      line_items: Type.Array(
        Type.Object({
          name: Type.String({ description: 'A model.' }),
          cost: Type.Number({ description: 'In cents.' }),
        }),
      ),
    }),
  ),
  total_usage: Type.Number({ description: 'In cents.' }),
})
export type BillingUsage = Static<typeof BillingUsage>

export const CreditSummary = Type.Object({
  object: Type.Literal('credit_summary'),
  total_granted: usd('All that was given.'),
  total_used: usd('All that was spent of it.'),
  total_available: usd('What is left.'),
  total_paid_available: usd('Of that, what was paid for.'),
  grants: Type.Object({
    object: Type.Literal('list'),
    data: Type.Array(
      Type.Object({
        object: Type.Literal('credit_grant'),
        id: Type.String(),
        grant_amount: usd('What it is worth.'),
        used_amount: usd('What is spent of it.'),
        effective_at: seconds('When it began.'),
        expires_at: seconds('When it ends; the end of the year 9999 when it does not.'),
      }),
    ),
  }),
})
export type CreditSummary = Static<typeof CreditSummary>

export const DayUsageQuery = Type.Object({
  date: day('Which day.'),
  user_public_id: Type.Optional(
    Type.String({ minLength: 1, maxLength: 100, description: 'Only of keys of this user.' }),
  ),
})
export type DayUsageQuery = Static<typeof DayUsageQuery>

const requests = { num_requests: count('Requests.') }

/** The day in pieces of five minutes. */
export const DayUsage = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(
    Type.Object({
      aggregation_timestamp: seconds('When the five minutes begin.'),
      n_requests: count('Requests.'),
      operation: Type.String({ description: '`completion`, `embedding` or `moderation`.' }),
      snapshot_id: Type.String({ description: 'The model.' }),
      n_context: count('Prompts.'),
      n_context_tokens_total: count('Their tokens.'),
      n_cached_context_tokens_total: count('Of these, tokens that came from a cache.'),
      n_generated: count('Answers.'),
      n_generated_tokens_total: count('Their tokens.'),
    }),
  ),
  ft_data: Type.Array(Type.Never(), { description: 'Empty: training is not part of it.' }),
  dalle_api_data: Type.Array(
    Type.Object({
      timestamp: seconds('When the five minutes begin.'),
      num_images: count('Images.'),
      ...requests,
      image_size: Type.String(),
      operation: Type.String({ description: '`generations`, `edits` or `variations`.' }),
      model_id: Type.String(),
    }),
  ),
  whisper_api_data: Type.Array(
    Type.Object({
      timestamp: seconds('When they begin.'),
      model_id: Type.String(),
      num_seconds: count('Of audio.'),
      ...requests,
    }),
  ),
  tts_api_data: Type.Array(
    Type.Object({
      timestamp: seconds('When they begin.'),
      model_id: Type.String(),
      num_characters: count('Read out.'),
      ...requests,
    }),
  ),
  current_usage_usd: usd('What the day has cost.'),
})
export type DayUsage = Static<typeof DayUsage>
