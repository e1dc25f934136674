import { randomBytes } from 'node:crypto'

/** Where chance comes from, so that a test can repeat a run. */
export interface Random {
  /** Unpredictable bytes, good enough for secrets. */
  bytes(count: number): Buffer
  /** An integer from 0 to 2^32 - 1. */
  uint32(): number
}

export const systemRandom: Random = {
  bytes: count => randomBytes(count),
  uint32: () => randomBytes(4).readUInt32LE(0),
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
