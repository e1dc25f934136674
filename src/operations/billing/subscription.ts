import { fault } from '../../lib/faults.ts'
import { type Credit, creditOf } from '../../platform/credit/grants.ts'
import { type Context, operation } from '../../platform/operation.ts'
import { spendLimitOf, spentThisMonth } from '../../platform/reports/spending.ts'
import { usdOf } from '../../platform/usd.ts'
import { BillingSubscription } from '../../wire/billing.ts'
import { never } from './dates.ts'

export const retrieveSubscription = operation({
  id: 'billing.subscription',
  method: 'GET',
  path: '/v1/dashboard/billing/subscription',
  aliases: ['/dashboard/billing/subscription'],
  summary: 'What the organisation of the key may spend in a month, as tools of 2023 read it.',
  reply: BillingSubscription,
  scope: 'usage.read',
  bills: 'nothing',
  run: async (_input, context) => ({ kind: 'json', value: await subscriptionOf(context) }),
})

/** Nano-dollars. Clients of gateways take it for "no limit". */
const unlimitedNano = 100_000_000n * 1_000_000_000n
/** Nano-dollars: a token of davinci at the time. */
const davinciTokenNano = 60_000n

async function subscriptionOf({ store, caller, clock, signal }: Context): Promise<BillingSubscription> {
  const { organizationId } = caller
  const nowMs = clock.now()
  const credit = await creditOf(store, organizationId, nowMs)
  if (credit === undefined) throw fault.objectNotFound('organization', organizationId)
  const { hardNano, softNano } = await spendLimitOf(store, organizationId, 'organization', organizationId)
  let hard = hardNano === null ? unlimitedNano : BigInt(hardNano)
  if (credit.enabled) {
    const reachable = (await spentThisMonth(store, { organizationId, nowMs, signal })) + credit.leftNano
    if (reachable < hard) hard = reachable
  }
  const soft = softNano === null || BigInt(softNano) > hard ? hard : BigInt(softNano)
  return {
    object: 'billing_subscription',
    has_payment_method: !credit.enabled,
    canceled: false,
    canceled_at: null,
    delinquent: null,
    access_until: endOf(credit),
    soft_limit: davinciTokens(soft),
    hard_limit: davinciTokens(hard),
    system_hard_limit: davinciTokens(hard),
    soft_limit_usd: usdOf(soft),
    hard_limit_usd: usdOf(hard),
    system_hard_limit_usd: usdOf(hard),
    plan: credit.enabled ? { title: 'Credit', id: 'free' } : { title: 'Pay-as-you-go', id: 'payg' },
    account_name: caller.organizationName,
    po_number: null,
    billing_email: null,
    tax_ids: null,
    billing_address: null,
    business_address: null,
  }
}

const davinciTokens = (nano: bigint): number => Number((nano + davinciTokenNano - 1n) / davinciTokenNano)

/** Unix seconds. */
function endOf({ enabled, grants }: Credit): number {
  const ends = enabled ? grants.map(({ expires_at: end }) => (end === null ? never : Math.floor(end / 1000))) : [never]
  return Math.max(0, ...ends)
}
