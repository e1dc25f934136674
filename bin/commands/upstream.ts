import { resolve } from 'node:path'
import { kindNames } from '../../src/engines/upstream/kinds/kind.ts'
import { UpstreamModelList, UpstreamTest } from '../../src/wire/upstream-trials.ts'
import { Upstream, UpstreamDeleted, UpstreamList } from '../../src/wire/upstreams.ts'
import type { Call } from '../calling.ts'
import { Progress } from '../progress.ts'
import { Refused, UsageError } from '../run.ts'
import { secretFrom } from '../secret.ts'
import { table } from '../table.ts'
import { choice, dollars, minute, plain, span, usd, words } from '../values.ts'
import { command, everyItem, type Told, verb } from '../verbs.ts'

export const help = `parlance upstream: servers that answer for models. What parlance.yaml names is changed there.

  upstream add NAME        Add one. Nothing has to be started anew.
      --kind KIND          ${kinds()}
                           Default: as its address tells, else openai-compatible.
      --base-url URL       With /v1. Default: the usual one of its kind, where it has one.
      --api-key-stdin      Read the key from standard input; at a terminal you are asked for it.
      --api-key-env NAME   Take it from this variable of the environment.
      --api-version V      Of Azure OpenAI. Instead of a key, Azure takes tokens of Microsoft Entra:
      --entra-tenant ID, --entra-client ID, and one of --entra-secret-stdin, --entra-secret-env NAME
                           and --entra-token-file FILE
      --expose WHAT        Which of its models can be called by their names there: all, none
                           (default), or a,b,c. Others need a route (\`parlance help route\`).
      --input USD          What a million tokens of exposed models cost that have no other price;
                           --cached-input USD, --output USD. Zero is a price.
      --ca-file FILE       Certificate authorities (PEM) beside the usual ones.
      --cert-file FILE, --key-file FILE
                           What it is shown: mutual TLS.
      --refresh SPAN       How often its list of models is read: 10m (default), 1h; 0s: never.
  upstream set NAME        The same options, on one that is there; \`none\` takes a setting away.
  upstream list            All of them, and how they are.
  upstream show NAME       One, with its models.
  upstream test NAME       Try it step by step; exit code 1 when something failed.
      --model M            With a chat of a few tokens, which the upstream may charge. Default: a model
                           that is exposed by name, or that a route leads to.
  upstream rm NAME         Remove it. Running requests to it end.

  With each: --json, --data-dir FOLDER.
`

/** In lines of help. */
function kinds(): string {
  return kindNames.join(', ').replace(/(.{50,66}), /g, '$1,\n                           ')
}

const setOptions = {
  ...({ kind: 'text', 'base-url': 'text', 'api-key': 'text', 'api-key-stdin': 'flag', 'api-key-env': 'text' } as const),
  ...({ 'api-version': 'text', 'entra-tenant': 'text', 'entra-client': 'text', 'entra-secret-stdin': 'flag' } as const),
  ...({ 'entra-secret-env': 'text', 'entra-token-file': 'text', expose: 'text', refresh: 'text' } as const),
  ...({ input: 'text', 'cached-input': 'text', output: 'text' } as const),
  ...({ 'ca-file': 'text', 'cert-file': 'text', 'key-file': 'text' } as const),
}
type SetOptions = typeof setOptions

export const run = command(
  'upstream',
  {
    list: verb({ of: 'server', run: list }),
    add: verb({ takes: ['NAME'], options: setOptions, of: 'server', run: add }),
    set: verb({ takes: ['NAME'], options: setOptions, of: 'server', run: set }),
    show: verb({ takes: ['NAME'], of: 'server', run: show }),
    test: verb({ takes: ['NAME'], options: { model: 'text' }, of: 'server', run: test }),
    rm: verb({ takes: ['NAME'], of: 'server', run: remove }),
  },
  'list',
)

async function add(told: Told<SetOptions>): Promise<void> {
  const {
    call,
    print,
    note,
    words: [name = ''],
  } = told
  const settings = await settingsAsked(told)
  for (const [field, value] of Object.entries(settings))
    if (value === null) throw new UsageError(`There is no '${field}' to take away from an upstream that is new.`)
  if (settings.kind === undefined && settings.base_url === undefined)
    throw new UsageError(
      'Where is it? Name its --base-url, such as http://127.0.0.1:8000/v1, or a --kind that has a usual address, such as openai.',
    )
  await call('operator.upstreams.create', { body: { name, ...settings }, reply: Upstream })
  const trial = await watched(`Asking ${name}`, () => tested(call, name, undefined))
  const made = await call('operator.upstreams.retrieve', { params: { upstream: name }, reply: Upstream })
  print(made, () => shown([made]))
  const failed = trial.steps.filter(({ ok }) => ok === false)
  for (const { detail } of failed) note(plain(detail))
  const listed = trial.steps.find(step => step.name === 'models' && step.ok === true)
  if (listed !== undefined) note(`It answers. ${plain(listed.detail)}`)
  note(
    failed.length > 0
      ? `It is added all the same. \`parlance upstream test ${name}\` tries it again.`
      : nextStep(name, made),
  )
}

