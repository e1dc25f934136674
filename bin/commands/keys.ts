import { scopes } from '../../src/platform/access.ts'
import { type OperatorKey, OperatorKeyCreated, OperatorKeyDeleted, OperatorKeyList } from '../../src/wire/operator.ts'
import type { Call } from '../calling.ts'
import { projectIdOf } from '../named.ts'
import { Refused, UsageError } from '../run.ts'
import { table } from '../table.ts'
import { choice, day, end, minute, plain, span, words } from '../values.ts'
import { command, everyItem, type Told, verb } from '../verbs.ts'

export const help = `parlance keys: who may ask this server, and for what.

  keys create              Make a key. Its secret is printed, this once.
      --name NAME          What it is for.
      --project P          It works in this project alone, and not in the administration.
      --service-account A  It is a program's, not a person's; the account is made when there is none.
      --user EMAIL         It is this person's, with their rights. Default: the first owner's.
      --admin              For the administration alone: /v1/organization/...
      --scope WHAT         all (default), read, or restricted with
      --allow SCOPE,...    ${Object.keys(scopes)
        .join(', ')
        .replace(/(.{50,62}), /g, '$1,\n                           ')}
      --models A,B         Only these models may be asked.
      --expires WHEN       30d, 12h, or a date such as 2026-12-31. Default: never.
  keys list                All keys, those that have ended too; never their secrets.
  keys rotate ID           A new secret with the same rights; the old one ends,
      --grace SPAN         or works for so long beside it: 1h, 2d.
  keys revoke ID           End a key at once, with its running requests.

  With each: --json, --organization NAME, --data-dir FOLDER.
`

const createOptions = {
  ...({ name: 'text', project: 'text', 'service-account': 'text', user: 'text', admin: 'flag' } as const),
  ...({ scope: 'text', allow: 'texts', models: 'texts', expires: 'text' } as const),
}
type CreateOptions = typeof createOptions

/** Makes, lists, rotates and revokes keys, also while a server runs on the same data folder. */
export const run = command(
  'keys',
  {
    list: verb({ run: list }),
    create: verb({ options: createOptions, run: create }),
    rotate: verb({ takes: ['ID'], options: { grace: 'text' }, run: rotate }),
    revoke: verb({ takes: ['ID'], run: revoke }),
  },
  'list',
)

async function create(told: Told<CreateOptions>): Promise<void> {
  const { call, text, nowMs } = told
  const kind = kindOf(told)
  const expires = text('expires')
  const models = words(told.texts('models'))
  if (models?.length === 0)
    throw new UsageError('--models names the models that the key may ask, such as gpt-4o,gpt-4.')
  const project = await projectIdOf(call, text('project'))
  const made = await call('operator.keys.create', {
    body: {
      name: text('name') ?? 'unnamed',
      kind,
      scopes: scopesAsked(told),
      ...(project !== undefined && { project_id: project }),
      ...(text('user') !== undefined && { email: text('user') }),
      ...(text('service-account') !== undefined && { service_account: text('service-account') }),
      ...(models !== undefined && { models }),
      ...(expires !== undefined && { expires_at: Math.floor(end('--expires', expires, nowMs) / 1000) }),
    },
    reply: OperatorKeyCreated,
  })
  told.print(made, () => `${made.value}\n`)
  told.note(`Key ${made.id} (${plain(made.name)}). It is shown this once: only its hash is kept.`)
}

function kindOf({ text, texts, flag }: Told<CreateOptions>): OperatorKey['kind'] {
  const account = text('service-account') !== undefined
  if (flag('admin') && texts('models') !== undefined)
    throw new UsageError('A key with --admin asks no models: leave out --models.')
  if (flag('admin') && (account || text('project') !== undefined))
    throw new UsageError(
      'A key with --admin is for the administration, and works in no project: leave out --project and --service-account.',
    )
  if (account && text('user') !== undefined)
    throw new UsageError('A key is either a person’s (--user) or a program’s (--service-account).')
  if (flag('admin')) return 'admin'
  if (account) return 'service_account'
  return text('project') === undefined ? 'user' : 'project'
}

function scopesAsked({ text, texts }: Told<CreateOptions>): 'all' | 'read' | string[] {
  const allowed = words(texts('allow'))
  const asked = text('scope') ?? (allowed === undefined ? 'all' : 'restricted')
  const scope = choice('--scope', asked, ['all', 'read', 'restricted'])
  if (scope !== 'restricted') {
    if (allowed !== undefined) throw new UsageError(`--allow goes with --scope restricted, not with --scope ${scope}.`)
    return scope
  }
  if (allowed === undefined || allowed.length === 0)
    throw new UsageError(`What is allowed? --allow and some of ${Object.keys(scopes).join(', ')}.`)
  for (const name of allowed) choice('--allow', name, Object.keys(scopes))
  return allowed
}

async function list({ call, print }: Told): Promise<void> {
  const keys = await everyItem(call, 'operator.keys.list', { reply: OperatorKeyList, itemsOf: page => page })
  print(keys, () => {
    if (keys.length === 0) return 'No keys yet. `parlance keys create` makes one.\n'
    return table([
      ['ID', 'NAME', 'KEY', 'KIND', 'OF', 'PROJECT', 'SCOPES', 'CREATED', 'LAST USED', 'EXPIRES', 'REVOKED'],
      ...keys.map(row),
    ])
  })
}

const row = (key: OperatorKey): string[] => [
  key.id,
  plain(key.name),
  key.redacted_value,
  key.kind,
  plain(key.user?.email ?? key.service_account?.name ?? ''),
  plain(key.project?.name ?? ''),
  (typeof key.scopes === 'string' ? key.scopes : key.scopes.join(',')) +
    (key.models === null ? '' : ` (${plain(key.models.join(','))})`),
  day(key.created_at),
  minute(key.last_used_at),
  minute(key.expires_at),
  day(key.revoked_at),
]

async function rotate({ call, words: [id = ''], text, print, note }: Told<{ grace: 'text' }>): Promise<void> {
  const grace = text('grace')
  const seconds = grace === undefined ? 0 : Math.floor(span('--grace', grace) / 1000)
  if (seconds > graceSecondsMax) throw new UsageError(`--grace is at most 30d, not ${grace}.`)
  const made = await known(
    id,
    call('operator.keys.rotate', {
      params: { key_id: id },
      body: { grace_seconds: seconds },
      reply: OperatorKeyCreated,
    }),
  )
  print(made, () => `${made.value}\n`)
  note(
    `Key ${made.id} (${plain(made.name)}) takes the place of ${id}, which ${grace === undefined ? 'has ended' : `ends in ${grace}`}. It is shown this once.`,
  )
}

async function revoke({ call, words: [id = ''], print }: Told): Promise<void> {
  const gone = await known(id, remove(call, id))
  print(gone, () => `Revoked ${id}. A running server notices within a second.\n`)
}

const remove = (call: Call, id: string) =>
  call('operator.keys.delete', { params: { key_id: id }, reply: OperatorKeyDeleted })

/** As the API has it. */
const graceSecondsMax = 30 * 86_400

/** @throws UsageError for a key that there is not */
async function known<Result>(id: string, work: Promise<Result>): Promise<Result> {
  return work.catch((error: unknown) => {
    if (error instanceof Refused && error.status === 404)
      throw new UsageError(`There is no active key '${plain(id)}'. \`parlance keys list\` shows them.`)
    throw error
  })
}
