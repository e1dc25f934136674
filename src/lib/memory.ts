import { readFileSync } from 'node:fs'

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
