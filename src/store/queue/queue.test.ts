import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { openStore } from '../store.ts'
import { queueContract } from './queue.contract.ts'

queueContract('SQLite', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'parlance-queue-'))
  return {
    open: () => openStore({ dataDir, clock: systemClock, log: silentLog }),
    remove: async () => rmSync(dataDir, { recursive: true }),
  }
})
