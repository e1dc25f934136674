import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { fault } from '../lib/faults.ts'
import { responseHeaders } from './headers.ts'

/** Length of the body as the head of the request says it; infinite where it does not say. */
export function announcedBytes({ headers }: IncomingMessage): number {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : Number.POSITIVE_INFINITY
}

/** Bodies up to this size hold nothing but a socket while they come. */
const smallBodyBytes = 65_536

/** Gives up a body that does not come in time. Small ones are not worth a timer: Node's own bound is enough for them. */
export function hurry(request: IncomingMessage, timeoutMs: number): void {
  if (request.complete || announcedBytes(request) <= smallBodyBytes) return
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), timeoutMs)
  timer.unref() // the end of the server waits for nobody's body
  const stop = () => {
    clearTimeout(timer)
    socket.off('close', stop)
  }
  request.once('end', stop)
  socket.once('close', stop) // a request whose body was refused does not tell of its own end
}

/** How long the rest of a refused body is still taken in. */
const lingerMs = 5000

/**
 * A socket that is closed with unread bytes sends a reset, and a client that is still sending its body never reads why it was
 * refused. So the end of the reply is sent first, and what still comes is taken in and dropped for a while.
 */
export function lingerOnClose(request: IncomingMessage): void {
  const { socket } = request
  socket.destroySoon = () => {
    socket.end()
    request.resume()
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    socket.once('close', () => clearTimeout(timer))
  }
}

/** Bytes that are no HTTP: there is no request to answer, only a socket. */
export function refuseSocket(error: Error, socket: Duplex, requestId: string): void {
  if (!socket.writable || ('code' in error && error.code === 'ECONNRESET')) {
    socket.destroy()
    return
  }
  const tooLarge = 'code' in error && error.code === 'HPE_HEADER_OVERFLOW'
  const shown = fault.badRequest(tooLarge ? 'The request headers are too large.' : 'The request is not valid HTTP.')
  const body = JSON.stringify(shown.body())
  const status = tooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'
  const headers = responseHeaders(requestId, 0, undefined)
  headers.push('content-type', 'application/json')
  headers.push('content-length', String(Buffer.byteLength(body)), 'connection', 'close')
  const lines = headers.map((word, at) => (at % 2 === 0 ? `${word}: ` : `${word}\r\n`))
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`)
}
