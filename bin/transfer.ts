import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { Static, TSchema } from 'typebox'
import { request } from 'undici'
import type { Config } from '../src/config.ts'
import { systemClock } from '../src/lib/clock.ts'
import { Fault } from '../src/lib/faults.ts'
import { terminal } from '../src/platform/audit.ts'
import { announced } from '../src/platform/control.ts'
import { execute } from '../src/platform/execute.ts'
import { takeForm } from '../src/platform/forms.ts'
import type { FormOperation, Operation } from '../src/platform/operation.ts'
import { lockDataDir } from '../src/store/store.ts'
import { fits } from '../src/wire/check.ts'
import { isRecord } from '../src/wire/walk.ts'
import { Refused } from './run.ts'
import { openHere } from './surroundings.ts'

/* Files that go through an operation as streams: through the server that runs on the data folder, or in this process when none runs. */

/** A file of this machine on its way in. */
export interface Sending<Reply extends TSchema> {
  path: string
  sizeBytes: number
  filename: string
  fields: Readonly<Record<string, string>>
  /** The same fields as the operation's schema has them. */
  values: Record<string, unknown>
  organization: string | undefined
  reply: Reply
  reached(bytes: number): void
}

/** Content on its way out. */
export interface Fetching {
  params: Readonly<Record<string, string>>
  organization: string | undefined
  reached(bytes: number): void
}

type Take = (bytes: AsyncIterable<Uint8Array>) => Promise<void>

const silentMs = 120_000
const boundary = '----parlance-command-7d3c1f0a9b2e4856'

/** @throws Refused with the server's own words */
export async function sendFile<Reply extends TSchema>(
  config: Config,
  operation: FormOperation,
  sending: Sending<Reply>,
): Promise<Static<Reply>> {
  const server = announced(config.data_dir)
  const sent = server === undefined ? undefined : await sendToServer(server, operation, sending)
  const value = sent ?? (await sendHere(config, operation, sending))
  if (fits(sending.reply, value)) return value
  throw new Error(`${operation.id} does not answer as its schema says.`)
}

/**
 * The content that an operation answers with, while `take` takes it.
 * @throws Refused with the server's own words
 */
export async function fetchContent(
  config: Config,
  operation: Operation,
  fetching: Fetching,
  take: Take,
): Promise<void> {
  const server = announced(config.data_dir)
  const counted: Take = bytes => take(countedBytes(bytes, fetching.reached))
  if (server !== undefined && (await fetchFromServer(server, operation, fetching, counted))) return
  await fetchHere(config, operation, fetching, counted)
}

interface Server {
  url: string
  secret: string
}

const headersFor = ({ secret }: Server, organization: string | undefined) => ({
  authorization: `Bearer ${secret}`,
  ...(organization !== undefined && { 'openai-organization': organization }),
})

