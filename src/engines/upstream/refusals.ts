import { type Fault, fault } from '../../lib/faults.ts'
import { errorOf, refusalOf } from './error-forms.ts'
import type { Head } from './exchange.ts'
import { isObject, parsed } from './values.ts'

/** Characters of an upstream's words that reach a caller. */
const messageLengthMax = 4096
const wordLengthMax = 256
/** Characters of what Azure says of its filter. */
const detailsLengthMax = 16_384

/** What an error that came from the upstream is judged with. */
export interface About {
  /** The engine, for messages. */
  name: string
  /** Strings that must never reach a caller: the key and the address of the upstream. */
  secrets: readonly string[]
  /**
   * For errors that this kind of server words in its own way; undefined: the fault of any upstream.
   * @param status of the answer, or the one that an error in place of a reply would have had
   */
  judge?(status: number, error: Readonly<Record<string, unknown>>): Fault | undefined
  /** What this kind of server says of a prompt that is too long, where its code does not tell. */
  tooLong?: RegExp | undefined
}

/** Upstreams have no 407: it comes from a proxy that was to send the request on. */
const proxyRefusal = 'A proxy asks for credentials, or refused those of the settings (status 407).'

/** Values of headers that are shorter stand in every other text. */
const headerSecretLengthMin = 8

/** The key, headers and every form of the address, longest first, so that no part of one is left over. */
export function secretsOf(
  url: URL,
  apiKey: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): string[] {
  const values = Object.values(headers).filter(value => value.length >= headerSecretLengthMin)
  const forms = [url.href, url.origin, url.host, url.hostname, ...(apiKey === undefined ? [] : [apiKey]), ...values]
  return [...new Set(forms)].filter(form => form.length > 2).toSorted((one, other) => other.length - one.length)
}

/**
 * The fault for an answer that is no 200. Errors in OpenAI's form (and the near forms of vLLM and Ollama) are passed on with status,
 * message, type, param and code. Not passed on: words of 401 and 403, which speak to the operator about the configured key; words of
 * 5xx, which speak of the upstream's inside; anything that is not an error in a known form.
 */
export function refusal(about: About, head: Head, body: Buffer): Fault {
  const { status } = head
  const error = refusalOf(parsed(body))
  const cause = new Error(
    `The upstream answered with the status ${status}${error === undefined ? '' : ' and an error'}.`,
  )
  const headers = retryHeaders(head)
  const judged = error && about.judge?.(status, error)
  if (judged !== undefined) return judged
  if (error !== undefined && isTooLong(about, error)) return passedOn(about, 400, tooLong(error), {})
  if (status === 401 || status === 403) return fault.upstreamRefusedKey(about.name, cause)
  if (status === 407) return fault.upstreamUnreachable(about.name, new Error(proxyRefusal))
  if (status === 503) return fault.upstreamUnavailable(about.name, headers, cause)
  if (status === 504) return fault.upstreamTimeout(about.name, cause)
  if (status >= 500) return fault.upstreamFailed(about.name, cause)
  if (status >= 400 && error !== undefined) return passedOn(about, status, error, headers)
  if (status === 429) return fault.upstreamError(429, slowDown(about.name), headers)
  return fault.upstreamInvalid(about.name, cause)
}

/**
 * The fault for an error that stands where a reply was due: a document or an event of a stream with the status 200. A numeric code
 * is taken as the status that it would have had.
 */
export function errorInReply(about: About, reply: Record<string, unknown>): Fault | undefined {
  const error = errorOf(reply)
  if (error === undefined) return
  const status = [error.status, error.code, error.status_code].map(Number).find(code => code >= 400 && code <= 599)
  const cause = new Error('The upstream sent an error in place of a reply.')
  const judged = about.judge?.(status ?? 500, error)
  if (judged !== undefined) return judged
  if (isTooLong(about, error)) return passedOn(about, 400, tooLong(error), {})
  if (status === 401 || status === 403) return fault.upstreamRefusedKey(about.name, cause)
  return passedOn(about, status === undefined || status >= 500 ? 502 : status, error, {})
}

const isTooLong = (about: About, { message }: Record<string, unknown>): boolean =>
  about.tooLong !== undefined && typeof message === 'string' && about.tooLong.test(message)

/** As OpenAI says it: programs, and the choice of another target, go by the code. */
const tooLong = ({ message, param }: Record<string, unknown>): Record<string, unknown> => ({
  ...{ message, param, type: 'invalid_request_error', code: 'context_length_exceeded' },
})

function passedOn(
  about: About,
  status: number,
  error: Record<string, unknown>,
  headers: Record<string, string>,
): Fault {
  const word = (value: unknown) => {
    const text = typeof value === 'number' ? String(value) : value
    return typeof text === 'string' ? scrubbed(about, text).slice(0, wordLengthMax) : null
  }
  const message = typeof error.message === 'string' ? scrubbed(about, error.message).slice(0, messageLengthMax) : ''
  return fault.upstreamError(
    status,
    {
      message: message === '' ? `The upstream of the model '${about.name}' refused the request.` : message,
      type: word(error.type) ?? (status >= 500 ? 'server_error' : 'invalid_request_error'),
      param: word(error.param),
      code: word(error.code),
      details: detailsOf(about, error),
    },
    headers,
  )
}

/** What Azure OpenAI's filter found (wire.md section 10): its clients read it. */
function detailsOf(about: About, { innererror }: Record<string, unknown>): Record<string, unknown> | undefined {
  if (!isObject(innererror)) return undefined
  const text = scrubbed(about, JSON.stringify(innererror))
  return text.length > detailsLengthMax ? undefined : { innererror: JSON.parse(text) }
}

const slowDown = (name: string) => ({
  message: `The upstream of the model '${name}' limits the rate of requests. Please try again later.`,
  type: 'requests',
  code: 'rate_limit_exceeded',
})

function scrubbed(about: About, text: string): string {
  let clean = text
  for (const secret of about.secrets) clean = clean.replaceAll(secret, '[upstream]')
  return clean
}

/** `retry-after` in seconds or as an HTTP date, and `retry-after-ms`: all that a caller may use of the upstream's headers. */
function retryHeaders({ headers }: Head): Record<string, string> {
  const after = headers['retry-after']
  const afterMs = headers['retry-after-ms']
  return {
    ...(typeof after === 'string' && /^(?:\d{1,7}|[A-Z][a-z]{2}, [\w: -]{20,30})$/.test(after)
      ? { 'retry-after': after }
      : {}),
    ...(typeof afterMs === 'string' && /^\d{1,10}$/.test(afterMs) ? { 'retry-after-ms': afterMs } : {}),
  }
}
