import { randomBytes } from 'node:crypto'

/** Where chance comes from, so that a test can repeat a run. */
export interface Random {
  /** Unpredictable bytes, good enough for secrets. */
  bytes(count: number): Buffer
  /** An integer from 0 to 2^32 - 1. */
  uint32(): number
}

export const systemRandom: Random = pooled(4096)

/** Asks the system for many bytes at once: a call for a few costs as much as one for thousands. Each byte is given out once. */
function pooled(sizeBytes: number): Random {
  let pool = Buffer.alloc(0)
  const bytes = (count: number): Buffer => {
    if (count > sizeBytes) return randomBytes(count)
    if (pool.length < count) pool = randomBytes(sizeBytes)
    const taken = pool.subarray(0, count)
    pool = pool.subarray(count)
    return taken
  }
  return { bytes, uint32: () => bytes(4).readUInt32LE(0) }
}

/** A repeatable source (mulberry32). For tests: never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const uint32 = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    uint32,
    bytes: count => Buffer.from(Array.from({ length: count }, () => uint32() & 0xff)),
  }
}
