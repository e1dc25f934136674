import type { Log } from '../../lib/log.ts'
import type { Statement, Store } from '../../store/store.ts'
import { placeOf as placeOfRoute, readRoutes } from '../routes/rows.ts'
import { placeOf as placeOfUpstream, readUpstreams } from '../upstreams/rows.ts'
import type { Vault } from './index.ts'
import { renewedSecrets } from './kept.ts'

/**
 * Encrypts with the key that is used now what another key has encrypted, and can still be read; once, at the start of a server. What
 * cannot be read stays as it is. `updated_at` stays: nothing has changed for anybody.
 */
export async function resealed({ store, vault, log }: { store: Store; vault: Vault; log: Log }): Promise<void> {
  const [upstreams, routes] = await Promise.all([readUpstreams(store), readRoutes(store)])
  const statements: Statement[] = [
    ...upstreams.flatMap(row => {
      const secrets = renewedSecrets(vault, placeOfUpstream(row.name), row)
      return secrets === undefined
        ? []
        : [store.build.updateTable('upstreams').set({ secrets }).where('name', '=', row.name)]
    }),
    ...routes.flatMap(row => {
      const secrets = renewedSecrets(vault, placeOfRoute(row.model), row)
      return secrets === undefined
        ? []
        : [store.build.updateTable('routes').set({ secrets }).where('model', '=', row.model)]
    }),
  ]
  if (statements.length === 0) return
  await store.write(statements)
  log.info('secrets.encrypted_anew', { rows: statements.length })
}
