import { fault } from '../../lib/faults.ts'
import { creditOf, grantsOf } from '../../platform/credit/grants.ts'
import { operation } from '../../platform/operation.ts'
import { usdOf } from '../../platform/usd.ts'
import { CreditSummary } from '../../wire/billing.ts'
import { never } from './dates.ts'

/** The newest; all of them are counted in the sums. */
const grantsShown = 100

export const listCreditGrants = operation({
  id: 'billing.credit_grants',
  method: 'GET',
  path: '/v1/dashboard/billing/credit_grants',
  aliases: ['/dashboard/billing/credit_grants'],
  summary: 'The credit of the organisation of the key, as tools of 2023 read it.',
  reply: CreditSummary,
  scope: 'usage.read',
  bills: 'nothing',
  async run(_input, { store, caller, clock }) {
    const { organizationId } = caller
    const credit = await creditOf(store, organizationId, clock.now())
    if (credit === undefined) throw fault.objectNotFound('organization', organizationId)
    const rows = await grantsOf(store, organizationId)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(grantsShown)
      .execute()
    const value: CreditSummary = {
      object: 'credit_summary',
      total_granted: usdOf(credit.grantedNano),
      total_used: usdOf(credit.usedNano),
      total_available: usdOf(credit.leftNano),
      total_paid_available: usdOf(credit.paidLeftNano),
      grants: {
        object: 'list',
        data: rows.map(row => ({
          object: 'credit_grant' as const,
          id: row.id,
          grant_amount: usdOf(row.amount_nano),
          used_amount: usdOf(row.used_nano),
          effective_at: Math.floor(row.created_at / 1000),
          expires_at: row.expires_at === null ? never : Math.floor(row.expires_at / 1000),
        })),
      },
    }
    return { kind: 'json', value }
  },
})
