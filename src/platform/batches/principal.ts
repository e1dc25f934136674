import type { Clock } from '../../lib/clock.ts'
import { fault } from '../../lib/faults.ts'
import type { Store } from '../../store/store.ts'
import type { Caller } from '../access.ts'
import { callerOf } from '../callers.ts'
import type { Keys } from '../keys.ts'
import type { BatchRow } from './types.ts'

/** As much of a caller as a batch keeps. */
export const principalOf = ({ kind, keyId, userId }: Caller): Pick<BatchRow, 'principal' | 'principal_id'> =>
  kind === 'operator'
    ? { principal: 'operator', principal_id: '' }
    : kind === 'session'
      ? { principal: 'person', principal_id: userId ?? '' }
      : { principal: 'key', principal_id: keyId }

/** For so long nothing is looked up anew; as for keys at the door. */
const rememberedMs = 1000

/** Whoever made the batch, with the rights that are left of theirs now. */
export class Principal {
  readonly #services: { store: Store; keys: Keys; clock: Clock }
  readonly #batch: BatchRow
  #known: { caller: Caller; untilMs: number } | undefined

  constructor(services: { store: Store; keys: Keys; clock: Clock }, batch: BatchRow) {
    this.#services = services
    this.#batch = batch
  }

  /** @throws Fault 401 when the key has ended, or the person or the project is no longer there */
  async caller(): Promise<Caller> {
    const nowMs = this.#services.clock.monotonic()
    if (this.#known !== undefined && nowMs < this.#known.untilMs) return this.#known.caller
    const caller = await this.#lookUp()
    this.#known = { caller, untilMs: nowMs + rememberedMs }
    return caller
  }

  async #lookUp(): Promise<Caller> {
    const { store, keys, clock } = this.#services
    const { principal, principal_id: id, organization_id: organization, project_id: project } = this.#batch
    if (principal === 'operator') return { ...(await keys.operator(organization)), projectId: project }
    const name = principal === 'key' ? { id } : { person: id, organization }
    const caller = await callerOf(store, name, { organization, project }, clock.now())
    if (caller === undefined) throw fault.batchOwnerGone()
    return caller
  }
}
