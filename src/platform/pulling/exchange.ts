import { type Dispatcher, request } from 'undici'
import { isLoopback, printable, sha256Of } from './source.ts'

/** How models are asked for. */
export interface Exchange {
  readonly hub: URL
  /** Goes to the hub's own origin, and over https or to this machine alone. */
  readonly token: string | undefined
  readonly dispatcher: Dispatcher
  readonly userAgent: string
  /** Without a byte for so long, a connection counts as broken. */
  readonly idleMs: number
  readonly signal: AbortSignal
}

/** An answer whose body is still to come. Its reader ends it with `leave`, also after an error. */
export interface Answer {
  readonly status: number
  readonly url: URL
  header(name: string): string | undefined
  readonly body: AsyncIterator<Buffer, unknown, undefined>
  leave(): void
  /** What the hub said of the file while it led to where the file lies. */
  readonly linked: { sizeBytes: number | undefined; sha256: string | undefined }
}

/** Something that may be over when it is tried again. */
export class Break extends Error {
  readonly afterMs: number | undefined

  constructor(message: string, { cause, afterMs }: { cause?: unknown; afterMs?: number } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.afterMs = afterMs
  }
}

const redirectsMax = 5
const jsonBytesMax = 16 * 1024 * 1024

/**
 * Asks and follows redirects, at most five, never from https to http, and without credentials to any other origin than the hub's.
 * @throws Break when the connection fails; Error for redirects that are not followed
 */
export async function get(start: URL, headers: Record<string, string>, exchange: Exchange): Promise<Answer> {
  const linked: Answer['linked'] = { sizeBytes: undefined, sha256: undefined }
  let url = start
  for (let redirects = 0; ; redirects++) {
    const reply = await ask(url, headers, exchange)
    const header = (name: string) => {
      const value = reply.headers[name]
      return Array.isArray(value) ? value[0] : value
    }
    linked.sha256 ??= url.origin === exchange.hub.origin ? sha256Of(header('x-linked-etag')) : undefined
    linked.sizeBytes ??= url.origin === exchange.hub.origin ? lengthOf(header('x-linked-size')) : undefined
    if (![301, 302, 303, 307, 308].includes(reply.statusCode)) {
      reply.body.on('error', () => {}) // the iterator tells it
      const body: AsyncIterator<Buffer, unknown, undefined> = reply.body[Symbol.asyncIterator]()
      return { status: reply.statusCode, url, header, body, leave: () => void reply.body.destroy(), linked }
    }
    reply.body.on('error', () => {}).destroy()
    if (redirects === redirectsMax) throw new Error(`${start.host} redirects more than ${redirectsMax} times.`)
    url = target(header('location'), url, exchange.hub)
  }
}

async function ask(url: URL, headers: Record<string, string>, exchange: Exchange): Promise<Dispatcher.ResponseData> {
  const { hub, token, dispatcher, userAgent, idleMs, signal } = exchange
  const trusted = url.origin === hub.origin && (url.protocol === 'https:' || isLoopback(url))
  try {
    return await request(url, {
      dispatcher,
      signal,
      headersTimeout: idleMs,
      bodyTimeout: idleMs,
      headers: {
        ...headers,
        'user-agent': userAgent,
        ...(token !== undefined && trusted && { authorization: `Bearer ${token}` }),
      },
    })
  } catch (error) {
    signal.throwIfAborted()
    throw new Break(`${url.host} could not be reached${reason(error)}.`, { cause: error })
  }
}

/** ` (ECONNREFUSED)`, or what else an error of the network has in the way of a name. */
export const reason = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''

function target(location: string | undefined, from: URL, hub: URL): URL {
  if (location === undefined || !URL.canParse(location, from.href))
    throw new Error(`${from.host} redirects to nowhere.`)
  const url = new URL(location, from)
  const said = `${from.host} redirects to '${printable(url.origin)}'`
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new Error(`${said}, which is not followed.`)
  if (url.username !== '' || url.password !== '')
    throw new Error(`${said} with a name and password, which is not followed.`)
  if (from.protocol === 'https:' && url.protocol === 'http:' && !(hub.protocol === 'http:' && isLoopback(hub)))
    throw new Error(`${said}, from https to http, which is not followed.`)
  return url
}

/** A length in bytes, as a header gives it. */
export function lengthOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** What to say of a status that is no success. @throws Break when it may pass, else Error */
export function refuseStatus({ status, url, header }: Answer, what: string): never {
  const told = `${url.host} answered ${status}`
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(header('retry-after'))
    throw new Break(`${told}.`, seconds > 0 ? { afterMs: seconds * 1000 } : {})
  }
  if (status === 401 || status === 403)
    throw new Error(
      `${told}: ${what} does not exist, or not for everyone. If it does, set PARLANCE_HUB_TOKEN to your token and accept the model's terms on the hub's page.`,
    )
  if (status === 404 || status === 410) throw new Error(`${told}: there is no ${what}.`)
  throw new Error(`${told} to the request for ${what}.`)
}

/** A JSON document. @throws Break, Error */
export async function getJson(url: URL, what: string, exchange: Exchange): Promise<unknown> {
  const answer = await get(url, { accept: 'application/json', 'accept-encoding': 'identity' }, exchange)
  try {
    if (answer.status !== 200) refuseStatus(answer, what)
    const chunks: Buffer[] = []
    let sizeBytes = 0
    for (let next = await nextOf(answer, exchange); next !== undefined; next = await nextOf(answer, exchange)) {
      sizeBytes += next.length
      if (sizeBytes > jsonBytesMax) throw new Error(`${url.host} sent too long a description of ${what}.`)
      chunks.push(next)
    }
    const text = Buffer.concat(chunks).toString('utf8')
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new Error(`${url.host} did not describe ${what} in JSON: is it a hub (the setting hub_url)?`, {
        cause: error,
      })
    }
  } finally {
    answer.leave()
  }
}

/** The next bytes of a body; undefined at its end. @throws Break when it breaks, the signal's reason when it was aborted */
export async function nextOf({ body, url }: Answer, { signal }: Exchange): Promise<Buffer | undefined> {
  try {
    const { done, value } = await body.next()
    return done === true ? undefined : (value as Buffer)
  } catch (error) {
    signal.throwIfAborted()
    throw new Break(`The connection to ${url.host} broke${reason(error)}.`, { cause: error })
  }
}
