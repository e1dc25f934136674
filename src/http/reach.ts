import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { fault } from '../lib/faults.ts'
import { csrfHeader } from '../platform/sign-in/cookies.ts'

export interface ReachOptions {
  /** The name or address that the server listens on. */
  host?: string
  /** Where people reach it: an origin, such as `https://ai.example.com`. */
  publicUrl?: string
}

/** What is looked at of a request. */
export type Reached = Pick<FastifyRequest, 'headers' | 'method' | 'protocol'>

/**
 * Keeps other people's pages away from those who are signed in. A browser sends a cookie by itself, so what counts is whose page has
 * asked: one of the address under which the browser sees this server (its `Host`), and this must be an address of ours. Otherwise a
 * page whose name was made to lead here (DNS rebinding) would be of the right address.
 *
 * Requests with a key need none of this: no browser adds a key by itself.
 */
export class Reach {
  readonly #names: ReadonlySet<string>
  readonly #public: URL | undefined

  constructor({ host, publicUrl }: ReachOptions = {}) {
    this.#public = publicUrl === undefined ? undefined : new URL(publicUrl)
    const names = ['localhost', host?.toLowerCase(), this.#public?.hostname]
    this.#names = new Set(names.filter(name => name !== undefined))
  }

  /** Under which origin the browser sees this server. @throws Fault 403 `host_not_allowed` */
  originOf({ headers: { host = '' }, protocol }: Reached): string {
    const url = /^[^/?#@\\\s]{1,300}$/.test(host)
      ? URL.parse(`${protocol === 'https' ? 'https' : 'http'}://${host}`)
      : null
    const name = url?.hostname.replace(/^\[(.*)\]$/, '$1') ?? ''
    // Nobody can make an address lead elsewhere: only names can be bound anew.
    if (url === null || (isIP(name) === 0 && !this.#names.has(name))) throw fault.foreignHost(host.slice(0, 100))
    // Behind a proxy that speaks TLS the scheme is not the one that we see.
    const isPublic = url.hostname === this.#public?.hostname && url.port === this.#public.port
    return isPublic ? this.#public!.origin : url.origin
  }

  /**
   * For a request that a cookie stands behind, or that gives one.
   * @returns as `originOf`
   * @throws Fault 403 `host_not_allowed`, `origin_not_allowed`, `csrf_header_missing`
   */
  check(request: Reached): string {
    const { headers, method } = request
    const ours = this.originOf(request)
    const { origin, 'sec-fetch-site': site = 'none' } = headers
    if (origin !== undefined && origin !== ours && origin !== this.#public?.origin)
      throw fault.foreignOrigin(origin.slice(0, 100))
    if (site !== 'same-origin' && site !== 'none') throw fault.foreignOrigin(origin?.slice(0, 100) ?? 'another site')
    const changes = method !== 'GET' && method !== 'HEAD'
    if (changes && headers.cookie !== undefined && !headers[csrfHeader]) throw fault.csrfHeaderMissing()
    return ours
  }
}
