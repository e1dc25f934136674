import { mkdtempSync, rmSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Place, quiet, storeContract } from './store.contract.ts'
import { openStore } from './store.ts'

storeContract('SQLite', async (): Promise<Place> => {
  const folder = mkdtempSync(join(tmpdir(), 'parlance-store-'))
  return {
    open: options => openStore({ ...quiet, ...options, dataDir: join(folder, 'data') }),
    backupPath: name => join(folder, name),
    async openBackup(path) {
      const dataDir = join(folder, 'restored')
      await mkdir(dataDir)
      await copyFile(path, join(dataDir, 'parlance.db'))
      return openStore({ ...quiet, dataDir })
    },
    remove: async () => rmSync(folder, { recursive: true }),
  }
})
