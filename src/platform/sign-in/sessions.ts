import { createHash } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import { type Fault, fault } from '../../lib/faults.ts'
import { describe, type Log } from '../../lib/log.ts'
import type { SessionsTable } from '../../store/schema/accounts.ts'
import type { Statement, Store } from '../../store/store.ts'
import type { Caller } from '../access.ts'
import type { Origin } from '../audit.ts'
import { type Claims, callerOf } from '../callers.ts'
import { Remembered, Watched } from '../remembered.ts'

/** Sign-ins that are there. Like keys, they are known by the SHA-256 of a random secret alone. */
export interface Sessions {
  /** @throws Fault 401 for a sign-in that is over, and for claims that it does not reach */
  find(secret: string, claims?: Claims): Promise<Caller>
  /** The caller of a sign-in that was found within the last second. */
  recall(secret: string, claims?: Claims): Caller | undefined
  /** Forgets what is remembered: somebody's rights have changed. Running requests are looked at, too. */
  changed(): void
  /** Tells within about a second when the caller's sign-in ends while a request runs. @returns how to stop watching */
  watch(caller: Caller, ended: (reason: Fault) => void): () => void
  close(): void
}

const dayMs = 86_400_000
/** However much it is used, a sign-in is over after so long. */
export const sessionLifeMs = 30 * dayMs
/** Without a request for so long it is over as well. */
export const sessionIdleMs = 7 * dayMs
/** `expires_at` moves on in such steps. */
const usedPrecisionMs = 3_600_000
/** Of one person; a further one ends the oldest. */
export const sessionsMax = 50
const touchedMax = 10_000

export function makeSessions({ store, clock, log }: { store: Store; clock: Clock; log: Log }): Sessions {
  const remembered = new Remembered(clock)
  const lookUp = (watched: string) => {
    const [session, organization, project] = JSON.parse(watched) as [string, string, string]
    const claims = { organization, project: project === '' ? undefined : project }
    return callerOf(store, { session }, claims, clock.now())
  }
  const running = new Watched({ lookUp, over: fault.sessionOver, log })
  const touched = new Map<string, number>()
  const touch = (hash: string) => {
    const nowMs = clock.now()
    if (nowMs - (touched.get(hash) ?? 0) < usedPrecisionMs) return
    if (touched.size >= touchedMax) touched.clear()
    touched.set(hash, nowMs)
    store
      .writeSoon(
        store.build
          .updateTable('sessions')
          .set(eb => ({
            expires_at: eb
              .case()
              .when('created_at', '<', nowMs + sessionIdleMs - sessionLifeMs)
              .then(eb('created_at', '+', sessionLifeMs))
              .else(nowMs + sessionIdleMs)
              .end(),
          }))
          .where('hash', '=', hash)
          .where('expires_at', '>', nowMs),
      )
      .catch((error: unknown) => log.error('sessions.last_use_lost', { cause: describe(error) }))
  }

  return {
    recall: (secret, claims) => remembered.get(secret, claims),

    async find(secret, claims = {}) {
      const known = remembered.get(secret, claims)
      if (known !== undefined) return known
      const session = hashOf(secret)
      const caller = await callerOf(store, { session }, claims, clock.now())
      if (caller === undefined) throw fault.sessionOver()
      remembered.set(secret, claims, caller)
      touch(session)
      return caller
    },

    changed() {
      remembered.clear()
      running.look()
    },

    watch({ sessionHash, organizationId, projectId }, ended) {
      if (sessionHash === undefined) return () => {}
      return running.add(JSON.stringify([sessionHash, organizationId, projectId]), ended)
    },

    close: () => running.close(),
  }
}

/** Who begins a sign-in. */
export interface Beginning {
  userId: string
  organizationId: string
  /** The text that the password was compared with: if it is another by now, nothing begins. */
  password?: string
}

/**
 * What makes a sign-in, for one `write`; it misses its expectation when the person is disabled or in the organisation no more. Takes
 * away what is over, and what one person has too many of.
 */
export function beginSession(
  store: Store,
  secret: string,
  { userId, organizationId, password }: Beginning,
  { from, nowMs }: { from: Origin; nowMs: number },
): Statement[] {
  const hash = hashOf(secret)
  const insert = store.build
    .insertInto('sessions')
    .columns(['hash', 'user_id', 'organization_id', 'created_at', 'expires_at', 'ip', 'user_agent'])
    .expression(({ selectFrom, val }) =>
      selectFrom('members')
        .innerJoin('users', 'users.id', 'members.user_id')
        .select([
          val(hash).as('hash'),
          'members.user_id',
          'members.organization_id',
          val(nowMs).as('created_at'),
          val(nowMs + sessionIdleMs).as('expires_at'),
          val(from.ip).as('ip'),
          val(from.userAgent?.slice(0, 256) ?? null).as('user_agent'),
        ])
        .where('members.user_id', '=', userId)
        .where('members.organization_id', '=', organizationId)
        .where('users.disabled_at', 'is', null)
        .$if(password !== undefined, query => query.where('users.password', '=', password!)),
    )
  const surplus = store.build
    .deleteFrom('sessions')
    .where('user_id', '=', userId)
    .where('hash', '!=', hash)
    .where('hash', 'not in', ({ selectFrom }) =>
      selectFrom('sessions')
        .select('hash')
        .where('user_id', '=', userId)
        .where('hash', '!=', hash)
        .orderBy('created_at', 'desc')
        .limit(sessionsMax - 1),
    )
  const over = store.build.deleteFrom('sessions').where('expires_at', '<=', nowMs)
  return [{ statement: insert, expectChanges: 1 }, over, surplus]
}

/** A person's sign-ins that are not over, the newest first; at most `sessionsMax`. */
export const sessionsOf = (store: Store, userId: string, nowMs: number): Promise<SessionsTable[]> =>
  store.read
    .selectFrom('sessions')
    .selectAll()
    .where('user_id', '=', userId)
    .where('expires_at', '>', nowMs)
    .orderBy('created_at', 'desc')
    .orderBy('hash')
    .execute()

/** What people and clients know a sign-in by; says nothing of its secret. */
export const sessionId = (hash: string): string => `sess_${hash.slice(0, 24)}`

export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')
