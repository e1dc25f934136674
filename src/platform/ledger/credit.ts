import type { Standing } from './types.ts'

/** A grant as it is stored. */
export interface StoredGrant {
  id: string
  amount_nano: number
  used_nano: number
  created_at: number
  expires_at: number | null
}

/** A grant, and what running requests hold of it. */
interface Grant {
  readonly id: string
  readonly createdAt: number
  amountNano: number
  usedNano: number
  heldNano: number
  expiresAt: number
}

/** A part of what is held for a request. */
export interface Share {
  readonly grant: { heldNano: number }
  readonly nano: number
}

/** What a request took from a grant. */
export interface Taken {
  id: string
  nano: number
}

/**
 * The credit of one organisation. What expires first is spent first; a grant that expires while a request runs still pays for it,
 * because the request was let in on the strength of it.
 */
export class Credit {
  /** Off: nothing is needed and nothing is taken. */
  on = false
  /** In the order in which they are spent. */
  #grants: Grant[] = []

  /**
   * Takes over what is stored. Of grants that are known, what was used is known better here: the database may be a moment behind.
   * @param stored those that are neither used up nor expired; others serve only the requests that hold something of them
   */
  update(stored: readonly StoredGrant[], nowMs: number): void {
    const known = new Map(this.#grants.map(grant => [grant.id, grant]))
    const current = stored.map(row => {
      const grant = known.get(row.id) ?? made(row)
      known.delete(row.id)
      grant.amountNano = row.amount_nano
      grant.expiresAt = row.expires_at ?? Number.POSITIVE_INFINITY
      return grant
    })
    const stillHeld = [...known.values()].filter(grant => grant.heldNano > 0)
    for (const grant of stillHeld) grant.expiresAt = Math.min(grant.expiresAt, nowMs)
    this.#grants = [...current, ...stillHeld].sort(soonestFirst)
  }

  /** What can be held for another request. */
  leftNano(nowMs: number): number {
    let left = 0
    for (const grant of this.#grants) if (grant.expiresAt > nowMs) left += roomOf(grant)
    return left
  }

  /** Of the grants that are valid. */
  standing(nowMs: number): Standing & { limitNano: number } {
    const valid = this.#grants.filter(grant => grant.expiresAt > nowMs)
    const sum = (of: (grant: Grant) => number) => valid.reduce((total, grant) => total + of(grant), 0)
    return {
      limitNano: sum(grant => grant.amountNano),
      spentNano: sum(grant => grant.usedNano),
      heldNano: sum(grant => grant.heldNano),
    }
  }

  /** Holds so much, which must not be more than `leftNano`. */
  hold(nano: number, nowMs: number): Share[] {
    const shares: Share[] = []
    let rest = nano
    for (const grant of this.#grants) {
      if (rest === 0) break
      if (grant.expiresAt <= nowMs) continue
      const part = Math.min(rest, roomOf(grant))
      if (part === 0) continue
      grant.heldNano += part
      rest -= part
      shares.push({ grant, nano: part })
    }
    return shares
  }

  /**
   * Spends so much of the grants that were valid at that time; what is held by others is not touched. Beyond all of them, the last one
   * is overdrawn: what was spent is spent.
   * @returns what is to be added to `used_nano` of which grants
   */
  take(nano: number, atMs: number): Taken[] {
    const taken = new Map<Grant, number>()
    let rest = nano
    let last: Grant | undefined
    for (const grant of this.#grants) {
      if (grant.expiresAt <= atMs) continue
      last = grant
      const part = Math.min(rest, roomOf(grant))
      if (part === 0) continue
      taken.set(grant, part)
      rest -= part
    }
    if (rest > 0 && last !== undefined) taken.set(last, (taken.get(last) ?? 0) + rest)
    for (const [grant, part] of taken) grant.usedNano += part
    return Array.from(taken, ([{ id }, part]) => ({ id, nano: part }))
  }
}

export function release(shares: readonly Share[]): void {
  for (const { grant, nano } of shares) grant.heldNano -= nano
}

const made = (row: StoredGrant): Grant => ({
  id: row.id,
  createdAt: row.created_at,
  amountNano: row.amount_nano,
  usedNano: row.used_nano,
  heldNano: 0,
  expiresAt: row.expires_at ?? Number.POSITIVE_INFINITY,
})

const roomOf = ({ amountNano, usedNano, heldNano }: Grant): number => Math.max(0, amountNano - usedNano - heldNano)

function soonestFirst(a: Grant, b: Grant): number {
  if (a.expiresAt !== b.expiresAt) return a.expiresAt < b.expiresAt ? -1 : 1
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)
}
