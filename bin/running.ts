import type { Static, TSchema } from 'typebox'
import { request } from 'undici'
import type { Config } from '../src/config.ts'
import { parseJson } from '../src/lib/json.ts'
import { announced } from '../src/platform/control.ts'
import { fits } from '../src/wire/check.ts'
import { isRecord } from '../src/wire/walk.ts'
import { Refused } from './run.ts'

export interface Question<Reply extends TSchema> {
  method: 'GET' | 'POST' | 'DELETE'
  /** With what is variable in it encoded. */
  path: `/v1/${string}`
  body?: object
  /** Id or slug of the organisation that is meant; the default one if absent. */
  organization?: string | undefined
  reply: Reply
}

const replyBytesMax = 16 * 1024 * 1024
const timeoutMs = 30_000

/**
 * Asks the server that runs on the data folder of these settings, with the rights of the machine's operator; no key is needed.
 * @returns undefined when no server runs
 * @throws Refused with the server's own words; Error when it does not answer like Parlance
 */
export async function askServer<Reply extends TSchema>(
  { data_dir }: Config,
  { method, path, body, organization, reply }: Question<Reply>,
): Promise<Static<Reply> | undefined> {
  const server = announced(data_dir)
  if (server === undefined) return undefined
  const answer = await request(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${server.secret}`,
      ...(body && { 'content-type': 'application/json' }),
      ...(organization !== undefined && { 'openai-organization': organization }),
    },
    ...(body && { body: JSON.stringify(body) }),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  }).catch((error: unknown) => {
    if (isRecord(error) && error.code === 'ECONNREFUSED') return undefined // it was killed, and could not take its address back
    throw new Error(`The server at ${server.url} does not answer.`, { cause: error })
  })
  if (answer === undefined) return undefined
  const value = await read(answer.body, server.url)
  if (answer.statusCode === 200 && fits(reply, value)) return value
  // Another program, or the server of another data folder, has taken the address of one that was killed.
  if (answer.statusCode === 401) return undefined
  const { error } = isRecord(value) ? value : {}
  const says = isRecord(error) && typeof error.message === 'string' ? printable(error.message) : undefined
  if (says !== undefined) throw new Refused(says, answer.statusCode)
  throw new Error(`What listens at ${server.url} does not answer like Parlance (status ${answer.statusCode}).`)
}

async function read(body: AsyncIterable<Buffer>, url: string): Promise<unknown> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > replyBytesMax) throw new Error(`The answer of ${url} is too long.`)
    parts.push(part)
  }
  try {
    return parseJson(Buffer.concat(parts), { maxDepth: 64 })
  } catch {
    return undefined // no JSON: told with everything else that does not fit
  }
}

const printable = (text: string) => text.replaceAll(/\p{Cc}/gu, '?').slice(0, 1000)
