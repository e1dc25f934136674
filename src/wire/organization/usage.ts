/** What an organisation has used and what it has cost: `/v1/organization/usage/…` and `/v1/organization/costs`. */
import Type, { type Static, type TSchema } from 'typebox'
import { modelLengthMax, nullable, oneOf } from '../common.ts'

/** The last second of the year 9999; beyond it somebody has sent milliseconds. */
const time = (description: string) => Type.Integer({ minimum: 0, maximum: 253_402_300_799, description })
const names = (description: string, maxLength = 256) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength }), { minItems: 1, maxItems: 100, description }))
const some = <const Values extends string[]>(values: readonly [...Values], description: string) =>
  Type.Optional(Type.Array(Type.Enum(values, { type: 'string' }), { minItems: 1, maxItems: 16, description }))

const range = {
  start_time: time('Unix seconds, inclusive.'),
  end_time: Type.Optional(time('Unix seconds, exclusive. Default: the end of the bucket that is running.')),
  page: Type.Optional(
    Type.String({ minLength: 1, maxLength: 256, description: 'The `next_page` of the page before.' }),
  ),
}
const bucketWidth = Type.Optional(
  Type.Enum(['1m', '1h', '1d'], { type: 'string', description: 'Buckets begin at whole minutes, hours, days of UTC.' }),
)
const limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 1440,
    description: 'Buckets of a page: for `1d` 7, at most 31; for `1h` 24, at most 168; for `1m` 60, at most 1440.',
  }),
)
const filters = {
  project_ids: names('Only of these projects.'),
  user_ids: names('Only of keys of these users.'),
  api_key_ids: names('Only of these keys.'),
  models: names('Only of these models, by the name of what answered.', modelLengthMax),
}
const splitBy = 'What the results of a bucket are split by.'
const ordinary = ['project_id', 'user_id', 'api_key_id', 'model'] as const

const query = <Fields extends Record<string, TSchema>>(fields: Fields) =>
  Type.Object({ ...range, bucket_width: bucketWidth, limit, ...fields })

export const UsageQuery = query({ ...filters, group_by: some(ordinary, splitBy) })
export const CompletionsUsageQuery = query({
  ...filters,
  batch: Type.Optional(Type.Boolean({ description: 'Only lines of batches, or only others. Default: both.' })),
  group_by: some(
    [...ordinary, 'batch', 'service_tier'],
    `${splitBy} Tiers of service are not recorded: that value is null.`,
  ),
})
export const ImagesUsageQuery = query({
  ...filters,
  sources: some(['image.generation', 'image.edit', 'image.variation'], 'Only images made so.'),
  sizes: some(
    ['256x256', '512x512', '1024x1024', '1792x1792', '1024x1792', '1792x1024'],
    'Only images of these sizes.',
  ),
  group_by: some([...ordinary, 'size', 'source'], splitBy),
})
export const ProjectUsageQuery = query({ project_ids: filters.project_ids, group_by: some(['project_id'], splitBy) })
export const CostsQuery = Type.Object({
  ...range,
  bucket_width: Type.Optional(Type.Enum(['1d'], { type: 'string', description: 'Costs come by day of UTC.' })),
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 180, description: 'Buckets of a page, at most 180. Default: 7.' }),
  ),
  project_ids: filters.project_ids,
  api_key_ids: filters.api_key_ids,
  group_by: some(['project_id', 'line_item', 'api_key_id'], splitBy),
})
/** Everything together. An extension. */
export const SummaryQuery = Type.Object({
  ...CostsQuery.properties,
  ...filters,
  group_by: some(ordinary, splitBy),
})

const count = (description: string) => Type.Integer({ minimum: 0, description })
const group = nullable(Type.String(), 'Null unless the results are split by it, or where there is none.')
const ordinaryGroups = { project_id: group, user_id: group, api_key_id: group, model: group }
const requests = count('Requests that were made.')

const result = <const Name extends string, Fields extends Record<string, TSchema>>(name: Name, fields: Fields) =>
  Type.Object({ object: Type.Literal(`organization.usage.${name}.result` as const), ...fields })

export const CompletionsUsage = result('completions', {
  input_tokens: count('Tokens of prompts, those from a cache included.'),
  input_cached_tokens: count('Of these, tokens that came from a cache.'),
  input_uncached_tokens: count('Of these, all others.'),
  output_tokens: count('Generated tokens.'),
  num_model_requests: requests,
  ...ordinaryGroups,
  batch: nullable(Type.Boolean()),
  service_tier: group,
})
export type CompletionsUsage = Static<typeof CompletionsUsage>
const inputUsage = { input_tokens: count('Tokens of the input.'), num_model_requests: requests, ...ordinaryGroups }
export const EmbeddingsUsage = result('embeddings', inputUsage)
export const ModerationsUsage = result('moderations', inputUsage)
export const ImagesUsage = result('images', {
  images: count('Images that were made.'),
  num_model_requests: requests,
  source: group,
  size: group,
  ...ordinaryGroups,
})
export const SpeechesUsage = result('audio_speeches', {
  characters: count('Characters that were read out.'),
  num_model_requests: requests,
  ...ordinaryGroups,
})
export const TranscriptionsUsage = result('audio_transcriptions', {
  seconds: count('Seconds that were listened to; a second that has begun counts.'),
  num_model_requests: requests,
  ...ordinaryGroups,
})
export const VectorStoresUsage = result('vector_stores', {
  usage_bytes: count('Bytes that were stored.'),
  project_id: group,
})
export const CodeInterpreterUsage = result('code_interpreter_sessions', {
  num_sessions: count('Sessions that were opened.'),
  project_id: group,
})
export const CostsResult = Type.Object({
  object: Type.Literal('organization.costs.result'),
  amount: Type.Object({
    value: Type.Number({ description: 'Exact to the nano-dollar.' }),
    currency: Type.Literal('usd'),
  }),
  line_item: group,
  project_id: group,
  api_key_id: group,
  quantity: nullable(Type.Number(), 'How much the line counts; null unless the results are split by line.'),
  quantity_unit: nullable(oneOf(['tokens', 'images', 'characters', 'duration_seconds', 'bytes', 'sessions', 'calls'])),
})
export type CostsResult = Static<typeof CostsResult>

export const SummaryResult = Type.Object({
  object: Type.Literal('organization.usage.result'),
  num_model_requests: requests,
  input_tokens: count('Tokens of the input, those from a cache included.'),
  input_cached_tokens: count('Of these, tokens that came from a cache.'),
  output_tokens: count('Generated tokens.'),
  amount: CostsResult.properties.amount,
  ...ordinaryGroups,
})
export type SummaryResult = Static<typeof SummaryResult>

/** Buckets by time, with what was used in each. A page of very many results may hold fewer buckets than `limit`. */
export const pageOf = (results: TSchema) =>
  Type.Object({
    object: Type.Literal('page'),
    data: Type.Array(
      Type.Object({
        object: Type.Literal('bucket'),
        start_time: Type.Integer(),
        end_time: Type.Integer(),
        results: Type.Array(results),
      }),
    ),
    has_more: Type.Boolean(),
    next_page: nullable(Type.String()),
  })
