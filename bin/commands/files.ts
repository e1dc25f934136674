import { createWriteStream } from 'node:fs'
import { link, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { inWords } from '../../src/lib/bytes.ts'
import { retrieveFileContent } from '../../src/operations/files/content.ts'
import { createFile } from '../../src/operations/files/create.ts'
import { FileDeleted, FileList, FileObject, uploadPurposes } from '../../src/wire/files.ts'
import { withCalls } from '../calling.ts'
import { howFast, Lines, Progress } from '../progress.ts'
import { UsageError } from '../run.ts'
import { configHere } from '../surroundings.ts'
import { table } from '../table.ts'
import { fetchContent, sendFile } from '../transfer.ts'
import { choice, minute, plain, span } from '../values.ts'
import { command, everyItem, verb } from '../verbs.ts'

export const help = `parlance files: what programs have stored, for batches, assistants, fine-tuning ...

  files list               The files of the organisation's default project, the newest first.
      --purpose WHAT       Only those for ${uploadPurposes.join(', ')},
                           assistants_output, batch_output or fine-tune-results.
  files upload PATH        Store a file.
      --purpose WHAT       What it is for. Default: user_data, and batch for *.jsonl.
      --name NAME          What it is called. Default: as it is called here.
      --expires SPAN       It is deleted after so long: 1h to 30d.
  files show ID            What is known of a file.
  files download ID        Write its content to a file of its name in this folder,
      --output PATH        or to this one; - is standard output.
      --force              Also over a file that is there.
  files rm ID              Delete a file.

  With each: --json, --organization NAME, --data-dir FOLDER.
`

const everywhere = {
  'data-dir': { type: 'string' },
  organization: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

export const run = command(
  'files',
  {
    list: verb({
      options: { purpose: 'text' },
      async run({ call, text, print }) {
        const files = await everyItem(call, 'files.list', {
          reply: FileList,
          query: { purpose: text('purpose') },
          itemsOf: page => page,
        })
        print(files, () => table([['ID', 'NAME', 'SIZE', 'PURPOSE', 'CREATED', 'EXPIRES'], ...files.map(row)]))
      },
    }),
    upload: { run: upload },
    show: verb({
      takes: ['ID'],
      async run({ call, words: [id = ''], print }) {
        const file = await call('files.retrieve', { params: { file_id: id }, reply: FileObject })
        print(file, () => table(facts(file)))
      },
    }),
    download: { run: download },
    rm: verb({
      takes: ['ID'],
      async run({ call, words: [id = ''], print }) {
        const deleted = await call('files.delete', { params: { file_id: id }, reply: FileDeleted })
        print(deleted, () => `Deleted ${id}.\n`)
      },
    }),
  },
  'list',
)

const row = ({ id, filename, bytes, purpose, created_at, expires_at }: FileObject) => [
  ...[id, plain(filename), inWords(bytes), purpose],
  ...[minute(created_at), minute(expires_at ?? null)],
]

const facts = ({ id, filename, bytes, purpose, created_at, expires_at }: FileObject) => [
  ['id', id],
  ['name', plain(filename)],
  ['size', inWords(bytes)],
  ['purpose', purpose],
  ['created', minute(created_at)],
  ['expires', expires_at === undefined ? 'never' : minute(expires_at)],
]

async function upload(name: string, args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...everywhere, purpose: { type: 'string' }, name: { type: 'string' }, expires: { type: 'string' } },
  })
  const [path, ...more] = positionals
  if (path === undefined || more.length > 0) throw new UsageError(`Use it so: \`parlance ${name} PATH\`.`)
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile() !== true) throw new UsageError(`There is no file ${path}.`)
  const usual = path.endsWith('.jsonl') ? 'batch' : 'user_data'
  const purpose = choice('--purpose', values.purpose ?? usual, uploadPurposes)
  const seconds = values.expires === undefined ? undefined : span('--expires', values.expires) / 1000
  const shown = showing(found.size)
  try {
    const file = await sendFile(configHere({ data_dir: values['data-dir'] }), createFile, {
      ...{ path, sizeBytes: found.size, filename: values.name ?? basename(path), organization: values.organization },
      fields: {
        purpose,
        ...(seconds !== undefined && {
          'expires_after[anchor]': 'created_at',
          'expires_after[seconds]': String(seconds),
        }),
      },
      values: { purpose, ...(seconds !== undefined && { expires_after: { anchor: 'created_at', seconds } }) },
      reply: FileObject,
      reached: shown.reached,
    })
    shown.end()
    const sentence = `Uploaded ${plain(file.filename)} (${inWords(file.bytes)}) for ${file.purpose}: ${file.id}\n`
    process.stdout.write(values.json ? `${JSON.stringify(file, undefined, 2)}\n` : sentence)
  } finally {
    shown.end()
  }
}

async function download(name: string, args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...everywhere, output: { type: 'string' }, force: { type: 'boolean', default: false } },
  })
  const [id, ...more] = positionals
  if (id === undefined || more.length > 0) throw new UsageError(`Use it so: \`parlance ${name} ID\`.`)
  const config = configHere({ data_dir: values['data-dir'] })
  const { organization } = values
  const params = { file_id: id }
  const file = await withCalls(config, organization, call => call('files.retrieve', { params, reply: FileObject }))
  const to = values.output ?? localName(file)
  const shown = showing(file.bytes)
  try {
    await fetchContent(config, retrieveFileContent, { params, organization, reached: shown.reached }, bytes =>
      to === '-' ? pipeline(bytes, process.stdout, { end: false }) : written(bytes, to, values.force),
    )
  } finally {
    shown.end()
  }
  if (to === '-') return
  const sentence = `Downloaded ${inWords(file.bytes)} to ${plain(to)}.\n`
  process.stdout.write(values.json ? `${JSON.stringify(file, undefined, 2)}\n` : sentence)
}

/** A name that leads nowhere else, whatever the file was called. */
function localName({ filename, id }: FileObject): string {
  const name = basename(filename)
  return /^(?:\.{0,2}|-.*)$/.test(name) ? id : join('.', name)
}

/** The file appears under its name when it is whole. */
async function written(bytes: AsyncIterable<Uint8Array>, to: string, force: boolean): Promise<void> {
  const there = () => new UsageError(`${to} is there already. --force replaces it, --output names another file.`)
  if (!force && (await stat(to).catch(() => undefined)) !== undefined) throw there()
  const part = `${to}.${process.pid}.part`
  try {
    await pipeline(bytes, createWriteStream(part, { flags: 'wx' }))
    if (force) await rename(part, to)
    else
      await link(part, to).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'EEXIST' ? there() : error
      })
  } finally {
    await rm(part, { force: true })
  }
}

/** What takes more than two seconds shows how far it is. */
function showing(sizeBytes: number): { reached(bytes: number): void; end(): void } {
  const startedMs = performance.now()
  let done = 0
  const says = (elapsedMs: number) => howFast({ done, total: sizeBytes, before: 0, elapsedMs })
  const progress = process.stderr.isTTY ? new Progress(says) : new Lines()
  return {
    reached(bytes) {
      done = bytes
      if (progress instanceof Lines && performance.now() - startedMs > 2000) progress.reached(bytes, sizeBytes)
    },
    end: () => progress.end(),
  }
}
