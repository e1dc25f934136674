import { operation } from '../../../platform/operation.ts'
import { costReport, type ReportAsked, type Result } from '../../../platform/reports/report.ts'
import { usdOf } from '../../../platform/usd.ts'
import { pageOf, SummaryQuery, SummaryResult } from '../../../wire/organization/usage.ts'
import { page } from '../page.ts'

export const summarizeUsage = operation<unknown, never, ReportAsked>({
  id: 'organization.usage',
  method: 'GET',
  path: '/v1/organization/usage',
  summary: 'What the organisation has used of everything together and what it has cost, by day. An extension.',
  query: SummaryQuery,
  reply: pageOf(SummaryResult),
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, { store, caller, clock, signal }) {
    const reader = { organizationId: caller.organizationId, nowMs: clock.now(), signal }
    return { kind: 'json', value: page(await costReport(store, reader, query), toSummary) }
  },
})

const toSummary = ({ by, requests, inputTokens, cachedTokens, outputTokens, costNano }: Result): SummaryResult => ({
  object: 'organization.usage.result',
  num_model_requests: requests,
  input_tokens: inputTokens,
  input_cached_tokens: cachedTokens,
  output_tokens: outputTokens,
  amount: { value: usdOf(costNano), currency: 'usd' },
  project_id: text(by.project_id),
  user_id: text(by.user_id),
  api_key_id: text(by.api_key_id),
  model: text(by.model),
})

const text = (value: string | boolean | null | undefined): string | null => (typeof value === 'string' ? value : null)
