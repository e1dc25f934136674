import { type Fault, fault } from '../../lib/faults.ts'
import { StaleWrite, type Statement, type Store } from '../../store/store.ts'
import { audited, type Change } from '../audit.ts'
import type { Context } from '../operation.ts'

/** Who changes something, from where, and with what. The context of a request is one; the command line makes its own. */
export type Acting = Pick<Context, 'caller' | 'from' | 'store' | 'keys' | 'clock' | 'ids'>

/**
 * Writes a change in one unit with its rows of the audit log, and lets it count at once.
 * @param stale why an expectation of the statements was missed
 */
export async function commit(
  acting: Acting,
  statements: readonly Statement[],
  changes: readonly Change[],
  stale: () => Promise<Fault>,
): Promise<void> {
  const rows = changes.map(change => audited(change, acting))
  await acting.store.write([...statements, ...rows]).catch(explained(stale))
  acting.keys.changed()
}

/** For `catch`: a missed expectation as the fault that it means; anything else as it is. */
export const explained = (stale: () => Promise<Fault>) => async (error: unknown) => {
  throw error instanceof StaleWrite ? await stale() : error
}

/** Anything else is not asked for: not every database takes every text. @throws Fault 404, as for an id that nobody has */
export function checkId(kind: string, id: string): void {
  if (!/^[\w-]{1,100}$/.test(id)) throw missing(kind, id)
}

/** The same words for what is not there and for what belongs to another organisation. */
export const missing = (kind: string, id: string): Fault => fault.objectNotFound(kind, id.slice(0, 100))

/** @returns the text without spaces around it. @throws Fault 400 for an empty one and for control characters, which no name has */
export function plainText(param: string, text: string): string {
  const plain = text.trim()
  if (plain === '' || /\p{Cc}/u.test(plain))
    throw fault.invalidValue(param, `Invalid '${param}': expected a text without control characters.`)
  return plain
}

/** @returns the address as it is stored: lower case. @throws Fault 400 */
export function emailOf(param: string, text: string): string {
  const email = text.trim().toLowerCase()
  if (!/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(email))
    throw fault.invalidValue(param, `Invalid '${param}': expected an e-mail address.`)
  return email
}

/** Takes the project's row: what is written with it happens in a project of the organisation that is not archived, or not at all. */
export const holdProject = (store: Store, organizationId: string, projectId: string): Statement => ({
  statement: store.build
    .updateTable('projects')
    .set(({ ref }) => ({ name: ref('name') }))
    .where('id', '=', projectId)
    .where('organization_id', '=', organizationId)
    .where('archived_at', 'is', null),
  expectChanges: 1,
})

/** Takes the row of a member: what is written with it concerns somebody of the organisation, or does not happen. */
export const holdMember = (store: Store, organizationId: string, userId: string): Statement => ({
  statement: store.build
    .updateTable('members')
    .set(({ ref }) => ({ role: ref('role') }))
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', userId),
  expectChanges: 1,
})
