import { fault } from '../../lib/faults.ts'
import { monthOf } from '../../platform/ledger/month.ts'
import { operation } from '../../platform/operation.ts'
import { tally } from '../../platform/reports/tally.ts'
import { centsOf } from '../../platform/usd.ts'
import { BillingUsage, BillingUsageQuery } from '../../wire/billing.ts'
import { dayMs, dayOf } from './dates.ts'

/** Days that one request may ask for. */
const daysMax = 366

export const listBillingUsage = operation<unknown, never, BillingUsageQuery>({
  id: 'billing.usage',
  method: 'GET',
  path: '/v1/dashboard/billing/usage',
  aliases: ['/dashboard/billing/usage'],
  summary: 'What the organisation of the key has spent, by day and model, as tools of 2023 read it.',
  query: BillingUsageQuery,
  reply: BillingUsage,
  scope: 'usage.read',
  bills: 'nothing',
  async run({ query }, { store, caller, clock, signal }) {
    const { organizationId } = caller
    const { fromMs, toMs } = spanOf(query, clock.now())
    const by = ['model'] as const
    const { groups } = await tally(store, { organizationId, fromMs, toMs, widthMs: dayMs, by, where: [], signal })
    const days = new Map<number, BillingUsage['daily_costs'][number]>()
    for (let startMs = fromMs; startMs < toMs; startMs += dayMs)
      days.set(startMs, { timestamp: startMs / 1000, line_items: [] })
    for (const { bucketMs, values, costNano } of groups)
      days.get(bucketMs)?.line_items.push({ name: String(values[0]), cost: centsOf(costNano) })
    for (const { line_items: items } of days.values()) items.sort((one, other) => (one.name < other.name ? -1 : 1))
    const total = groups.reduce((sum, { costNano }) => sum + costNano, 0n)
    const value: BillingUsage = { object: 'list', daily_costs: [...days.values()], total_usage: centsOf(total) }
    return { kind: 'json', value }
  },
})

/** Whole days of UTC. @throws Fault 400 */
function spanOf({ start_date: start, end_date: end }: BillingUsageQuery, nowMs: number) {
  const tomorrowMs = (Math.floor(nowMs / dayMs) + 1) * dayMs
  const endMs = end === undefined ? tomorrowMs : dayOf('end_date', end)
  const fromMs = start === undefined ? monthOf(endMs - 1).startMs : dayOf('start_date', start)
  const toMs = endMs === fromMs ? fromMs + dayMs : endMs
  if (toMs < fromMs) throw fault.invalidValue('end_date', "Invalid 'end_date': it must not be before 'start_date'.")
  if (toMs - fromMs > daysMax * dayMs)
    throw fault.invalidValue('end_date', `Invalid 'end_date': at most ${daysMax} days are told at once.`)
  return { fromMs, toMs }
}
