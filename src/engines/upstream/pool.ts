import type { SecureContext } from 'node:tls'
import { type buildConnector, type Dispatcher, errors } from 'undici'
import { line, type ProxyServer } from '../../lib/connections/index.ts'

/** The connections to one upstream origin, shared by all engines that stand on it. HTTP/1.1, one request at a time on each. */
export interface UpstreamPool {
  readonly origin: string
  /** A proxy is on the way, and looks the name of the upstream up. */
  readonly proxied?: boolean
  /** Counts a request in; false when the pool and its queue are full. Each true needs one `leave`. */
  enter(): boolean
  leave(): void
  /** Failures arrive at the handler, never as exceptions. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /** Ends what is running and closes every connection. */
  close(): Promise<void>
}

export interface UpstreamPoolOptions {
  /** Connections at most; 2048. */
  connections?: number
  /** Requests that may wait for a connection; 8192. Those beyond are refused at once. */
  queued?: number
  /** How long a connection may take, with proxy and TLS; 10,000 ms. */
  connectMs?: number
  /** On the way there; none by default. */
  proxy?: ProxyServer | undefined
  /** What the upstream is checked with, and what it is shown. */
  secure?: SecureContext | undefined
  /** The same for a proxy that speaks TLS itself. */
  proxySecure?: SecureContext | undefined
}

/** Bytes of the headers of one answer; as much as Node accepts. */
const headerBytesMax = 16_384

/**
 * A pool for the origin of `baseUrl`. Idle connections are dropped after 4 s unless the upstream promises more (undici's defaults):
 * Python's usual servers close theirs after 5 s without saying so. Throws a TypeError for what is not an http(s) URL.
 */
export function upstreamPool(baseUrl: string, options: UpstreamPoolOptions = {}): UpstreamPool {
  const { origin } = upstreamUrl(baseUrl)
  const { connections = 2048, queued = 8192, connectMs = 10_000, proxy, secure, proxySecure } = options
  const pool = line(origin, {
    ...{ connectMs, proxy, secure, proxySecure, watch: countingBytes },
    pool: {
      connections,
      pipelining: 1,
      headersTimeout: 0, // the deadlines are in exchange.ts: undici's own would end slow models after 300 s
      bodyTimeout: 0,
      maxHeaderSize: headerBytesMax,
      allowH2: false,
    },
  })
  let inside = 0
  return {
    origin,
    proxied: proxy !== undefined,
    enter: () => inside < connections + queued && ++inside > 0,
    leave: () => {
      inside--
    },
    dispatch: (request, handler) => {
      pool.dispatch(request, handler)
    },
    close: () => pool.destroy(),
  }
}

/** The parsed base URL of an upstream. It comes from the configuration alone, never from a request. */
export function upstreamUrl(baseUrl: string): URL {
  const url = new URL(baseUrl)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError('An upstream needs an http(s) URL.')
  if (url.username !== '' || url.password !== '') throw new TypeError('An upstream URL must not hold credentials.')
  if (url.search !== '' || url.hash !== '') throw new TypeError('An upstream URL must not hold a query or a fragment.')
  return url
}

/**
 * True when a request that got no byte of an answer was lost because the upstream had closed an idle connection: the other side had
 * answered earlier requests on it, and closed it while this one was on its way.
 */
export function lostOnReuse(error: Error): boolean {
  const bytesRead = error instanceof errors.SocketError ? error.socket?.bytesRead : bytesReadBefore.get(error)
  return bytesRead !== undefined && bytesRead > 0
}

/** What a connection had received when it failed: the errors of Node's sockets do not say. */
const bytesReadBefore = new WeakMap<Error, number>()

const countingBytes =
  (connect: buildConnector.connector): buildConnector.connector =>
  (options, callback) =>
    connect(options, (...result) => {
      const [error, socket] = result
      if (error === null) socket.prependListener('error', failure => bytesReadBefore.set(failure, socket.bytesRead))
      callback(...result)
    })
