/** Compares usage, costs and limits with the types of OpenAI's own client, as `../oracle.check.ts` does the rest. Never imported. */
import type * as Limits from 'openai/resources/admin/organization/projects/rate-limits'
import type * as ProjectSpend from 'openai/resources/admin/organization/projects/spend-limit'
import type * as Spend from 'openai/resources/admin/organization/spend-limit'
import type * as Usage from 'openai/resources/admin/organization/usage'
import type { Static } from 'typebox'
import type { AllKeys, Expect, Fits, None } from '../oracle.check.ts'
import type {
  OrganizationSpendLimit,
  OrganizationSpendLimitDeleted,
  ProjectRateLimit,
  ProjectRateLimitQuery,
  ProjectRateLimitUpdate,
  ProjectSpendLimit,
  ProjectSpendLimitDeleted,
  SpendLimitUpdate,
} from './limits.ts'
import type {
  CodeInterpreterUsage,
  CompletionsUsage,
  CompletionsUsageQuery,
  CostsQuery,
  CostsResult,
  EmbeddingsUsage,
  ImagesUsage,
  ImagesUsageQuery,
  ModerationsUsage,
  ProjectUsageQuery,
  SpeechesUsage,
  TranscriptionsUsage,
  UsageQuery,
  VectorStoresUsage,
} from './usage.ts'

/** What the clients can send is accepted, and there is nothing that none of them knows. */
type Asked<Theirs, Ours> = [
  Fits<Theirs, Ours>,
  None<Exclude<AllKeys<Theirs>, AllKeys<Ours>>>,
  None<Exclude<AllKeys<Ours>, AllKeys<Theirs>>>,
]
/** What is answered can be read. */
type Told<Ours, Theirs> = [Fits<Ours, Theirs>, None<Exclude<AllKeys<Ours>, AllKeys<Theirs>>>]
type Agree<Checks extends readonly true[]> = Checks

/** The clients put the project of a path among the parameters, and know limits that are refused here by name. */
type NotKept = 'project_id' | 'max_audio_megabytes_per_1_minute' | 'batch_1_day_max_input_tokens'
type Result<Name extends string> = Extract<
  Usage.UsageCompletionsResponse.Data['results'][number],
  { object: `organization.${Name}.result` }
>

export type Requests = [
  Agree<Asked<Usage.UsageCompletionsParams, Static<typeof CompletionsUsageQuery>>>,
  Agree<Asked<Usage.UsageEmbeddingsParams, Static<typeof UsageQuery>>>,
  Agree<Asked<Usage.UsageModerationsParams, Static<typeof UsageQuery>>>,
  Agree<Asked<Usage.UsageImagesParams, Static<typeof ImagesUsageQuery>>>,
  Agree<Asked<Usage.UsageAudioSpeechesParams, Static<typeof UsageQuery>>>,
  Agree<Asked<Usage.UsageAudioTranscriptionsParams, Static<typeof UsageQuery>>>,
  Agree<Asked<Usage.UsageVectorStoresParams, Static<typeof ProjectUsageQuery>>>,
  Agree<Asked<Usage.UsageCodeInterpreterSessionsParams, Static<typeof ProjectUsageQuery>>>,
  Agree<Asked<Usage.UsageCostsParams, Static<typeof CostsQuery>>>,
  Agree<Asked<Spend.SpendLimitUpdateParams, SpendLimitUpdate>>,
  Agree<Asked<ProjectSpend.SpendLimitUpdateParams, SpendLimitUpdate>>,
  Agree<Asked<Omit<Limits.RateLimitListRateLimitsParams, NotKept>, ProjectRateLimitQuery>>,
  Agree<Asked<Omit<Limits.RateLimitUpdateRateLimitParams, NotKept>, ProjectRateLimitUpdate>>,
]

export type Replies = [
  Agree<Told<CompletionsUsage, Result<'usage.completions'>>>,
  Agree<Told<Static<typeof EmbeddingsUsage>, Result<'usage.embeddings'>>>,
  Agree<Told<Static<typeof ModerationsUsage>, Result<'usage.moderations'>>>,
  Agree<Told<Static<typeof ImagesUsage>, Result<'usage.images'>>>,
  Agree<Told<Static<typeof SpeechesUsage>, Result<'usage.audio_speeches'>>>,
  Agree<Told<Static<typeof TranscriptionsUsage>, Result<'usage.audio_transcriptions'>>>,
  Agree<Told<Static<typeof VectorStoresUsage>, Result<'usage.vector_stores'>>>,
  Agree<Told<Static<typeof CodeInterpreterUsage>, Result<'usage.code_interpreter_sessions'>>>,
  Agree<Told<Omit<CostsResult, 'quantity_unit'>, Result<'costs'>>>, // the newest description has it, and no client yet
  Agree<Told<Static<typeof OrganizationSpendLimit>, Spend.OrganizationSpendLimit>>,
  Agree<Told<Static<typeof OrganizationSpendLimitDeleted>, Spend.OrganizationSpendLimitDeleted>>,
  Agree<Told<Static<typeof ProjectSpendLimit>, ProjectSpend.ProjectSpendLimit>>,
  Agree<Told<Static<typeof ProjectSpendLimitDeleted>, ProjectSpend.ProjectSpendLimitDeleted>>,
  Agree<Told<ProjectRateLimit, Limits.ProjectRateLimit>>,
]

/** The check itself is checked: what does not agree is no `true`. */
export type Control = Expect<Asked<{ a: string }, { a: number }>[0] extends true ? false : true>
