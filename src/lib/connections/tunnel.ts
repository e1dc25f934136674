import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { buildConnector, errors } from 'undici'
import type { ProxyServer } from './proxies.ts'

export interface WayOptions {
  /** For the whole: name, TCP, the consent of the proxy, TLS. */
  timeoutMs: number
  /** What the server is checked with, and what it is shown; by default the usual certificate authorities, and nothing. */
  secure?: SecureContext | undefined
}

export interface TunnelOptions extends WayOptions {
  proxy: ProxyServer
  /** The same for a proxy that speaks TLS itself. */
  proxySecure?: SecureContext | undefined
}

/** What a proxy does instead of letting us through. */
export class ProxyFailure extends Error {
  readonly code = 'ERR_PROXY'
}

/** Bytes of a proxy's answer, up to the tunnel. */
const headBytesMax = 16_384

/** Connects without a proxy. */
export function direct({ timeoutMs, secure }: WayOptions): buildConnector.connector {
  return buildConnector({ timeout: timeoutMs, allowH2: false, ...(secure && { secureContext: secure }) })
}

/** Connects to a proxy, for requests that it sends on itself. */
export function toProxy({ proxy, timeoutMs, proxySecure }: TunnelOptions): buildConnector.connector {
  const connect = direct({ timeoutMs, secure: proxySecure })
  const { protocol, hostname, port } = proxy
  // The name in the request is that of the other server: the proxy's certificate is for its own.
  return (_, callback) => connect({ protocol, hostname, host: hostname, port }, callback)
}

/**
 * Connects to an https server through a proxy (CONNECT, RFC 9110 §9.3.6). Fails with ProxyFailure when the proxy refuses or breaks
 * off, with undici's ConnectTimeoutError when the whole takes too long, else with the error of the socket.
 */
export function tunnel(options: TunnelOptions): buildConnector.connector {
  const { proxy, timeoutMs } = options
  const connect = toProxy(options)
  const secured = direct(options)
  return (target, callback) => {
    let opened: Socket | undefined
    let isOver = false
    const settle: buildConnector.Callback = (...result) => {
      if (isOver) {
        result[1]?.destroy()
        return
      }
      isOver = true
      clearTimeout(timer)
      opened?.off('close', broken)
      if (result[0] !== null) opened?.destroy()
      callback(...result)
    }
    const fail = (error: Error) => settle(error, null)
    const broken = () => fail(new ProxyFailure('The proxy closed the connection.'))
    const timer = setTimeout(
      () => fail(new errors.ConnectTimeoutError('The connection through the proxy took too long.')),
      timeoutMs,
    )
    connect(target, (...result) => {
      const [error, socket] = result
      if (error !== null) return fail(error)
      if (isOver) return void socket.destroy()
      opened = socket
      socket.once('close', broken)
      askForTunnel(socket, authority(target), proxy.authorization, problem => {
        if (problem !== undefined) fail(problem)
        else secured({ ...target, httpSocket: socket }, settle)
      })
    })
  }
}

const authority = ({ hostname, port }: buildConnector.Options): string =>
  `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port || 443}`

/** Nothing is read beyond the proxy's answer: what follows belongs to the other server. */
function askForTunnel(
  socket: Socket,
  to: string,
  authorization: string | undefined,
  then: (problem: ProxyFailure | undefined) => void,
): void {
  let head = ''
  const finish = (problem?: ProxyFailure) => {
    socket.off('readable', read)
    then(problem)
  }
  const read = () => {
    for (let bytes: Buffer | null = socket.read(); bytes !== null; bytes = socket.read()) {
      head += bytes.toString('latin1')
      head = head.replace(/^HTTP\/1\.[01] 1\d\d(?:[^\r]|\r(?!\n\r\n))*\r\n\r\n/, '') // such as 100 Continue
      const end = head.indexOf('\r\n\r\n')
      if (end >= 0) return finish(judged(head.slice(0, end), head.length - end - 4))
      if (head.length > headBytesMax) return finish(new ProxyFailure('The answer of the proxy is too long.'))
    }
  }
  socket.on('readable', read)
  const headers = [`host: ${to}`, ...(authorization === undefined ? [] : [`proxy-authorization: ${authorization}`])]
  socket.write(`CONNECT ${to} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
}

function judged(head: string, restBytes: number): ProxyFailure | undefined {
  const status = /^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(head)?.[1]
  if (status === undefined) return new ProxyFailure('The answer of the proxy is not HTTP.')
  if (status === '407')
    return new ProxyFailure('A proxy asks for credentials, or refused those of the settings (status 407).')
  if (!status.startsWith('2')) return new ProxyFailure(`The proxy refused the connection with the status ${status}.`)
  // The other server speaks only after us: whatever is here already was made up.
  return restBytes === 0 ? undefined : new ProxyFailure('The proxy sent bytes of its own into the connection.')
}
