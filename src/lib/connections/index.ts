import type { SecureContext } from 'node:tls'
import { Agent, type buildConnector, type Dispatcher, Pool } from 'undici'
import { type Proxies, type ProxyServer, parseProxy, proxyFor } from './proxies.ts'
import { direct, toProxy, tunnel } from './tunnel.ts'

export { type Proxies, type ProxyServer, parseProxy, proxyFor } from './proxies.ts'

export interface LineOptions {
  /** How long a connection may take, with everything that belongs to it. */
  connectMs: number
  /** None: the connection is direct. */
  proxy?: ProxyServer | undefined
  /** What the server is checked with, and what it is shown. */
  secure?: SecureContext | undefined
  /** The same for a proxy that speaks TLS itself. */
  proxySecure?: SecureContext | undefined
  /** Everything else about the pool. */
  pool?: Omit<Pool.Options, 'connect'>
  /** Looks at each new connection. */
  watch?(connect: buildConnector.connector): buildConnector.connector
}

/**
 * A pool of connections to one origin: direct; through a proxy that is asked for a tunnel (https); or to a proxy that sends the
 * requests on (http), because many allow tunnels to port 443 alone.
 */
export function line(origin: string, options: LineOptions): Dispatcher {
  const { connectMs: timeoutMs, proxy, secure, proxySecure, pool, watch = connect => connect } = options
  const to = (address: string, connect: buildConnector.connector) =>
    new Pool(address, { ...pool, connect: watch(connect) })
  if (proxy === undefined) return to(origin, direct({ timeoutMs, secure }))
  const way = { timeoutMs, secure, proxySecure, proxy }
  if (origin.startsWith('https:')) return to(origin, tunnel(way))
  return to(proxy.origin, toProxy(way)).compose(sentOn(origin, proxy))
}

/** Connections to wherever a request goes, as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say. Closed by whoever makes it. @throws Error */
export function lines(
  proxies: Proxies,
  { connectMs = 10_000, connections }: { connectMs?: number; connections?: number } = {},
): Agent {
  for (const [named, text] of [['HTTP_PROXY', proxies.http] as const, ['HTTPS_PROXY', proxies.https] as const])
    if (text) parseProxy(text, named) // now, and not with the first request
  const pool = connections === undefined ? {} : { connections }
  return new Agent({
    factory: origin => {
      const url = new URL(origin)
      return line(url.origin, { connectMs, proxy: proxyFor(url, proxies), pool })
    },
  })
}

/** Requests as a proxy takes them: with the whole URL in the first line (RFC 9112 §3.2.2). */
const sentOn =
  (origin: string, { origin: proxy, authorization }: ProxyServer): Dispatcher.DispatcherComposeInterceptor =>
  dispatch =>
  (request, handler) =>
    dispatch(
      {
        ...request,
        origin: proxy,
        path: origin + request.path,
        headers: [
          ...flat(request.headers),
          'host',
          new URL(origin).host,
          ...(authorization === undefined ? [] : ['proxy-authorization', authorization]),
        ],
      },
      handler,
    )

/** Names and values in turn. */
function flat(headers: Dispatcher.DispatchOptions['headers']): string[] {
  if (Array.isArray(headers)) return headers
  const pairs = isIterable(headers) ? [...headers] : Object.entries(headers ?? {})
  return pairs.flatMap(([name, value]) => [value ?? []].flat().flatMap(one => [name, String(one)]))
}

type Pairs = Iterable<[string, string | string[] | undefined]>

const isIterable = (headers: Exclude<Dispatcher.DispatchOptions['headers'], string[]>): headers is Pairs =>
  headers != null && Symbol.iterator in headers
