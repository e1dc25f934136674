import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Config } from '../../src/config.ts'
import { createFile } from '../../src/operations/files/create.ts'
import { announced } from '../../src/platform/control.ts'
import { Batch, BatchList } from '../../src/wire/batches.ts'
import { FileObject } from '../../src/wire/files.ts'
import { isRecord } from '../../src/wire/walk.ts'
import { type Call, withCalls } from '../calling.ts'
import { howMany, Lines, Progress } from '../progress.ts'
import { Refused, UsageError } from '../run.ts'
import { configHere } from '../surroundings.ts'
import { table } from '../table.ts'
import { sendFile } from '../transfer.ts'
import { minute, plain, span } from '../values.ts'
import { command, everyItem, verb } from '../verbs.ts'

export const help = `parlance batches: files of requests that are worked off within a day, at a lower price

  batches create FILE      Start one: FILE is a file here (JSON lines, one request each), or the id of
                           one that was uploaded with the purpose batch.
      --endpoint PATH      Where its requests go. Default: as the first line of a file here says.
      --metadata KEY=VALUE Kept with it; several times for several.
      --expires SPAN       The files with the results are deleted after so long: 1h to 30d.
      --watch              Then as with watch.
  batches list             The batches of the organisation's default project, the newest first.
  batches show ID          How far one is, and what was wrong with its input.
  batches watch ID         Wait for its end, and show how far it is meanwhile. Exit code 1 when it did
                           not complete.
  batches cancel ID        End one. What was answered until then is in its files.

  The results are files: \`parlance files download ID\`. With each: --json, --organization NAME,
  --data-dir FOLDER.
`

const everywhere = {
  'data-dir': { type: 'string' },
  organization: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

export const run = command(
  'batches',
  {
    create: { run: create },
    list: verb({
      async run({ call, print }) {
        const batches = await everyItem(call, 'batches.list', { reply: BatchList, itemsOf: page => page })
        print(batches, () =>
          table([['ID', 'STATUS', 'DONE', 'FAILED', 'ENDPOINT', 'MODEL', 'CREATED'], ...batches.map(row)]),
        )
      },
    }),
    show: verb({
      takes: ['ID'],
      async run({ call, words: [id = ''], print }) {
        const batch = await call('batches.retrieve', { params: { batch_id: id }, reply: Batch })
        print(batch, () => shown(batch))
      },
    }),
    watch: { run: watch },
    cancel: verb({
      takes: ['ID'],
      async run({ call, words: [id = ''], print }) {
        const batch = await call('batches.cancel', { params: { batch_id: id }, reply: Batch })
        print(batch, () => `${id} is ${batch.status}.\n`)
      },
    }),
  },
  'list',
)

const doneOf = ({ request_counts: { completed, failed } }: Batch): number => completed + failed

const row = (batch: Batch) => [
  ...[batch.id, batch.status, `${doneOf(batch)}/${batch.request_counts.total}`, String(batch.request_counts.failed)],
  ...[plain(batch.endpoint), plain(batch.model ?? ''), minute(batch.created_at)],
]

/** As many problems of an input as a screen takes. */
const problemsMax = 20

function shown(batch: Batch): string {
  const { request_counts: counts, usage, errors } = batch
  const facts: [string, string | null][] = [
    ['id', batch.id],
    ['status', batch.status],
    ['requests', `${counts.total}: ${counts.completed} completed, ${counts.failed} failed`],
    ['tokens', `${usage.input_tokens} in, ${usage.output_tokens} out`],
    ['endpoint', plain(batch.endpoint)],
    ['model', batch.model === undefined ? null : plain(batch.model)],
    ['input', batch.input_file_id],
    ['output', batch.output_file_id],
    ['errors', batch.error_file_id],
    ['created', minute(batch.created_at)],
    ['ended', minute(batch.completed_at ?? batch.failed_at ?? batch.expired_at ?? batch.cancelled_at)],
    ...Object.entries(batch.metadata ?? {}).map(([key, value]): [string, string] => [plain(key), plain(value)]),
  ]
  const known = facts.flatMap(([name, value]) => (value === null || value === '' ? [] : [[name, value]]))
  const problems = errors?.data ?? []
  const told = problems.slice(0, problemsMax).map(problem => `${sentenceOf(problem)}\n`)
  const more = problems.length > told.length ? `and ${problems.length - told.length} more\n` : ''
  return table(known) + told.join('') + more
}

const sentenceOf = ({ line, message }: { line: number | null; message: string }): string =>
  `${line === null ? '' : `line ${line}: `}${plain(message)}`

async function create(name: string, args: string[]): Promise<void> {
  const { values, positionals } = parsed(name, args, 'FILE', {
    ...{ endpoint: { type: 'string' }, metadata: { type: 'string', multiple: true }, expires: { type: 'string' } },
    watch: { type: 'boolean', default: false },
  })
  const config = configHere({ data_dir: text(values['data-dir']) })
  const organization = text(values.organization)
  const asked = {
    completion_window: '24h',
    metadata: metadataOf(values.metadata),
    output_expires_after: expiryOf(text(values.expires)),
  }
  const input = await inputOf(positionals[0] ?? '', text(values.endpoint))
  const { path, endpoint } = input
  const input_file_id = path === undefined ? input.id : await uploaded(config, { ...path, organization })
  await withCalls(config, organization, async call => {
    const made = await call('batches.create', { body: { ...asked, input_file_id, endpoint }, reply: Batch })
    const asJson = values.json === true
    if (values.watch === true) return watched(call, made, config, asJson)
    process.stdout.write(asJson ? json(made) : `${made.id}\n`)
    if (!asJson && announced(config.data_dir) === undefined)
      process.stderr.write('It begins when a server runs on this data folder.\n')
  })
}

async function watch(name: string, args: string[]): Promise<void> {
  const { values, positionals } = parsed(name, args, 'ID', {})
  const config = configHere({ data_dir: text(values['data-dir']) })
  const organization = text(values.organization)
  await withCalls(config, organization, async call => {
    const params = { batch_id: positionals[0] ?? '' }
    const batch = await call('batches.retrieve', { params, reply: Batch })
    await watched(call, batch, config, values.json === true)
  })
}

/** @throws UsageError unless there is exactly one word beside the options */
function parsed(name: string, args: string[], takes: string, more: NonNullable<ParseArgsConfig['options']>) {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { ...everywhere, ...more } })
  if (positionals.length !== 1) throw new UsageError(`Use it so: \`parlance ${name} ${takes}\`.`)
  const known: Record<string, unknown> = values
  return { values: known, positionals }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

