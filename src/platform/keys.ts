import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { type Fault, fault } from '../lib/faults.ts'
import type { Ids } from '../lib/ids.ts'
import { describe, type Log } from '../lib/log.ts'
import type { Statement, Store } from '../store/store.ts'
import { type Caller, type Scope, scopes } from './access.ts'
import { type Claims, callerOf } from './callers.ts'
import { ensureHome, homeOf } from './home.ts'
import {
  type KeyFilter,
  type KeyRow,
  keyRows,
  masked,
  type NewKey,
  newRow,
  secretKinds,
  shown,
  stored,
} from './key-rows.ts'
import { carriedLimits } from './limits/carried.ts'
import { Remembered, Watched } from './remembered.ts'

export type { Caller } from './access.ts'
export type { Claims } from './callers.ts'
export { type KeyFilter, type KeyRow, masked, type NewKey } from './key-rows.ts'

/** `last_used_at` is that precise. */
const usedPrecisionMs = 60_000

export interface Keys {
  /** @throws Fault 401 for a missing, unknown, revoked or expired key, and for claims that it does not reach */
  find(secret: string | undefined, claims?: Claims): Promise<Caller>
  /** The caller of a key that was found within the last second; nothing is looked up, and no promise made. */
  recall(secret: string, claims?: Claims): Caller | undefined
  /** @param beside what is written in the same breath, before it: the row of the audit log, a new owner of the key */
  create(key: NewKey, beside?: (row: KeyRow) => readonly Statement[]): Promise<{ row: KeyRow; secret: string }>
  /** Makes sure that this secret is a key; one that was revoked stays revoked. */
  ensure(name: string, secret: string): Promise<void>
  /**
   * The operator at this machine, without a key.
   * @param organization id or slug of the one to act in; the default one if absent. @throws Fault 404 when there is none
   */
  operator(organization?: string): Promise<Caller>
  list(filter?: KeyFilter): Promise<KeyRow[]>
  /** @returns false when there is no such active key */
  revoke(id: string, filter?: KeyFilter, beside?: readonly Statement[]): Promise<boolean>
  /**
   * A new secret with the same rights and limits; the old one ends after so long.
   * @returns undefined when there is no such active key
   */
  rotate(
    id: string,
    graceMs: number,
    filter?: KeyFilter,
    beside?: (row: KeyRow) => readonly Statement[],
  ): Promise<{ row: KeyRow; secret: string } | undefined>
  /** Forgets what is remembered of all keys: somebody's rights have changed. Running requests are looked at, too. */
  changed(): void
  /** Tells within about a second when the caller's key ends while a request runs. @returns how to stop watching */
  watch(caller: Caller, ended: (reason: Fault) => void): () => void
  close(): void
}

/** Keys are stored as SHA-256 alone: a secret of 285 random bits needs no slow hash, and a look-up by hash compares no secrets. */
export function makeKeys({ store, clock, ids, log, alsoChanged = () => {} }: KeyServices): Keys {
  const remembered = new Remembered(clock)
  const lookUp = (id: string) => callerOf(store, { id }, {}, clock.now())
  const watched = new Watched({ lookUp, over: fault.keyEnded, log })
  const used = new Map<string, number>()
  const touch = (keyId: string) => {
    const nowMs = clock.now()
    if (nowMs - (used.get(keyId) ?? 0) < usedPrecisionMs) return
    used.set(keyId, nowMs)
    store
      .writeSoon(store.build.updateTable('api_keys').set({ last_used_at: nowMs }).where('id', '=', keyId))
      .catch((error: unknown) => log.error('keys.last_use_lost', { keyId, cause: describe(error) }))
  }
  const changed = () => {
    remembered.clear()
    watched.look()
    alsoChanged()
  }
  const insert = async (row: KeyRow, secret: string, more: readonly Statement[]) => {
    await store.write([...more, store.build.insertInto('api_keys').values({ ...stored(row), hash: sha256(secret) })])
    return { row, secret }
  }

  return {
    recall: (secret, claims) => remembered.get(secret, claims),

    async find(secret, claims = {}) {
      if (secret === undefined || secret === '') throw fault.noKey()
      const known = remembered.get(secret, claims)
      if (known !== undefined) return known
      const caller = await callerOf(store, { hash: sha256(secret) }, claims, clock.now())
      if (caller === undefined) throw fault.wrongKey(masked(secret))
      remembered.set(secret, claims, caller)
      touch(caller.keyId)
      return caller
    },

    async create(key, beside = () => []) {
      const { row, secret } = await newRow(key, { store, clock, ids })
      return insert(row, secret, beside(row))
    },

    async ensure(name, secret) {
      const found = await store.read
        .selectFrom('api_keys')
        .select('id')
        .where('hash', '=', sha256(secret))
        .executeTakeFirst()
      if (found === undefined) await this.create({ name, secret })
    },

    async operator(organization) {
      const home = await ensureHome({ store, clock, ids })
      const place = organization === undefined ? home : await homeOf(store, organization)
      if (place === undefined) throw fault.objectNotFound('organization', (organization ?? '').slice(0, 100))
      const every: ReadonlySet<Scope> = new Set(Object.keys(scopes) as Scope[])
      return {
        kind: 'operator',
        keyId: 'terminal',
        ...place,
        role: 'owner',
        projectRole: 'owner',
        granted: every,
        allowed: every,
        ownedProjects: new Set(),
        models: null,
      }
    },

    list: (filter = {}) =>
      keyRows(store, filter)
        .execute()
        .then(found => found.map(shown)),

    async revoke(id, filter = {}, beside = []) {
      const [row] = await keyRows(store, filter).where('id', '=', id).where('revoked_at', 'is', null).execute()
      if (row === undefined) return false
      const [outcome] = await store.write([
        store.build
          .updateTable('api_keys')
          .set({ revoked_at: clock.now() })
          .where('id', '=', id)
          .where('revoked_at', 'is', null),
        ...beside,
      ])
      changed()
      return outcome?.changes === 1
    },

    async rotate(id, graceMs, filter = {}, beside = () => []) {
      const [found] = await keyRows(store, filter).where('id', '=', id).where('revoked_at', 'is', null).execute()
      const nowMs = clock.now()
      if (found === undefined || (found.expires_at !== null && found.expires_at <= nowMs)) return undefined
      const secret = ids.make(secretKinds[found.kind])
      const row = { ...shown(found), id: ids.make('key'), hint: masked(secret), createdAt: nowMs, lastUsedAt: null }
      const endsAt = Math.min(found.expires_at ?? Number.MAX_SAFE_INTEGER, nowMs + graceMs)
      const made = await insert(row, secret, [
        store.build.updateTable('api_keys').set({ expires_at: endsAt }).where('id', '=', id),
        ...(await carriedLimits(store, { from: id, to: row.id, nowMs })),
        ...beside(row),
      ])
      changed()
      return made
    },

    changed,
    watch: ({ keyId }, ended) => (keyId.startsWith('key_') ? watched.add(keyId, ended) : () => {}),
    close: () => watched.close(),
  }
}

export interface KeyServices {
  store: Store
  clock: Clock
  ids: Ids
  log: Log
  /** Told of everything that `changed` is told of: sign-ins depend on the same rights. */
  alsoChanged?: () => void
}

const sha256 = (secret: string): string => createHash('sha256').update(secret).digest('hex')
