import type { Kysely } from 'kysely'
import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import type { Database, Store } from '../../store/store.ts'
import { ensureHome } from '../home.ts'
import { hashOf } from './sessions.ts'

/** Lets the first owner say who they are: with a token that only whoever started the server has seen. */
export interface Setup {
  /** A new token in place of the last one; undefined when an owner of the first organisation can sign in already. */
  open(): Promise<string | undefined>
  accepts(token: string): boolean
  /** The token has done what it is for. */
  close(): void
}

/** How long a token can be used. */
export const setupLifeMs = 900_000

/** The token is in the memory of this process alone, as its hash. */
export function makeSetup({ store, clock, ids }: { store: Store; clock: Clock; ids: Ids }): Setup {
  let known: { hash: string; untilMs: number } | undefined
  return {
    async open() {
      const { organizationId } = await ensureHome({ store, clock, ids })
      if ((await owners(store.read, organizationId).executeTakeFirst()) !== undefined) return undefined
      const token = ids.make('setupSecret')
      known = { hash: hashOf(token), untilMs: clock.monotonic() + setupLifeMs }
      return token
    },
    accepts: token => known !== undefined && clock.monotonic() < known.untilMs && hashOf(token) === known.hash,
    close() {
      known = undefined
    },
  }
}

/** Owners of an organisation who have a way to sign in. @param db where the query runs, or of what it is a part */
export const owners = (db: Pick<Kysely<Database>, 'selectFrom'>, organizationId: string) =>
  db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select('users.id')
    .where('members.organization_id', '=', organizationId)
    .where('members.role', '=', 'owner')
    .where(eb => eb.or([eb('users.password', 'is not', null), eb('users.identity', 'is not', null)]))
