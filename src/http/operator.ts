import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type Log } from '../lib/log.ts'
import type { Control } from '../platform/control.ts'
import type { Caller, Keys } from '../platform/keys.ts'
import type { Server } from './server.ts'

/** The caller behind a request of a command on this machine; undefined for all other requests, which need a key. */
export type OperatorDoor = (request: IncomingMessage) => Promise<Caller> | undefined

/** As `ids.ts` makes operators' secrets; no key begins so. Other requests cost no more than this comparison. */
const beginning = 'Bearer op-'

export function operatorDoor(control: Control, keys: Keys): OperatorDoor {
  return ({ headers, socket }) => {
    const { authorization } = headers
    if (authorization?.startsWith(beginning) !== true) return undefined
    // What a proxy of this machine passes on may come from anywhere.
    if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined) return undefined
    if (!isOfThisMachine(socket)) return undefined
    return control.accepts(authorization.slice('Bearer '.length)) ? keys.operator(organizationOf(headers)) : undefined
  }
}

/** Which organisation a command asks for, as keys do. An empty header counts as absent. */
function organizationOf(headers: IncomingMessage['headers']): string | undefined {
  const asked = headers['openai-organization']
  return typeof asked === 'string' && asked.trim() !== '' ? asked.trim().slice(0, 256) : undefined
}

/** The same server, which commands of this machine find while it takes requests. */
export function withOperator(server: Server, control: Control, log: Log): Server {
  return {
    async listen(host, port) {
      const address = await server.listen(host, port)
      try {
        control.announce(localUrl(address))
      } catch (error) {
        log.error('control.unwritable', { cause: describe(error) }) // clients find it nevertheless
      }
      return address
    },
    drain(timeoutMs) {
      control.withdraw()
      return server.drain(timeoutMs)
    },
  }
}

/** Whether both ends of a connection are the same machine. */
export function isOfThisMachine({ remoteAddress, localAddress }: Ends): boolean {
  if (remoteAddress === undefined) return false
  return (
    remoteAddress === localAddress || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(remoteAddress) || remoteAddress === '::1'
  )
}

interface Ends {
  readonly remoteAddress?: string | undefined
  readonly localAddress?: string | undefined
}

/** How a server that listens on this address is reached on its own machine. */
export function localUrl({ address, port }: AddressInfo): string {
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
