import { readFileSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'

/**
 * What a process holds in memory, shared pages included; in some 30 µs.
 * @returns undefined where the system does not tell: anywhere but on Linux, and for a process that has ended
 */
export function residentBytes(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  } catch {
    return undefined
  }
}

/**
 * How many records this process may keep for want of a place to put them: as many as it can be asked for in half a minute, and where
 * memory is short an eighth of it.
 * @param recordBytes what one takes
 */
export const recordsMax = (recordBytes: number): number =>
  Math.min(250_000, Math.max(10_000, Math.floor(getHeapStatistics().heap_size_limit / 8 / recordBytes)))
