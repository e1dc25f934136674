import type { UpstreamPool } from '../../engines/upstream/index.ts'

/** Connections that live as long as somebody stands on them. */
export interface HeldPools {
  /** @returns what leaves the pool again, once however often it is called; with the last one its connections end */
  hold(pool: UpstreamPool): () => Promise<void>
}

/** @param drop closes a pool and forgets it */
export function heldPools(drop: (pool: UpstreamPool) => Promise<void>): HeldPools {
  const users = new Map<UpstreamPool, number>()
  return {
    hold(pool) {
      users.set(pool, (users.get(pool) ?? 0) + 1)
      let left = false
      return async () => {
        if (left) return
        left = true
        const others = (users.get(pool) ?? 1) - 1
        if (others > 0) {
          users.set(pool, others)
          return
        }
        users.delete(pool)
        await drop(pool)
      }
    },
  }
}
