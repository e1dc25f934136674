/**
 * The tokens with which an application asks Azure OpenAI, instead of a key: the client credentials flow of Microsoft Entra, with a secret
 * or with a token that the platform writes to a file (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
 */
import { readFile } from 'node:fs/promises'
import type { Clock } from '../../../lib/clock.ts'
import type { Fault } from '../../../lib/faults.ts'
import { describe, type Log } from '../../../lib/log.ts'
import type { Random } from '../../../lib/random.ts'
import { bounded } from '../document.ts'
import { type BodyReader, Exchange, type Head } from '../exchange.ts'
import { type UpstreamPool, upstreamUrl } from '../pool.ts'
import { isObject, parsed } from '../values.ts'

/** As the settings have it. */
export interface EntraSettings {
  readonly tenant_id: string
  readonly client_id: string
  readonly client_secret?: string | undefined
  /** In place of a secret: a file that holds a token of the platform. Read anew each time: it changes. */
  readonly token_file?: string | undefined
  readonly authority?: string | undefined
  readonly scope?: string | undefined
}

export interface EntraOptions {
  readonly settings: EntraSettings
  /** Of the authority. */
  readonly pool: UpstreamPool
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** As the settings call it. */
  readonly upstream: string
}

export const usualAuthority = 'https://login.microsoftonline.com'
const usualScope = 'https://cognitiveservices.azure.com/.default'

/** No token could be got. The message is for the operator, and holds no secret. */
export class NoToken extends Error {
  override readonly name = 'NoToken'
}

const timeouts = { firstByteMs: 15_000, idleMs: 10_000, totalMs: 30_000 }
const answerBytesMax = 65_536
const fileLengthMax = 65_536
const tokenLengthMax = 12_288 // the headers of a request are 16 KiB at most nearly everywhere
/** After a failure nobody asks again for so long: a thousand waiting requests are one question. */
const restMs = 1000
const usualLifeSeconds = 3600
const lifeSecondsMax = 86_400 * 7

interface Token {
  readonly value: string
  /** From here on a new one is asked for, while this one is used. */
  readonly refreshAtMs: number
  readonly endsAtMs: number
}

/** One token for all requests to an upstream: kept until shortly before its end, asked for once however many wait. */
export class EntraCredential {
  readonly #options: EntraOptions
  readonly #path: string
  readonly #closing = new AbortController()
  #token: Token | undefined
  #asking: Promise<string> | undefined
  #failed: { readonly error: NoToken; readonly untilMs: number } | undefined

  /** @throws TypeError for an authority that is no http(s) URL */
  constructor(options: EntraOptions) {
    const { authority = usualAuthority, tenant_id: tenant } = options.settings
    const url = upstreamUrl(authority)
    this.#options = options
    this.#path = `${url.pathname.replace(/\/+$/, '')}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`
  }

