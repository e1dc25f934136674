import { once } from 'node:events'
import { Agent, createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** One request and its reply as they went over the wire. */
export interface Exchange {
  method: string
  /** Path and query. */
  path: string
  requestBody: Buffer
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  /** False when the client left before the end. */
  complete: boolean
}

export interface Recorder {
  /** What clients talk to instead of the server. */
  readonly url: string
  /** All exchanges since the last call; waits until none is under way. */
  take(): Promise<Exchange[]>
  close(): Promise<void>
}

/**
 * A loopback proxy that keeps what passes, so that checks see the bytes and not what a client made of them. When the client leaves,
 * the server behind is left as well.
 */
export async function record(target: string): Promise<Recorder> {
  const agent = new Agent({ keepAlive: true })
  const { hostname, port } = new URL(target)
  let exchanges: Exchange[] = []
  const underWay = new Set<Promise<void>>()

  const server = createServer((incoming, outgoing) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    underWay.add(promise)
    outgoing.once('close', () => {
      underWay.delete(promise)
      resolve()
    })
    void buffer(incoming).then(requestBody => {
      const { method = '', url: path = '', headers } = incoming
      const onward = request({ hostname, port, agent, method, path, headers })
      outgoing.once('close', () => onward.destroy())
      onward.once('error', () => outgoing.destroy())
      onward.once('response', reply => {
        const chunks: Buffer[] = []
        const exchange = {
          method,
          path,
          requestBody,
          status: reply.statusCode ?? 0,
          headers: reply.headers,
          body: Buffer.alloc(0),
          complete: false,
        }
        exchanges.push(exchange)
        outgoing.once('close', () => {
          exchange.body = Buffer.concat(chunks)
          exchange.complete = reply.complete
        })
        outgoing.writeHead(exchange.status, reply.rawHeaders)
        reply.on('data', (chunk: Buffer) => chunks.push(chunk))
        reply.pipe(outgoing)
      })
      onward.end(requestBody)
    })
  })
  server.keepAliveTimeout = 75_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async take() {
      await Promise.all(underWay)
      const taken = exchanges
      exchanges = []
      return taken
    },
    async close() {
      agent.destroy()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
