/** How much may be spent and asked: the spend and rate limits of OpenAI's API, and `/v1/organization/limits`, which is ours. */
import Type, { type Static } from 'typebox'
import { modelLengthMax, nullable, oneOf } from '../common.ts'
import { ListAfter, ListBefore, ListLimit, listOf } from '../lists.ts'

/** In cents: nine million dollars. */
const centsMax = 900_000_000

export const SpendLimitUpdate = Type.Object({
  threshold_amount: Type.Integer({ minimum: 1, maximum: centsMax, description: 'The hard limit, in cents.' }),
  currency: oneOf(['USD']),
  interval: oneOf(['month'], 'Calendar months, UTC.'),
})
export type SpendLimitUpdate = Static<typeof SpendLimitUpdate>

const spendLimit = <const Name extends 'organization' | 'project'>(name: Name) =>
  Type.Object({
    object: Type.Literal(`${name}.spend_limit` as const),
    threshold_amount: Type.Integer({ description: 'The hard limit in cents; a fraction of one is left out.' }),
    currency: Type.Literal('USD'),
    interval: Type.Literal('month'),
    enforcement: Type.Object({
      status: oneOf(['inactive', 'enforcing'], '`enforcing` from when the limit is reached to the end of the month.'),
    }),
  })
export const OrganizationSpendLimit = spendLimit('organization')
export const ProjectSpendLimit = spendLimit('project')
export type SpendLimit = Static<typeof OrganizationSpendLimit> | Static<typeof ProjectSpendLimit>

const spendLimitDeleted = <const Name extends 'organization' | 'project'>(name: Name) =>
  Type.Object({ object: Type.Literal(`${name}.spend_limit.deleted` as const), deleted: Type.Boolean() })
export const OrganizationSpendLimitDeleted = spendLimitDeleted('organization')
export const ProjectSpendLimitDeleted = spendLimitDeleted('project')

/** OpenAI's object has no way to say that there is no limit: its numbers are required. */
export const noRateLimit = 2_147_483_647

const most = (description: string) =>
  Type.Integer({ minimum: 0, maximum: noRateLimit, description: `${description} ${noRateLimit}: no limit.` })
const rates = {
  max_requests_per_1_minute: most('Requests in a minute.'),
  max_tokens_per_1_minute: most('Tokens in a minute.'),
  max_images_per_1_minute: Type.Optional(most('Images in a minute; left out where there is no limit.')),
  max_requests_per_1_day: Type.Optional(most('Requests in a day; left out where there is no limit.')),
}

export const ProjectRateLimit = Type.Object({
  object: Type.Literal('project.rate_limit'),
  id: Type.String({ description: 'Made from the name of the model.' }),
  model: Type.String({ description: 'A model, or `*` for every model without a limit of its own.' }),
  ...rates,
})
export type ProjectRateLimit = Static<typeof ProjectRateLimit>
export const ProjectRateLimitList = listOf(ProjectRateLimit)
export const ProjectRateLimitQuery = Type.Object({
  limit: ListLimit(100, 100),
  after: ListAfter,
  before: ListBefore,
})
export type ProjectRateLimitQuery = Static<typeof ProjectRateLimitQuery>
export const ProjectRateLimitUpdate = Type.Object({
  ...rates,
  max_requests_per_1_minute: Type.Optional(rates.max_requests_per_1_minute),
  max_tokens_per_1_minute: Type.Optional(rates.max_tokens_per_1_minute),
})
export type ProjectRateLimitUpdate = Static<typeof ProjectRateLimitUpdate>

const rate = (description: string) =>
  nullable(Type.Integer({ minimum: 0, maximum: 1_000_000_000_000 }), `${description} Null: no limit.`)

