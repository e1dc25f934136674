import type { Migration } from '../migrate.ts'
import { up as accounts } from './0001-accounts.ts'
import { up as tenants } from './0002-tenants.ts'
import { up as storedCompletions } from './0003-stored-completions.ts'
import { up as upstreams } from './0004-upstreams.ts'
import { up as files } from './0005-files.ts'
import { up as jobs } from './0006-jobs.ts'
import { up as batches } from './0007-batches.ts'

/**
 * Every change of the schema, in order. Append-only: a migration that was published is never edited. Modules rather than .sql files,
 * because the published package holds emitted JavaScript alone.
 */
export const migrations: readonly Migration[] = [
  { number: 1, name: 'accounts', up: accounts },
  { number: 2, name: 'tenants', up: tenants },
  { number: 3, name: 'stored completions', up: storedCompletions },
  { number: 4, name: 'upstreams', up: upstreams },
  { number: 5, name: 'files and uploads', up: files },
  { number: 6, name: 'jobs', up: jobs },
  { number: 7, name: 'batches', up: batches },
]