function metadataOf(given: unknown): Record<string, string> | undefined {
  if (!Array.isArray(given)) return undefined
  return Object.fromEntries(
    given.map(String).map(pair => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? []
      if (key === undefined || value === undefined)
        throw new UsageError(`--metadata is KEY=VALUE, such as night=first, not '${pair}'.`)
      return [key, value]
    }),
  )
}

const expiryOf = (given: string | undefined) =>
  given === undefined ? undefined : { anchor: 'created_at', seconds: span('--expires', given) / 1000 }

type Input =
  | { path: { path: string; sizeBytes: number }; endpoint: string }
  | { path?: undefined; id: string; endpoint: string }

/** A file here, or the id of one that was uploaded. */
async function inputOf(word: string, endpoint: string | undefined): Promise<Input> {
  const found = await stat(word).catch(() => undefined)
  if (found?.isFile() === true)
    return { path: { path: word, sizeBytes: found.size }, endpoint: endpoint ?? (await endpointIn(word)) }
  if (!/^file-/.test(word)) throw new UsageError(`There is no file ${word}.`)
  if (endpoint === undefined)
    throw new UsageError('Where do its requests go? Name it, such as --endpoint /v1/chat/completions.')
  return { id: word, endpoint }
}

const unknownEndpoint = (path: string) =>
  new UsageError(`The first line of ${path} is no request with a "url". \`parlance help batches\` says more.`)
const firstLineBytes = 16_777_216

/** What the first request of a file says. */
async function endpointIn(path: string): Promise<string> {
  const bytes = createReadStream(path, { end: firstLineBytes })
  try {
    for await (const line of createInterface({ input: bytes, crlfDelay: Number.POSITIVE_INFINITY })) {
      const written = line.replace(/^\ufeff/, '').trim()
      if (written === '') continue
      const request: unknown = JSON.parse(written)
      if (!isRecord(request) || typeof request.url !== 'string') break
      return request.url
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  } finally {
    bytes.destroy()
  }
  throw unknownEndpoint(path)
}

async function uploaded(
  config: Config,
  { path, sizeBytes, organization }: { path: string; sizeBytes: number; organization: string | undefined },
): Promise<string> {
  const purpose = 'batch'
  const file = await sendFile(config, createFile, {
    ...{ path, sizeBytes, organization, filename: basename(path) },
    ...{ fields: { purpose }, values: { purpose }, reply: FileObject, reached: () => {} },
  })
  return file.id
}

const lookMs = 500
const open: readonly Batch['status'][] = ['validating', 'in_progress', 'finalizing', 'cancelling']

/** Looks at a batch until it has ended. @throws Refused when it has not completed */
async function watched(call: Call, first: Batch, config: Config, asJson: boolean): Promise<void> {
  let batch = first
  const startedMs = performance.now()
  const before = doneOf(first)
  const says = () => sayingOf(batch, { before, elapsedMs: performance.now() - startedMs })
  const progress = process.stderr.isTTY ? new Progress(says) : new Lines(total => `${total} requests`)
  try {
    while (open.includes(batch.status)) {
      if (announced(config.data_dir) === undefined)
        throw new Refused(`No server runs on this data folder: ${batch.id} goes on when one does.`, 503)
      await delay(lookMs)
      batch = await call('batches.retrieve', { params: { batch_id: first.id }, reply: Batch })
      if (progress instanceof Lines && batch.request_counts.total > 0)
        progress.reached(doneOf(batch), batch.request_counts.total)
    }
  } finally {
    progress.end()
  }
  process.stdout.write(asJson ? json(batch) : shown(batch))
  if (batch.status !== 'completed') throw new Refused(`${batch.id} has not completed: it is ${batch.status}.`, 409)
}

function sayingOf(batch: Batch, { before, elapsedMs }: { before: number; elapsedMs: number }): string {
  if (batch.status !== 'in_progress') return batch.status
  return howMany('requests', { done: doneOf(batch), total: batch.request_counts.total, before, elapsedMs })
}
