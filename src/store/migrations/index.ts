import type { Migration } from '../migrate.ts'
import { up as accounts } from './0001-accounts.ts'
import { up as tenants } from './0002-tenants.ts'
import { up as storedCompletions } from './0003-stored-completions.ts'

/**
 * Every change of the schema, in order. Append-only: a migration that was published is never edited. Modules rather than .sql files,
 * because the published package holds emitted JavaScript alone.
 */
export const migrations: readonly Migration[] = [
  { number: 1, name: 'accounts', up: accounts },
  { number: 2, name: 'tenants', up: tenants },
  { number: 3, name: 'stored completions', up: storedCompletions },
]
