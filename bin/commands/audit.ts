import { type AuditLog, AuditLogList } from '../../src/wire/organization/audit-logs.ts'
import { isRecord } from '../../src/wire/walk.ts'
import { UsageError } from '../run.ts'
import { table } from '../table.ts'
import { count, minute, moment, plain, until, words } from '../values.ts'
import { command, type Told, verb } from '../verbs.ts'

export const help = `parlance audit: who has changed what.

  audit list               The newest changes first.
      --limit N            So many, 1 to 100. Default: 20.
      --type T,...         Only changes of these types, such as api_key.created.
      --from WHEN          Only changes from this date or moment on.
      --to WHEN            Only changes up to this moment, or to the end of this date.

  With it: --json, --organization NAME, --data-dir FOLDER.
`

const options = { limit: 'text', type: 'texts', from: 'text', to: 'text' } as const

export const run = command('audit', { list: verb({ options, run: list }) }, 'list')

async function list({ call, text, texts, print }: Told<typeof options>): Promise<void> {
  const limit = count('--limit', text('limit') ?? '20')
  if (limit < 1 || limit > 100) throw new UsageError('--limit is a number from 1 to 100.')
  const [from, to] = [text('from'), text('to')]
  const span = {
    ...(from !== undefined && { gte: Math.floor(moment('--from', from) / 1000) }),
    ...(to !== undefined && { lt: Math.floor(until('--to', to) / 1000) }),
  }
  const query = {
    limit,
    event_types: words(texts('type')),
    effective_at: Object.keys(span).length === 0 ? undefined : span,
  }
  const { data } = await call('organization.audit_logs.list', { query, reply: AuditLogList })
  print(data, () => table([['TIME', 'TYPE', 'WHO', 'FROM', 'WHAT'], ...data.map(row)]))
}

function row(event: AuditLog & Record<string, unknown>): string[] {
  const { session, api_key: key } = event.actor
  const account = key?.service_account?.id
  const person = key?.user ?? session?.user
  const who = account ?? person?.email ?? person?.id ?? 'operator'
  const details = event[event.type]
  const id = isRecord(details) && typeof details.id === 'string' ? details.id : ''
  return [
    minute(event.effective_at),
    event.type,
    plain(key === undefined ? who : `${who} (${key.id})`),
    session?.ip_address ?? '',
    plain(id),
  ]
}