/** At most so much at a time, of one model or of each without a limit of its own. */
export const Rates = Type.Object({
  model: Type.String({
    minLength: 1,
    maxLength: modelLengthMax,
    description:
      'A model, or `*` for every model without limits of its own. Those of its own take the place of all of `*`.',
  }),
  requests_per_minute: rate('Requests in any 60 seconds.'),
  tokens_per_minute: rate('Tokens in any 60 seconds.'),
  requests_per_day: rate('Requests in any 24 hours.'),
  tokens_per_day: rate('Tokens in any 24 hours.'),
  images_per_minute: rate('Images in any 60 seconds.'),
  concurrent_requests: rate('Requests that run at the same time.'),
})
export type Rates = Static<typeof Rates>

const subject = oneOf(['organization', 'project', 'key', 'end_user'], 'Who is limited.')
const subjectId = Type.String({
  minLength: 1,
  maxLength: 512,
  description:
    'An id; of an end user the `user` that requests name, or `*` for each of them without a limit of their own. Default: the organization.',
})
const usd = (description: string) =>
  nullable(Type.Number({ minimum: 0, maximum: 9_000_000 }), `${description} Of a calendar month, UTC. Null: none.`)

/** All limits of one subject. An extension. */
export const SubjectLimits = Type.Object({
  object: Type.Literal('organization.limits'),
  id: Type.String({ description: 'Subject and id, for `after`.' }),
  subject,
  subject_id: Type.String(),
  hard_limit_usd: usd('Not a nano-dollar more is spent.'),
  soft_limit_usd: usd('Beyond it people are told.'),
  rates: Type.Array(Rates, { description: 'One entry a model; end users have none.' }),
})
export type SubjectLimits = Static<typeof SubjectLimits>
export const SubjectLimitsList = listOf(SubjectLimits)

const { model, ...ratesOfModel } = Rates.properties
const RatesUpdate = Type.Object({ model, ...Type.Partial(Type.Object(ratesOfModel)).properties })
export type RatesUpdate = Static<typeof RatesUpdate>

export const SubjectLimitsUpdate = Type.Object({
  subject,
  subject_id: Type.Optional(subjectId),
  hard_limit_usd: Type.Optional(SubjectLimits.properties.hard_limit_usd),
  soft_limit_usd: Type.Optional(SubjectLimits.properties.soft_limit_usd),
  rates: Type.Optional(
    Type.Array(RatesUpdate, {
      maxItems: 100,
      description:
        'Each entry takes the place of all that the model had; one of `model` alone removes it. Models that are not named keep theirs.',
    }),
  ),
  merge_rates: Type.Optional(
    Type.Boolean({ description: 'Whether what an entry leaves out stays as it was. Default: false.' }),
  ),
})
/** Of the tiers that OpenAI gave to its customers. */
export const LimitsPreset = Type.Object({
  preset: oneOf(['free', 'tier-1', 'tier-2', 'tier-3', 'tier-4', 'tier-5'], 'Which tier.'),
  subject: oneOf(['organization', 'project', 'key'], 'Who is limited.'),
  subject_id: Type.Optional(subjectId),
})
export type LimitsPreset = Static<typeof LimitsPreset>
export const LimitsPresetSet = Type.Object({
  ...SubjectLimits.properties,
  not_here: Type.Array(Type.String(), { description: 'Models of the tier that this server does not have.' }),
})
export type LimitsPresetSet = Static<typeof LimitsPresetSet>

export type SubjectLimitsUpdate = Static<typeof SubjectLimitsUpdate>

export const SubjectLimitsQuery = Type.Object({
  subject: Type.Optional(subject),
  subject_id: Type.Optional(subjectId),
  limit: ListLimit(100, 20),
  after: Type.Optional(
    Type.String({ minLength: 1, maxLength: 600, description: 'The id of the last object of the page before.' }),
  ),
})
export type SubjectLimitsQuery = Static<typeof SubjectLimitsQuery>

export const SubjectLimitsTarget = Type.Object({ subject, subject_id: Type.Optional(subjectId) })
export type SubjectLimitsTarget = Static<typeof SubjectLimitsTarget>

export const SubjectLimitsDeleted = Type.Object({
  object: Type.Literal('organization.limits.deleted'),
  id: Type.String(),
  deleted: Type.Boolean(),
})
