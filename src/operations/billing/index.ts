import type { Operation } from '../../platform/operation.ts'
import { listCreditGrants } from './credit-grants.ts'
import { listDayUsage } from './day-usage.ts'
import { retrieveSubscription } from './subscription.ts'
import { listBillingUsage } from './usage.ts'

/** What tools of 2023 ask for, to show what is spent and what is left. */
export const billingOperations: readonly Operation[] = [
  retrieveSubscription,
  listBillingUsage,
  listCreditGrants,
  listDayUsage,
]
