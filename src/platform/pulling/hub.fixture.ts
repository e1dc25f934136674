import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'

/** A hub on this machine that does what a test wants of it. */
export interface TestHub extends AsyncDisposable {
  readonly url: string
  /** What was asked so far. */
  readonly asked: { path: string; headers: IncomingHttpHeaders }[]
  /** Breaks the connections of all answers that are under way. */
  cut(): void
}

export type Answerer = (request: IncomingMessage, response: ServerResponse) => void

export async function startHub(answer: Answerer): Promise<TestHub> {
  const asked: TestHub['asked'] = []
  const open = new Set<ServerResponse>()
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? '', headers: request.headers })
    open.add(response)
    response.once('close', () => open.delete(response))
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('The hub has no address.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    cut() {
      for (const response of open) response.destroy()
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export interface Serving {
  etag?: string
  /** Answers ranges with 206; true. */
  ranges?: boolean
  /** Sends so many bytes and then no more, without an end; `cut` ends it. */
  stallAfter?: number
  headers?: Record<string, string>
}

/** Answers with the bytes of a file as a good server does, but for what is asked of it. */
export function serve(request: IncomingMessage, response: ServerResponse, bytes: Buffer, serving: Serving = {}): void {
  const { etag, ranges = true, stallAfter, headers = {} } = serving
  const [, start] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
  const condition = request.headers['if-range']
  const from =
    ranges && start !== undefined && (condition === undefined || condition === etag) ? Number(start) : undefined
  const common = { ...(etag !== undefined && { etag }), ...headers }
  if (from !== undefined && from >= bytes.length) {
    response.writeHead(416, { ...common, 'content-range': `bytes */${bytes.length}` }).end()
    return
  }
  const body = bytes.subarray(from ?? 0)
  response.writeHead(from === undefined ? 200 : 206, {
    'content-length': body.length,
    ...(from !== undefined && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
    ...common,
  })
  if (stallAfter !== undefined) response.write(body.subarray(0, stallAfter))
  else response.end(body)
}

/** The description of a repository, in the form of the hub. */
export function describe(
  response: ServerResponse,
  files: { path: string; bytes?: Buffer; sha256?: string; size?: number }[],
) {
  const siblings = files.map(({ path, bytes, ...said }) => ({
    rfilename: path,
    size: said.size ?? bytes?.length,
    lfs: { size: said.size ?? bytes?.length, sha256: said.sha256 ?? (bytes && sha256(bytes)) },
  }))
  response.end(JSON.stringify({ sha: 'a'.repeat(40), siblings }))
}