/** @returns undefined when no server is there after all */
async function sendToServer(server: Server, operation: FormOperation, sending: Sending<TSchema>): Promise<unknown> {
  const { fields, filename, sizeBytes } = sending
  const part = (head: string) => `--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n\r\n`
  const texts = Object.entries(fields).map(([name, value]) => `${part(`name="${name}"`)}${value}\r\n`)
  const name = filename.replaceAll(/[\r\n]/g, '_').replaceAll(/["\\]/g, '\\$&')
  const before = Buffer.from(`${texts.join('')}${part(`name="${operation.form.file}"; filename="${name}"`)}`)
  const after = Buffer.from(`\r\n--${boundary}--\r\n`)
  const answer = await request(server.url + operation.path, {
    method: operation.method,
    headers: {
      ...headersFor(server, sending.organization),
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(before.length + sizeBytes + after.length),
    },
    body: Readable.from(joined(before, fileBytes(sending), after)),
    headersTimeout: 0, // the answer comes when all is checked and on the disk
    bodyTimeout: silentMs,
  }).catch(unreachable(server))
  if (answer === undefined || answer.statusCode === 401) {
    await answer?.body.dump()
    return undefined
  }
  const value: unknown = await answer.body.json()
  if (answer.statusCode !== 200) throw refusal(value, answer.statusCode)
  return value
}

async function fetchFromServer(
  server: Server,
  operation: Operation,
  { params, organization }: Fetching,
  take: Take,
): Promise<boolean> {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const answer = await request(server.url + path, {
    method: operation.method,
    headers: headersFor(server, organization),
    bodyTimeout: silentMs,
  }).catch(unreachable(server))
  if (answer === undefined || answer.statusCode === 401) {
    await answer?.body.dump()
    return false
  }
  if (answer.statusCode !== 200) throw refusal(await answer.body.json(), answer.statusCode)
  await take(answer.body)
  return true
}

/** Holds the data folder meanwhile: a server that starts sweeps away what belongs to nobody it knows. */
async function sendHere(config: Config, operation: FormOperation, sending: Sending<TSchema>): Promise<unknown> {
  const lock = lockDataDir(config.data_dir, systemClock)
  try {
    const here = await openHere(config, { lock })
    try {
      const caller = await here.keys.operator(sending.organization)
      const source = {
        read: async (_: unknown, take: (file: { filename: string; bytes: AsyncIterable<Buffer> }) => Promise<void>) => {
          await take({ filename: sending.filename, bytes: fileBytes(sending) })
          return sending.values
        },
      }
      const form = await takeForm(operation, source, { caller, params: {} }, here.services)
      try {
        const asked = { ...around(), body: form.fields, file: form.file, params: {}, caller }
        const reply = await execute(operation, asked, here.services)
        return reply.kind === 'json' ? reply.value : undefined
      } finally {
        await form.discard()
      }
    } finally {
      await here.close()
    }
  } catch (error) {
    throw known(error)
  } finally {
    lock.release()
  }
}

async function fetchHere(config: Config, operation: Operation, asking: Fetching, take: Take): Promise<void> {
  const here = await openHere(config)
  try {
    const caller = await here.keys.operator(asking.organization)
    const asked = { ...around(), body: undefined, params: { ...asking.params }, caller }
    const reply = await execute(operation, asked, here.services).catch((error: unknown) => {
      throw known(error)
    })
    if (reply.kind !== 'content') throw new Error(`${operation.id} answers no content.`)
    await take(reply.bytes).finally(() => reply.close())
  } finally {
    await here.close()
  }
}

const around = () => ({
  bytes: 0,
  query: {},
  from: terminal,
  signal: new AbortController().signal, // the command ends with its process
  wants: 'values' as const,
})

async function* fileBytes({ path, reached }: Sending<TSchema>): AsyncGenerator<Buffer> {
  yield* countedBytes(createReadStream(path, { highWaterMark: 262_144 }), reached)
}

async function* countedBytes<Piece extends Uint8Array>(
  bytes: AsyncIterable<Piece>,
  reached: (bytes: number) => void,
): AsyncGenerator<Piece> {
  let count = 0
  for await (const piece of bytes) {
    yield piece
    count += piece.length
    reached(count)
  }
}

async function* joined(before: Buffer, bytes: AsyncIterable<Buffer>, after: Buffer): AsyncGenerator<Buffer> {
  yield before
  yield* bytes
  yield after
}

const unreachable =
  ({ url }: Server) =>
  (error: unknown) => {
    if (isRecord(error) && error.code === 'ECONNREFUSED') return undefined // it was killed, and could not take its address back
    throw new Error(`The server at ${url} does not answer.`, { cause: error })
  }

function refusal(value: unknown, status: number): Error {
  const { error } = isRecord(value) ? value : {}
  const says = isRecord(error) && typeof error.message === 'string' ? error.message : `Status ${status}.`
  return new Refused(says.replaceAll(/\p{Cc}/gu, '?').slice(0, 1000), status)
}

const known = (error: unknown): unknown =>
  error instanceof Fault && error.status < 500 ? new Refused(error.message, error.status) : error
