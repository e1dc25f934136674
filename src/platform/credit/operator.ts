import { fault } from '../../lib/faults.ts'
import type { Store } from '../../store/store.ts'
import type { Caller } from '../access.ts'
import { checkId, missing } from '../people/acting.ts'

/**
 * Lets only those pass who own the machine: whoever can make credit, or switch it off, can spend without a limit. They are the
 * operator at its terminal, and owners of its first organisation. That the caller may change things is checked before, by scope.
 * @throws Fault 403 `operator_only`
 */
export async function requireOperator(store: Store, caller: Caller): Promise<void> {
  if (!(await isOperator(store, caller))) throw fault.operatorOnly()
}

export async function isOperator(store: Store, caller: Caller): Promise<boolean> {
  if (caller.kind === 'operator') return true
  if (caller.role !== 'owner') return false
  const first = await store.read
    .selectFrom('organizations')
    .select('id')
    .orderBy('created_at')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return first?.id === caller.organizationId
}

/**
 * Which organisation is meant: the caller's own, or one that the operator names.
 * @throws Fault 404, the same for an organisation that there is not and one that is not the caller's to see
 */
export async function organizationMeant(
  { store, caller }: { store: Store; caller: Caller },
  asked: string | undefined,
): Promise<string> {
  if (asked === undefined || asked === caller.organizationId) return caller.organizationId
  checkId('organization', asked)
  if (!(await isOperator(store, caller))) throw missing('organization', asked)
  const found = await store.read.selectFrom('organizations').select('id').where('id', '=', asked).executeTakeFirst()
  if (found === undefined) throw missing('organization', asked)
  return asked
}
