import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { fault } from '../lib/faults.ts'
import type { Ids } from '../lib/ids.ts'
import type { Store } from '../store/store.ts'

/** Who is calling: the key, and the organisation and project that it belongs to. */
export interface Caller {
  /** `terminal` when the operator acts on this machine itself. */
  readonly keyId: string
  readonly organizationId: string
  /** The slug of the `openai-organization` header. */
  readonly organizationName: string
  readonly projectId: string
}

/** A key as lists show it: never the secret. */
export interface KeyRow {
  id: string
  name: string
  hint: string
  createdAt: number
  revokedAt: number | null
  lastUsedAt: number | null
}

/** How long a key that was found is trusted without another look: the bound on how late a revocation is noticed. */
const trustMs = 1000
/** Keys remembered at once; beyond that the oldest is looked up again. */
const rememberedMax = 10_000

export interface Keys {
  /** @throws Fault 401 for a missing, unknown or revoked key */
  find(secret: string | undefined): Promise<Caller>
  /** The caller of a key that was found within the last second; nothing is looked up, and no promise made. */
  recall(secret: string): Caller | undefined
  create(name: string, secret?: string): Promise<{ row: KeyRow; secret: string }>
  /** Makes sure that this secret is a key; one that was revoked stays revoked. */
  ensure(name: string, secret: string): Promise<void>
  /** The operator at this machine: no key, the default organisation. */
  operator(): Promise<Caller>
  list(): Promise<KeyRow[]>
  /** @returns false when there is no such active key */
  revoke(id: string): Promise<boolean>
}

/** Keys are stored as SHA-256 alone: a secret of 285 random bits needs no slow hash, and a look-up by hash compares no secrets. */
export function makeKeys({ store, clock, ids }: { store: Store; clock: Clock; ids: Ids }): Keys {
  // By the secret itself, so that a request does not pay for its hash. Only keys that exist get in, and nothing ever lists it.
  const remembered = new Map<string, { caller: Caller; untilMs: number }>()
  const recall = (secret: string): Caller | undefined => {
    const known = remembered.get(secret)
    return known !== undefined && known.untilMs > clock.monotonic() ? known.caller : undefined
  }

  const lookUp = async (hash: string): Promise<Caller | undefined> => {
    const row = await store.read
      .selectFrom('api_keys')
      .innerJoin('organizations', 'organizations.id', 'api_keys.organization_id')
      .select([
        'api_keys.id as keyId',
        'api_keys.organization_id as organizationId',
        'api_keys.project_id as projectId',
      ])
      .select('organizations.name as organizationName')
      .where('api_keys.hash', '=', hash)
      .where('api_keys.revoked_at', 'is', null)
      .executeTakeFirst()
    return row
  }

  return {
    recall,

    async find(secret) {
      if (secret === undefined || secret === '') throw fault.noKey()
      const known = recall(secret)
      if (known !== undefined) return known
      remembered.delete(secret)
      const caller = await lookUp(sha256(secret))
      if (caller === undefined) throw fault.wrongKey(masked(secret))
      if (remembered.size >= rememberedMax) remembered.delete(remembered.keys().next().value!)
      remembered.set(secret, { caller, untilMs: clock.monotonic() + trustMs })
      return caller
    },

    async create(name, secret = ids.make('secret')) {
      const home = await ensureHome(store, clock, ids)
      const row = { id: ids.make('key'), name, hint: masked(secret), created_at: clock.now() }
      await store.write(
        store.build.insertInto('api_keys').values({
          ...row,
          organization_id: home.organizationId,
          project_id: home.projectId,
          hash: sha256(secret),
          role: 'owner',
          revoked_at: null,
          last_used_at: null,
        }),
      )
      return {
        secret,
        row: { id: row.id, name, hint: row.hint, createdAt: row.created_at, revokedAt: null, lastUsedAt: null },
      }
    },

    async ensure(name, secret) {
      const found = await store.read
        .selectFrom('api_keys')
        .select('id')
        .where('hash', '=', sha256(secret))
        .executeTakeFirst()
      if (found === undefined) await this.create(name, secret)
    },

    async operator() {
      const { organizationId, projectId } = await ensureHome(store, clock, ids)
      return { keyId: 'terminal', organizationId, organizationName: 'default', projectId }
    },

    list: () =>
      store.read
        .selectFrom('api_keys')
        .select([
          'id',
          'name',
          'hint',
          'created_at as createdAt',
          'revoked_at as revokedAt',
          'last_used_at as lastUsedAt',
        ])
        .orderBy('created_at')
        .orderBy('id')
        .execute(),

    async revoke(id) {
      const outcome = await store.write(
        store.build
          .updateTable('api_keys')
          .set({ revoked_at: clock.now() })
          .where('id', '=', id)
          .where('revoked_at', 'is', null),
      )
      return outcome.changes === 1
    },
  }
}

/** The default organisation and project, made at the first start. */
async function ensureHome(
  store: Store,
  clock: Clock,
  ids: Ids,
): Promise<{ organizationId: string; projectId: string }> {
  const found = await store.read
    .selectFrom('projects')
    .select(['id as projectId', 'organization_id as organizationId'])
    .orderBy('created_at')
    .orderBy('id')
    .executeTakeFirst()
  if (found !== undefined) return found
  const organizationId = ids.make('org')
  const projectId = ids.make('project')
  const created_at = clock.now()
  await store.write([
    store.build.insertInto('organizations').values({ id: organizationId, name: 'default', created_at }),
    store.read
      .insertInto('projects')
      .values({ id: projectId, organization_id: organizationId, name: 'Default project', created_at }),
  ])
  return { organizationId, projectId }
}

const sha256 = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** Enough of a key to tell it from others, too little to guess it: short ones show nothing. */
export function masked(secret: string): string {
  const shown = secret.replaceAll(/[^\x21-\x7e]/g, '?')
  return shown.length < 16 ? '*'.repeat(Math.min(shown.length, 8)) : `${shown.slice(0, 5)}***${shown.slice(-4)}`
}
