import { mkdir, stat } from 'node:fs/promises'
import type { Dispatcher } from 'undici'
import { checkGguf, type ModelFile } from '../../gguf/check.ts'
import { inWords } from '../../lib/bytes.ts'
import { isSplit, modelPath } from '../folder.ts'
import { download, type Helpers, Unusable } from './download.ts'
import { Break, type Exchange, getJson } from './exchange.ts'
import { type Room, refuseUnfit } from './fit.ts'
import { type Known, Part } from './part.ts'
import { chooseFile, filesOf, lastStep, nameFor, parseSource, printable } from './source.ts'

export { systemRoom } from './fit.ts'

export interface PullOptions {
  /** `OWNER/REPOSITORY[:FILE or quantisation]`, or an https address. */
  source: string
  /** What the model is called here; by default as its file. */
  name?: string
  /** Where models lie; made when it is not there. */
  folder: string
  hubUrl: string
  hubToken?: string
  /** Pulls what does not fit, too. */
  force: boolean
  dispatcher: Dispatcher
  room: Room
  version: string
  /** Without a byte for so long, a connection counts as broken; 30 s. */
  idleMs?: number
  signal: AbortSignal
  pid: number
  wait: Helpers['wait']
  note: Helpers['note']
  reached: Helpers['reached']
}

export interface Pulled {
  name: string
  file: string
  sizeBytes: number
  model: ModelFile
  /** Whether there was a checksum to compare with. */
  verified: boolean
}

/**
 * Fetches a GGUF model into the folder. A break is taken up where it was, also by a later call; the file appears under its name only
 * when it is complete, its checksum is right and our reader accepts it.
 * @throws Error in words for the operator; the signal's reason when it was aborted, after which a later call goes on
 */
export async function pull(options: PullOptions): Promise<Pulled> {
  const exchange = exchangeOf(options)
  const wanted = await find(options, exchange)
  const name = options.name ?? nameFor(wanted.path)
  const file = modelPath(options.folder, name)
  if ((await stat(file).catch(() => undefined)) !== undefined)
    throw new Error(
      `There is a model '${name}' already. Remove it first (\`parlance models rm ${name}\`), or give this one another name with --name.`,
    )
  await mkdir(options.folder, { recursive: true, mode: 0o700 })
  const part = await Part.open(`${file}.part`, wanted.known, options.pid)
  const sized = part.known.sizeBytes === undefined ? '' : `, ${inWords(part.known.sizeBytes)}`
  options.note(
    `${printable(wanted.path)}${sized}, as ${name}${part.haveBytes > 0 ? `: going on after ${inWords(part.haveBytes)}` : ''}`,
  )
  try {
    await download(wanted.url, part, {
      ...options,
      exchange,
      async fits(sizeBytes, haveBytes) {
        if (options.force) return
        await refuseUnfit({ name, sizeBytes, haveBytes, folder: options.folder }, options.room)
      },
    })
    return await finish(part, name, file)
  } catch (error) {
    if (error instanceof Unusable || part.haveBytes === 0) await part.end()
    else await part.keep()
    throw error
  }
}

function exchangeOf({ hubUrl, hubToken, dispatcher, version, idleMs = 30_000, signal }: PullOptions): Exchange {
  const token = hubToken?.trim()
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new Error('The token of the hub holds characters that no token has: check PARLANCE_HUB_TOKEN and HF_TOKEN.')
  const hub = new URL(hubUrl)
  if (hub.username !== '' || hub.password !== '')
    throw new Error('hub_url must not hold a name and password: use hub_token.')
  return { hub, token, dispatcher, userAgent: `parlance/${version}`, idleMs, signal }
}

interface Wanted {
  url: URL
  path: string
  known: Known
}

async function find({ source, wait, note, signal }: PullOptions, exchange: Exchange): Promise<Wanted> {
  const { hub } = exchange
  const asked = parseSource(source, hub)
  if (asked.kind === 'address') {
    const { url } = asked
    const path = lastStep(decoded(url.pathname))
    if (isSplit(path))
      throw new Error(`${printable(path)} is one part of a model in several files, which are not supported.`)
    const known = { source: `${url.origin}${url.pathname}`, etag: undefined, sha256: undefined, sizeBytes: undefined }
    return { url, path, known }
  }
  const where = `${asked.owner}/${asked.repository}`
  const base = hub.href.replace(/\/+$/, '')
  const about = () => getJson(new URL(`${base}/api/models/${where}?blobs=true`), where, exchange)
  const { revision, files } = filesOf(await twice(about, { wait, note, signal }))
  const { path, sizeBytes, sha256 } = chooseFile(files, asked.wish, where)
  const steps = path.split('/').map(encodeURIComponent).join('/')
  return {
    url: new URL(`${base}/${where}/resolve/${revision}/${steps}`),
    path,
    known: { source: `${base}/${where}:${path}`, etag: undefined, sha256, sizeBytes },
  }
}

/** A second try for what may pass. */
async function twice<Result>(
  work: () => Promise<Result>,
  { wait, note, signal }: Pick<PullOptions, 'wait' | 'note' | 'signal'>,
) {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Break)) throw error
    note(`${error.message} Trying again in 1 s.`)
    await wait(1000, signal)
    return await work()
  }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

async function finish(part: Part, name: string, file: string): Promise<Pulled> {
  const { sha256 } = part.known
  const { haveBytes: sizeBytes } = part
  await part.sync()
  const digest = part.digest()
  if (sha256 !== undefined && digest !== sha256)
    throw new Unusable(
      `The checksum of ${name} is wrong: ${sha256} was promised, ${digest} has come. It was removed; pull it again.`,
    )
  let model: ModelFile
  try {
    model = await checkGguf(part.path)
  } catch (error) {
    throw new Unusable(error instanceof Error ? error.message : 'Not a usable GGUF model.', { cause: error })
  }
  await part.end(file)
  return { name, file, sizeBytes, model, verified: sha256 !== undefined }
}
