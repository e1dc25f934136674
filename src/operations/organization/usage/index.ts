import type { TObject } from 'typebox'
import { type Operation, operation } from '../../../platform/operation.ts'
import { dimensions, type UsageKindName } from '../../../platform/reports/kinds.ts'
import { type ReportAsked, type Result, usageReport } from '../../../platform/reports/report.ts'
import {
  CodeInterpreterUsage,
  CompletionsUsage,
  CompletionsUsageQuery,
  EmbeddingsUsage,
  ImagesUsage,
  ImagesUsageQuery,
  ModerationsUsage,
  ProjectUsageQuery,
  pageOf,
  SpeechesUsage,
  TranscriptionsUsage,
  UsageQuery,
  VectorStoresUsage,
} from '../../../wire/organization/usage.ts'
import { page } from '../page.ts'

interface UsageEndpoint {
  /** What it tells. */
  of: string
  query: TObject
  /** The other fields of it say what it was split by. */
  result: TObject
  counts(result: Result): object
}

/** The endpoints below `/v1/organization/usage/`, one a line. Which rows of the ledger are meant stands in `reports/kinds.ts`. */
const endpoints: Readonly<Record<UsageKindName, UsageEndpoint>> = {
  completions: {
    of: 'chat, completions, edits, responses and runs',
    query: CompletionsUsageQuery,
    result: CompletionsUsage,
    counts: ({ inputTokens, cachedTokens, outputTokens, requests }) => ({
      input_tokens: inputTokens,
      input_cached_tokens: cachedTokens,
      input_uncached_tokens: inputTokens - cachedTokens,
      output_tokens: outputTokens,
      num_model_requests: requests,
    }),
  },
  embeddings: {
    of: 'embeddings and reranking',
    query: UsageQuery,
    result: EmbeddingsUsage,
    counts: ({ inputTokens, requests }) => ({ input_tokens: inputTokens, num_model_requests: requests }),
  },
  moderations: {
    of: 'moderations',
    query: UsageQuery,
    result: ModerationsUsage,
    counts: ({ inputTokens, requests }) => ({ input_tokens: inputTokens, num_model_requests: requests }),
  },
  images: {
    of: 'images',
    query: ImagesUsageQuery,
    result: ImagesUsage,
    counts: ({ quantity, requests }) => ({ images: quantity, num_model_requests: requests }),
  },
  audio_speeches: {
    of: 'speech',
    query: UsageQuery,
    result: SpeechesUsage,
    counts: ({ quantity, requests }) => ({ characters: quantity, num_model_requests: requests }),
  },
  audio_transcriptions: {
    of: 'transcriptions and translations of speech',
    query: UsageQuery,
    result: TranscriptionsUsage,
    counts: ({ quantity, requests }) => ({ seconds: Math.ceil(quantity / 1000), num_model_requests: requests }),
  },
  vector_stores: {
    of: 'vector stores',
    query: ProjectUsageQuery,
    result: VectorStoresUsage,
    counts: ({ quantity }) => ({ usage_bytes: quantity }),
  },
  code_interpreter_sessions: {
    of: 'the code interpreter',
    query: ProjectUsageQuery,
    result: CodeInterpreterUsage,
    counts: ({ quantity }) => ({ num_sessions: quantity }),
  },
}

const declare = (name: UsageKindName): Operation =>
  operation<unknown, never, ReportAsked>({
    id: `organization.usage.${name}`,
    method: 'GET',
    path: `/v1/organization/usage/${name}`,
    summary: `What the organisation has used of ${endpoints[name].of}, in buckets of time.`,
    query: endpoints[name].query,
    reply: pageOf(endpoints[name].result),
    scope: 'organization.read',
    bills: 'nothing',
    async run({ query }, { store, caller, clock, signal }) {
      const reader = { organizationId: caller.organizationId, nowMs: clock.now(), signal }
      const report = await usageReport(store, reader, name, query)
      const { counts, result: schema } = endpoints[name]
      const object = `organization.usage.${name}.result`
      return {
        kind: 'json',
        value: page(report, result => ({ object, ...counts(result), ...splitBy(result, schema) })),
      }
    },
  })

const splitBy = ({ by }: Result, schema: TObject) =>
  Object.fromEntries(dimensions.filter(name => name in schema.properties).map(name => [name, by[name] ?? null]))

export const usageOperations: readonly Operation[] = (Object.keys(endpoints) as UsageKindName[]).map(declare)
