import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { bytesOf, tinyModel } from '../models/make.ts'

/** A hub with one repository, `acme/tiny-GGUF`, for tests of the whole product. */
export interface Hub extends AsyncDisposable {
  readonly url: string
  readonly model: Buffer
  /** The `range` of every request for the file. */
  readonly ranges: (string | undefined)[]
  /** From now on a file stops coming after so many bytes; undefined: it comes whole. */
  stallAfter(bytes: number | undefined): void
}

export async function startHub(): Promise<Hub> {
  const model = bytesOf(tinyModel({ storage: 'Q8_0' }))
  const digest = createHash('sha256').update(model).digest('hex')
  const ranges: (string | undefined)[] = []
  let stall: number | undefined
  const sendFile = (response: ServerResponse, range: string | undefined) => {
    ranges.push(range)
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
    response.writeHead(from === 0 ? 200 : 206, {
      etag: '"1"',
      'content-length': model.length - from,
      ...(from > 0 && { 'content-range': `bytes ${from}-${model.length - 1}/${model.length}` }),
    })
    if (stall === undefined) response.end(model.subarray(from))
    else response.write(model.subarray(from, stall))
  }
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    if (path === '/api/models/acme/tiny-GGUF?blobs=true') {
      const file = { rfilename: 'tiny-Q8_0.gguf', size: model.length, lfs: { sha256: digest, size: model.length } }
      response.end(JSON.stringify({ sha: '0123456789'.repeat(4), siblings: [{ rfilename: 'README.md' }, file] }))
    } else if (path.endsWith('/tiny-Q8_0.gguf')) sendFile(response, request.headers.range)
    else response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('The hub has no address.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    model,
    ranges,
    stallAfter(bytes) {
      stall = bytes
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
