import { type Config, readConfig } from '../src/config.ts'
import { systemClock } from '../src/lib/clock.ts'
import { jsonLog, type Log } from '../src/lib/log.ts'
import type { Parlance } from '../src/main.ts'
import type { DataDirLock } from '../src/store/store.ts'
import { version } from './version.ts'

/** Settings of this process. @throws ConfigError */
export const configHere = (overrides: Record<string, string | undefined> = {}): Config =>
  readConfig({
    env: process.env,
    cwd: process.cwd(),
    overrides: Object.fromEntries(
      Object.entries(overrides).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  })

/** Log lines go to standard error, so that standard output holds only what was asked for. */
export const stderrLog: Log = jsonLog(line => process.stderr.write(line), systemClock.now)

/** Loads the product only now: what asks a running server does without. */
export async function openHere(
  config: Config,
  { log = stderrLog, lock }: { log?: Log; lock?: DataDirLock } = {},
): Promise<Parlance> {
  const { open } = await import('../src/main.ts')
  return open(config, { log, version, ...(lock !== undefined && { lock }) })
}
