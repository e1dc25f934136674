import type { Operation } from '../../platform/operation.ts'
import { listCosts } from './costs/list.ts'
import { codeOperations } from './credit/codes.ts'
import { creditOperations } from './credit/credit.ts'
import { presetOperations } from './limits/preset.ts'
import { rateLimitOperations } from './limits/rate-limits.ts'
import { spendLimitOperations } from './limits/spend-limits.ts'
import { subjectLimitOperations } from './limits/subject-limits.ts'
import { priceOperations } from './prices/prices.ts'
import { usageOperations } from './usage/index.ts'
import { summarizeUsage } from './usage/summary.ts'

/** What is used, what it costs, and what may be spent. */
export const moneyOperations: readonly Operation[] = [
  summarizeUsage,
  ...usageOperations,
  listCosts,
  ...spendLimitOperations,
  ...rateLimitOperations,
  ...subjectLimitOperations,
  ...presetOperations,
  ...creditOperations,
  ...codeOperations,
  ...priceOperations,
]
