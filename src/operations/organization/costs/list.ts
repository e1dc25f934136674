import { operation } from '../../../platform/operation.ts'
import { costReport, type ReportAsked, type Result } from '../../../platform/reports/report.ts'
import { usdOf } from '../../../platform/usd.ts'
import { CostsQuery, CostsResult, pageOf } from '../../../wire/organization/usage.ts'
import { page } from '../page.ts'

export const listCosts = operation<unknown, never, ReportAsked>({
  id: 'organization.costs',
  method: 'GET',
  path: '/v1/organization/costs',
  summary: 'What the organisation has spent, by day.',
  query: CostsQuery,
  reply: pageOf(CostsResult),
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, { store, caller, clock, signal }) {
    const reader = { organizationId: caller.organizationId, nowMs: clock.now(), signal }
    return { kind: 'json', value: page(await costReport(store, reader, query), toCosts) }
  },
})

function toCosts(result: Result): CostsResult {
  const { line_item: line, project_id: project, api_key_id: key } = result.by
  return {
    object: 'organization.costs.result',
    amount: { value: usdOf(result.costNano), currency: 'usd' },
    line_item: text(line),
    project_id: text(project),
    api_key_id: text(key),
    ...(line === undefined ? { quantity: null, quantity_unit: null } : quantityOf(result)),
  }
}

const text = (value: string | boolean | null | undefined): string | null => (typeof value === 'string' ? value : null)

/** As OpenAI calls them, where it has a word. */
const units: Readonly<Record<string, CostsResult['quantity_unit']>> = {
  images: 'images',
  characters: 'characters',
  bytes: 'bytes',
  sessions: 'sessions',
  calls: 'calls',
}

type Quantity = Pick<CostsResult, 'quantity' | 'quantity_unit'>

function quantityOf({ unit, quantity, inputTokens, outputTokens }: Result): Quantity {
  if (unit === null) return { quantity: inputTokens + outputTokens, quantity_unit: 'tokens' }
  if (unit === 'milliseconds') return { quantity: quantity / 1000, quantity_unit: 'duration_seconds' }
  return { quantity, quantity_unit: units[unit] ?? null }
}