const nextStep = (name: string, { expose = 'none' }: Upstream): string =>
  expose === 'none'
    ? `Next: \`parlance route add MODEL --to ${name}\`, or \`parlance upstream set ${name} --expose all\`.`
    : `Next: \`parlance upstream test ${name} --model MODEL\` tries a chat.`

async function set(told: Told<SetOptions>): Promise<void> {
  const {
    call,
    print,
    words: [name = ''],
  } = told
  const changes = await settingsAsked(told)
  if (Object.keys(changes).length === 0)
    throw new UsageError(
      'What shall be another? Name it, such as --expose all. `parlance help upstream` lists all options.',
    )
  const params = { upstream: name }
  const made = await known(name, call('operator.upstreams.update', { params, body: changes, reply: Upstream }))
  print(made, () => shown([made]))
}

type Value = string | number | object | null

/** The options as the API calls them; null: to be taken away. */
async function settingsAsked(told: Told<SetOptions>): Promise<Record<string, Value>> {
  const { text } = told
  if (text('api-key') !== undefined)
    throw new UsageError(
      'A key as an argument would stand in the history of the shell: use --api-key-stdin, or --api-key-env with the name of a variable.',
    )
  const settings: Record<string, Value> = {}
  const put = (field: string, value: string | undefined, read: (value: string) => Value = same) => {
    if (value !== undefined) settings[field] = value === 'none' ? null : read(value)
  }
  put('kind', text('kind'), kind => choice('--kind', kind, kindNames))
  put('base_url', text('base-url'))
  put('api_version', text('api-version'))
  for (const file of ['ca', 'cert', 'key'] as const) put(`${file}_file`, text(`${file}-file`), path => resolve(path))
  put('models_refresh_ms', text('refresh'), refresh => span('--refresh', refresh))
  const expose = text('expose')
  if (expose !== undefined) settings.expose = exposed(expose)
  const price = priceAsked(text)
  if (price !== undefined) settings.price = price
  const entra = await entraAsked(told)
  if (entra !== undefined) settings.entra = entra
  const source = { stdin: told.flag('api-key-stdin'), env: text('api-key-env') }
  if (source.env === 'none') settings.api_key = null
  else put('api_key', await secretFrom(source, 'API key', '--api-key'))
  return settings
}

const same = (value: string): string => value

function exposed(text: string): string | string[] {
  if (text === 'all' || text === 'none') return text
  const names = words([text]) ?? []
  if (names.length === 0) throw new UsageError('--expose is all, none, or names of models such as gpt-4o,gpt-4.')
  return names
}

/** @returns null: to be taken away */
export function priceAsked(text: (name: 'input' | 'cached-input' | 'output') => string | undefined) {
  const [input, cached, output] = [text('input'), text('cached-input'), text('output')]
  if (input === 'none') return null
  if (input === undefined) {
    if (cached !== undefined || output !== undefined)
      throw new UsageError('A price needs --input beside --output and --cached-input; 0 makes it free.')
    return undefined
  }
  return {
    input: usd('--input', input),
    ...(cached !== undefined && { cached_input: usd('--cached-input', cached) }),
    ...(output !== undefined && { output: usd('--output', output) }),
  }
}

async function entraAsked({ text, flag }: Told<SetOptions>): Promise<object | null | undefined> {
  const [tenant, client, file] = [text('entra-tenant'), text('entra-client'), text('entra-token-file')]
  if (tenant === 'none') return null
  const source = { stdin: flag('entra-secret-stdin'), env: text('entra-secret-env') }
  if (source.stdin && flag('api-key-stdin'))
    throw new UsageError('Standard input holds one secret: take the other from the environment.')
  const secret = await secretFrom(source, 'client secret', '--entra-secret')
  if ([tenant, client, file, secret].every(one => one === undefined)) return undefined
  if (tenant === undefined || client === undefined || (secret === undefined) === (file === undefined))
    throw new UsageError(
      'Microsoft Entra needs --entra-tenant, --entra-client, and one of --entra-secret-stdin, --entra-secret-env and --entra-token-file.',
    )
  return {
    ...{ tenant_id: tenant, client_id: client },
    ...(secret !== undefined && { client_secret: secret }),
    ...(file !== undefined && { token_file: resolve(file) }),
  }
}

