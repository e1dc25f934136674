import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { request } from 'undici'
import { type Door, openDoor, type Reply } from '../../src/http/door.fixture.ts'
import type { FilesOptions } from '../../src/platform/files/index.ts'

const boundary = 'a-boundary'

/** A part of a form, as clients write it. */
export interface Part {
  name: string
  value: string | Buffer
  filename?: string
  head?: string
}

/** The bytes of a form. */
export function encoded(parts: readonly Part[], { end = true } = {}): Buffer {
  const pieces = parts.flatMap(({ name, value, filename, head = '' }) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"`,
    filename === undefined ? '' : `; filename="${filename}"`,
    `\r\n${head}\r\n`,
    value,
    '\r\n',
  ])
  return Buffer.concat([...pieces, end ? `--${boundary}--\r\n` : ''].map(piece => Buffer.from(piece as string)))
}

export const formType = `multipart/form-data; boundary=${boundary}`

/** A server with a key for its files. */
export async function openFiles(options: FilesOptions = { quotaBytes: 10_000_000, fileBytesMax: 2_000_000 }) {
  const door = await openDoor({}, {}, options)
  const operator = await door.keys.operator()
  const place = { organizationId: operator.organizationId, projectId: operator.projectId, userId: operator.userId }
  const { secret } = await door.keys.create({ name: 'files', place })
  const authorization = { authorization: `Bearer ${secret}` }
  const send = async (path: string, body: Buffer, headers: Record<string, string> = {}): Promise<Reply> => {
    const reply = await request(door.url + path, {
      method: 'POST',
      dispatcher: door.agent,
      headers: { 'content-type': formType, ...authorization, ...headers },
      body,
    })
    const text = await reply.body.text()
    return { status: reply.statusCode, headers: reply.headers, body: JSON.parse(text), cookies: [] }
  }
  const ask = (...[method, path, asked = {}]: Parameters<Door['ask']>) =>
    door.ask(method, path, { ...asked, headers: { ...authorization, ...asked.headers } })
  return {
    ...door,
    owner: place,
    authorization,
    send,
    ask,
    /** Uploads a text. */
    async upload(text: string | Buffer, fields: Record<string, string> = {}, filename = 'a.txt'): Promise<Reply> {
      const more = Object.entries({ purpose: 'assistants', ...fields }).map(([name, value]) => ({ name, value }))
      return send('/v1/files', encoded([...more, { name: 'file', filename, value: text }]))
    },
    /** The content of a file, as it came. */
    async content(id: string) {
      const reply = await request(`${door.url}/v1/files/${id}/content`, {
        dispatcher: door.agent,
        headers: authorization,
      })
      return { status: reply.statusCode, headers: reply.headers, bytes: Buffer.from(await reply.body.arrayBuffer()) }
    },
    /** Every file under the folder of blobs. What is on its way out is waited for. */
    async blobsOnDisk(expected: number): Promise<string[]> {
      for (let look = 0; ; look++) {
        const found = await under(join(door.dataDir, 'blobs'))
        if (found.length === expected || look === 200) return found
        await new Promise(resolve => setImmediate(resolve))
      }
    },
  }
}

export type FilesDoor = Awaited<ReturnType<typeof openFiles>>

async function under(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return found.filter(entry => entry.isFile()).map(entry => entry.name)
}

/** An answer of OpenAI's form, with this status. */
export function assertError({ status, body }: Reply, wanted: number, more: Record<string, unknown> = {}): void {
  assert.equal(status, wanted, JSON.stringify(body))
  assert.deepEqual(Object.keys(body.error).sort(), ['code', 'message', 'param', 'type'])
  for (const [name, value] of Object.entries(more)) assert.equal(body.error[name], value, body.error.message)
}