  /** The token, when there is one that can be used now: the usual case, which waits for nothing. */
  current(): string | undefined {
    const nowMs = this.#options.clock.monotonic()
    if (this.#token === undefined || nowMs >= this.#token.endsAtMs) return undefined
    if (nowMs >= this.#token.refreshAtMs && !this.#rests(nowMs)) this.#ask().catch(() => {}) // it is on the log
    return this.#token.value
  }

  /**
   * A token that can be used now.
   * @throws NoToken; the reason of the signal, whose request alone leaves
   */
  async token(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted()
    const current = this.current()
    if (current !== undefined) return current
    if (this.#failed !== undefined && this.#rests(this.#options.clock.monotonic())) throw this.#failed.error
    return unlessAborted(this.#ask(), signal)
  }

  /** The upstream did not take this one. */
  refused(token: string): void {
    if (this.#token?.value === token) this.#token = undefined
  }

  /** Ends what is running. */
  close(): void {
    this.#closing.abort(new NoToken('The server is stopping.'))
  }

  #rests(nowMs: number): boolean {
    return this.#failed !== undefined && nowMs < this.#failed.untilMs
  }

  #ask(): Promise<string> {
    this.#asking ??= this.#fetch()
      .then(token => {
        this.#token = token
        this.#failed = undefined
        return token.value
      })
      .catch((cause: unknown) => {
        const { clock, log, upstream } = this.#options
        const error = cause instanceof NoToken ? cause : new NoToken('It could not be asked for.', { cause })
        this.#failed = { error, untilMs: clock.monotonic() + restMs }
        log.warn('upstream.no_token', { upstream, cause: describe(error) })
        throw error
      })
      .finally(() => {
        this.#asking = undefined
      })
    return this.#asking
  }

  async #fetch(): Promise<Token> {
    const { clock, random, settings } = this.#options
    const askedMs = clock.monotonic()
    const { status, bytes } = await this.#post(await form(settings))
    const answer = parsed(bytes)
    if (status !== 200) throw new NoToken(refusalOf(status, answer))
    const value = isObject(answer) ? answer.access_token : undefined
    if (
      !isObject(answer) ||
      typeof value !== 'string' ||
      value.length > tokenLengthMax ||
      !/^[\x21-\x7e]+$/.test(value)
    )
      throw new NoToken('The authority answered with something that is no token.')
    const lifeMs = lifeSeconds(answer.expires_in) * 1000
    // Several replicas that began together do not ask together.
    const part = 0.75 + 0.1 * (random.uint32() / 2 ** 32)
    return { value, refreshAtMs: askedMs + lifeMs * part, endsAtMs: askedMs + lifeMs - Math.min(30_000, lifeMs / 10) }
  }

  #post(body: Buffer): Promise<{ status: number; bytes: Buffer }> {
    const { pool } = this.#options
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) return reject(this.#closing.signal.reason)
      if (!pool.enter()) return reject(new NoToken('The authority has too many requests of ours.'))
      const fail = (reason: Fault | undefined) =>
        reject(
          reason === undefined ? this.#closing.signal.reason : new NoToken(wordsOf(reason), { cause: reason.cause }),
        )
      const exchange: Exchange = new Exchange({
        ...{ name: 'authority', pool, path: this.#path, body, timeouts, fail },
        headers: ['content-type', 'application/x-www-form-urlencoded', 'accept', 'application/json'],
        signal: this.#closing.signal,
        head: (head: Head): BodyReader =>
          bounded(exchange, head, answerBytesMax, {
            tooLong: () => reject(new NoToken('The authority answered with too much.')),
            end: bytes => resolve({ status: head.status, bytes }),
            fail,
          }),
        left: () => pool.leave(),
      })
      exchange.start()
    })
  }
}

async function form({ client_id, client_secret, token_file, scope = usualScope }: EntraSettings): Promise<Buffer> {
  const fields: Record<string, string> = { grant_type: 'client_credentials', client_id, scope }
  if (token_file === undefined) fields.client_secret = client_secret ?? ''
  else {
    fields.client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    fields.client_assertion = await assertion(token_file)
  }
  return Buffer.from(new URLSearchParams(fields).toString())
}

async function assertion(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new NoToken('The file of `token_file` cannot be read.', { cause })
  })
  const token = text.trim()
  if (token === '' || token.length > fileLengthMax) throw new NoToken('The file of `token_file` holds no token.')
  return token
}

/** What the authority says of itself: its code, and Entra's number. Its prose may hold what was sent. */
function refusalOf(status: number, answer: unknown): string {
  const { error, error_description: prose } = isObject(answer) ? answer : {}
  const code = typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? ` ${error}` : ''
  const number = typeof prose === 'string' ? /^AADSTS\d{1,10}/.exec(prose)?.[0] : undefined
  return `The authority refused: ${status}${code}${number === undefined ? '' : ` (${number})`}.`
}

function wordsOf({ code }: Fault): string {
  if (code === 'upstream_timeout') return 'The authority did not answer in time.'
  return code === 'upstream_unreachable'
    ? 'The authority could not be reached.'
    : 'The authority broke off, or answered with something that is no HTTP.'
}

function lifeSeconds(told: unknown): number {
  const seconds = Number(told)
  return seconds > 0 && seconds <= lifeSecondsMax ? seconds : usualLifeSeconds
}

/** What happens to a promise, unless the signal comes first; the promise goes on for others. */
function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}