async function list({ call, print }: Told): Promise<void> {
  const data = await everyItem(call, 'operator.upstreams.list', { reply: UpstreamList, itemsOf: page => page })
  print(data, () =>
    data.length === 0 ? 'No upstreams. `parlance upstream add NAME --base-url URL` adds one.\n' : shown(data),
  )
}

const shown = (upstreams: readonly Upstream[]): string =>
  table([['NAME', 'KIND', 'ADDRESS', 'FROM', 'MODELS', 'EXPOSES', 'HEALTH', 'CHECKED'], ...upstreams.map(row)])

const row = ({ name, kind, base_url: address, source, models, expose = 'none', health }: Upstream): string[] => [
  plain(name),
  kind,
  plain(address),
  source === 'file' ? 'parlance.yaml' : 'here',
  models === null ? '' : String(models),
  plain(Array.isArray(expose) ? expose.join(',') : expose),
  health.state === 'ready' && health.latency_ms !== null ? `ready, ${health.latency_ms} ms` : health.state,
  minute(health.checked_at),
]

async function show({ call, print, words: [name = ''] }: Told): Promise<void> {
  const params = { upstream: name }
  const upstream = await known(name, call('operator.upstreams.retrieve', { params, reply: Upstream }))
  const models = await watched(`Asking ${name}`, () =>
    call('operator.upstreams.models', { params, reply: UpstreamModelList }),
  )
  print({ ...upstream, model_list: models.data.map(({ id }) => id) }, () => {
    const { object: _, models: count, health, ...settings } = upstream
    const rows = Object.entries(settings).flatMap(([field, value]) =>
      value === null || value === undefined ? [] : [[field.replaceAll('_', ' '), inWords(field, value)]],
    )
    const detail = health.detail ?? models.detail
    rows.push(['health', `${health.state}${detail === null ? '' : `: ${plain(detail)}`}`])
    rows.push(['models', count === null && models.data.length === 0 ? 'not known' : String(models.data.length)])
    return table(rows) + models.data.map(({ id, exposed: is }) => `  ${plain(id)}${is ? '  (exposed)' : ''}\n`).join('')
  })
}

function inWords(field: string, value: unknown): string {
  if (field === 'created_at' && typeof value === 'number') return minute(value)
  if (field === 'price' && typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([name, amount]) => `${name.replaceAll('_', ' ')} ${dollars(Number(amount))}`)
      .join(', ')
  if (Array.isArray(value)) return plain(value.join(', '))
  return plain(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

async function test({ call, text, print, note, words: [name = ''] }: Told<{ model: 'text' }>): Promise<void> {
  const trial = await known(
    name,
    watched(`Trying ${name}`, () => tested(call, name, text('model'))),
  )
  print(trial, () =>
    table([
      ['STEP', '', 'MS', ''],
      ...trial.steps.map(step => [
        step.name,
        step.ok === null ? '-' : step.ok ? 'ok' : 'failed',
        step.ms === null ? '' : String(step.ms),
        plain(step.detail),
      ]),
    ]),
  )
  if (trial.ok) return note(`${plain(name)} works${trial.model === null ? ', as far as it was tried' : ''}.`)
  const failed = trial.steps.filter(({ ok }) => ok === false).map(step => step.name)
  throw new Refused(`${plain(name)} does not work yet: ${failed.join(', ')} failed.`, 502)
}

const tested = (call: Call, name: string, model: string | undefined): Promise<UpstreamTest> =>
  call('operator.upstreams.test', {
    params: { upstream: name },
    body: model === undefined ? {} : { model },
    reply: UpstreamTest,
  })

async function remove({ call, print, words: [name = ''] }: Told): Promise<void> {
  const params = { upstream: name }
  const gone = await known(name, call('operator.upstreams.delete', { params, reply: UpstreamDeleted }))
  print(gone, () => `Removed ${plain(name)}.\n`)
}

/** Says that it goes on, where somebody watches. */
async function watched<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const progress = new Progress(elapsedMs => `${plain(what)}: ${Math.round(elapsedMs / 1000)} s`)
  try {
    return await work()
  } finally {
    progress.end()
  }
}

/** @throws UsageError for an upstream that there is not */
async function known<Result>(name: string, work: Promise<Result>): Promise<Result> {
  return work.catch((error: unknown) => {
    if (error instanceof Refused && error.status === 404)
      throw new UsageError(`There is no upstream '${plain(name)}'. \`parlance upstream list\` shows them.`)
    throw error
  })
}
