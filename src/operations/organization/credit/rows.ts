import { fault } from '../../../lib/faults.ts'
import { audited, type Change } from '../../../platform/audit.ts'
import { creditOf, type GrantRow } from '../../../platform/credit/grants.ts'
import type { Context } from '../../../platform/operation.ts'
import { usdOf } from '../../../platform/usd.ts'
import type { Statement } from '../../../store/store.ts'
import type { Credit, CreditGrant } from '../../../wire/organization/credit.ts'

/**
 * Writes a change of credit and tells the ledger. What the operator does to another organisation stands in the logs of both: its people
 * can see it, and the operator's too.
 */
export async function changeCredit(
  context: Context,
  organizationId: string,
  statements: readonly Statement[],
  change: Change,
): Promise<void> {
  const { store, caller, ledger } = context
  const logs = new Set([organizationId, caller.organizationId])
  const details = { organization_id: organizationId, ...change.details }
  const rows = Array.from(logs, log =>
    audited({ ...change, details }, { ...context, caller: { ...caller, organizationId: log } }),
  )
  await store.write([...statements, ...rows])
  await ledger.changed()
}

/** @throws Fault 404 */
export async function toCredit({ store, clock }: Context, organizationId: string): Promise<Credit> {
  const credit = await creditOf(store, organizationId, clock.now())
  if (credit === undefined) throw fault.objectNotFound('organization', organizationId.slice(0, 100))
  return {
    object: 'organization.credit',
    organization_id: organizationId,
    enabled: credit.enabled,
    balance_usd: usdOf(credit.leftNano),
    granted_usd: usdOf(credit.grantedNano),
    used_usd: usdOf(credit.usedNano),
    grants: credit.grants.slice(0, grantsShown).map(toGrant),
  }
}

const grantsShown = 100

export const toGrant = (row: GrantRow): CreditGrant => ({
  object: 'organization.credit.grant',
  id: row.id,
  kind: row.kind,
  amount_usd: usdOf(row.amount_nano),
  used_usd: usdOf(row.used_nano),
  note: row.note,
  created_at: secondsOf(row.created_at),
  expires_at: row.expires_at === null ? null : secondsOf(row.expires_at),
})

export const secondsOf = (ms: number): number => Math.floor(ms / 1000)
