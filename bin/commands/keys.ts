import { parseArgs } from 'node:util'
import type { KeyRow } from '../../src/platform/keys.ts'
import { UsageError } from '../run.ts'
import { configHere, openHere } from '../surroundings.ts'
import { table } from '../table.ts'

/** Makes, lists and revokes keys, also while a server runs on the same data folder. */
export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { name: { type: 'string', default: 'unnamed' }, 'data-dir': { type: 'string' } },
  })
  const [verb = 'list', id] = positionals
  const parlance = await openHere(configHere({ data_dir: values['data-dir'] }))
  try {
    if (verb === 'create') {
      const { secret, row } = await parlance.keys.create(values.name)
      process.stdout.write(`${secret}\n`)
      process.stderr.write(`Key ${row.id} (${row.name}). It is shown this once: only its hash is kept.\n`)
      return 0
    }
    if (verb === 'list') {
      process.stdout.write(listed(await parlance.keys.list()))
      return 0
    }
    if (verb === 'revoke') {
      if (id === undefined)
        throw new UsageError('Which key? `parlance keys revoke ID`; `parlance keys list` shows the ids.')
      if (!(await parlance.keys.revoke(id)))
        throw new UsageError(`There is no active key '${id}'. \`parlance keys list\` shows them.`)
      process.stdout.write(`Revoked ${id}. A running server notices within a second.\n`)
      return 0
    }
    throw new UsageError(`There is no \`keys ${verb}\`: use create, list or revoke.`)
  } finally {
    await parlance.close()
  }
}

function listed(rows: KeyRow[]): string {
  if (rows.length === 0) return 'No keys yet. `parlance keys create` makes one.\n'
  const day = (ms: number | null) => (ms === null ? '' : new Date(ms).toISOString().slice(0, 10))
  return table([
    ['ID', 'NAME', 'KEY', 'CREATED', 'REVOKED'],
    ...rows.map(row => [row.id, row.name, row.hint, day(row.createdAt), day(row.revokedAt)]),
  ])
}
