/** A proxy as companies have them: tunnels for https, requests sent on for http, and whatever can go wrong with either. */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import type { Duplex } from 'node:stream'

/** One request that came to the proxy. */
export interface Asked {
  method: string
  /** `host:port` of a tunnel, the whole URL of a request that is to be sent on. */
  target: string
  headers: http.IncomingHttpHeaders
}

/** `works`; `hangs`: takes requests and says nothing; `dies`: closes the connection; a text: these bytes instead of an answer. */
export type Manner = 'works' | 'hangs' | 'dies' | { bytes: string }

export interface TestProxy extends AsyncDisposable {
  /** `http(s)://127.0.0.1:…` */
  readonly url: string
  readonly asked: Asked[]
  manner: Manner
  /** When set, whoever does not send it gets 407. `Basic …` */
  credentials: string | undefined
  /** Breaks all that is open. */
  breakAll(): void
}

/** @param secure speaks TLS itself, with these certificates */
export async function startProxy(secure?: https.ServerOptions): Promise<TestProxy> {
  const sockets = new Set<Duplex>()
  const keep = <Kept extends Duplex>(socket: Kept): Kept => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    return socket
  }
  const server = secure ? https.createServer(secure) : http.createServer()
  const asked: Asked[] = []
  const proxy: TestProxy = {
    url: '',
    asked,
    manner: 'works',
    credentials: undefined,
    breakAll() {
      for (const socket of sockets) socket.destroy()
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      proxy.breakAll()
      await closed
    },
  }
  /** @returns whether the request shall be served */
  const admits = ({ method = '', url: target = '', headers }: http.IncomingMessage, socket: Duplex): boolean => {
    asked.push({ method, target, headers })
    const { manner, credentials } = proxy
    if (manner === 'dies') socket.destroy()
    if (typeof manner === 'object') socket.end(manner.bytes)
    if (manner !== 'works') return false
    if (credentials === undefined || headers['proxy-authorization'] === credentials) return true
    socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nproxy-authenticate: Basic\r\n\r\n')
    return false
  }
  server.on(secure ? 'secureConnection' : 'connection', keep)
  server.on('connect', (request: http.IncomingMessage, socket: Duplex) => {
    if (!admits(request, socket)) return
    // Names are the proxy's to look up: here they all are this machine.
    const onward = keep(net.connect(Number(request.url?.split(':').at(-1)), '127.0.0.1'))
    onward.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      socket.pipe(onward).pipe(socket)
    })
    onward.once('close', () => socket.destroy())
    socket.once('close', () => onward.destroy())
  })
  server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
    if (!admits(request, request.socket)) return
    const { port, pathname } = new URL(request.url ?? '')
    const { 'proxy-authorization': _, ...headers } = request.headers
    const onward = http.request({ port, host: '127.0.0.1', path: pathname, method: request.method, headers })
    onward.once('response', reply => {
      response.writeHead(reply.statusCode ?? 0, reply.headers)
      reply.pipe(response)
    })
    onward.once('error', () => response.destroy())
    response.once('close', () => onward.destroy())
    request.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return Object.assign(proxy, { url: `${secure ? 'https' : 'http'}://127.0.0.1:${address.port}` })
}
