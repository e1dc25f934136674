/**
 * A server that plays an upstream, badly on request: raw sockets on loopback, every byte under control. It records what it received
 * and when its connections closed, and lets a test wait for either.
 */
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'

/** One request as it came over the wire. */
export interface Received {
  method: string
  path: string
  /** Lower-case names; the last of repeated ones. */
  headers: Record<string, string>
  /** Names and values as sent. */
  rawHead: string
  body: string
  /** Which connection it came on, from 0. */
  connection: number
  /** Settles with the time (`performance.now()`) at which its connection closed. */
  closed: Promise<number>
}

/** What the server does with a request. Resolves when the next request on the connection may be answered. */
export type Script = (wire: Wire, request: Received) => void | Promise<void>

/** The answering side of one connection. */
export interface Wire {
  /** Writes bytes; settles when the kernel has taken them, false once the connection is gone. */
  send(bytes: string | Buffer): Promise<boolean>
  /** Ends the connection in order (FIN). */
  end(): void
  /** Breaks the connection (RST). */
  reset(): void
  /** Settles when the connection has closed. */
  readonly closed: Promise<number>
  /** Bytes handed over so far that the kernel has taken. */
  readonly sentBytes: number
}

export interface HostileUpstream {
  readonly origin: string
  readonly port: number
  readonly received: Received[]
  /** What the next requests meet; stays until it is set again. */
  script: Script
  /** Settles with the request of that number, from 0. */
  request(number: number): Promise<Received>
  /** Ends the connections that are open, or the next one to come. */
  endConnections(): Promise<void>
  close(): Promise<void>
}

/** @param secure speaks TLS, with these settings */
export async function hostileUpstream(script: Script, secure?: tls.TlsOptions): Promise<HostileUpstream> {
  const sockets = new Set<net.Socket>()
  const received: Received[] = []
  const waiting: (() => void)[] = []
  let connections = 0
  const upstream: HostileUpstream = {
    origin: '',
    port: 0,
    received,
    script,
    async request(number) {
      while (received.length <= number) await new Promise<void>(wake => waiting.push(wake))
      const request = received[number]
      if (request === undefined) throw new Error('unreachable')
      return request
    },
    async endConnections() {
      if (sockets.size === 0) await once(server, secure ? 'secureConnection' : 'connection')
      for (const socket of sockets) socket.end()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  const onConnection = (socket: net.Socket) => {
    const connection = connections++
    sockets.add(socket)
    const closed = new Promise<number>(resolve => {
      socket.once('close', () => {
        sockets.delete(socket)
        resolve(performance.now())
      })
    })
    socket.on('error', () => socket.destroy()) // resets are what these tests are about
    const wire = wireOf(socket, closed)
    let answering = Promise.resolve()
    readRequests(socket, request => {
      const whole = { ...request, connection, closed }
      received.push(whole)
      for (const wake of waiting.splice(0)) wake()
      answering = answering.then(() => upstream.script(wire, whole))
    })
  }
  const server = secure
    ? tls.createServer({ noDelay: true, ...secure }, onConnection)
    : net.createServer({ noDelay: true }, onConnection)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return Object.assign(upstream, {
    origin: `${secure ? 'https' : 'http'}://127.0.0.1:${address.port}`,
    port: address.port,
  })
}

function wireOf(socket: net.Socket, closed: Promise<number>): Wire {
  let sentBytes = 0
  return {
    closed,
    get sentBytes() {
      return sentBytes
    },
    async send(bytes) {
      if (socket.destroyed || socket.writableEnded) return false
      const taken = new Promise<boolean>(resolve => {
        socket.write(bytes, error => resolve(error == null))
      })
      const sent = await Promise.race([taken, closed.then(() => false)])
      if (sent) sentBytes += bytes.length
      return sent
    },
    end: () => socket.end(),
    reset: () => (socket instanceof tls.TLSSocket ? socket.destroy() : socket.resetAndDestroy()),
  }
}

/** Requests with a content-length, one after another; all that undici sends. */
function readRequests(socket: net.Socket, take: (request: Omit<Received, 'connection' | 'closed'>) => void): void {
  let bytes = Buffer.alloc(0)
  socket.on('data', chunk => {
    bytes = Buffer.concat([bytes, chunk])
    for (;;) {
      const headEnd = bytes.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const rawHead = bytes.toString('latin1', 0, headEnd)
      const [first = '', ...lines] = rawHead.split('\r\n')
      const headers = Object.fromEntries(
        lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
      )
      const bodyEnd = headEnd + 4 + Number(headers['content-length'] ?? 0)
      if (bytes.length < bodyEnd) return
      const [method = '', path = ''] = first.split(' ')
      take({ method, path, headers, rawHead, body: bytes.toString('utf8', headEnd + 4, bodyEnd) })
      bytes = bytes.subarray(bodyEnd)
    }
  })
}
