import { Fault, fault } from '../lib/faults.ts'
import { describe, type Log } from '../lib/log.ts'
import { dialectOf } from './azure/index.ts'

/** The one place where an error becomes a response. What is not a `Fault` is ours to mend: the client sees a plain 500. */
export function rendered(
  error: unknown,
  { id: requestId, url }: { id: string; url: string },
  log: Log,
): { status: number; headers: Readonly<Record<string, string>>; body: string } {
  const shown = error instanceof Fault ? error : fault.internal(error)
  if (shown.status >= 500 && shown.cause !== undefined)
    log.error('request.failed', { requestId, status: shown.status, code: shown.code, cause: describe(shown.cause) })
  return { status: shown.status, headers: shown.headers, body: JSON.stringify(dialectOf(url).errorBody(shown)) }
}

/** Fastify's and Node's own complaints about a request, in our words. */
export function fromFramework(error: unknown, limits: { maxBodyBytes: number }): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return fault.bodyTooLarge(limits.maxBodyBytes)
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH')
    return fault.badRequest('The body is not as long as its Content-Length says.')
  if (code === 'FST_ERR_BAD_URL' || code === 'FST_ERR_MAX_PARAM_LENGTH')
    return fault.badRequest('The URL could not be understood.')
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' || code === 'FST_ERR_CTP_INVALID_TYPE')
    return fault.unsupportedMediaType('unknown')
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return fault.badRequest('The request ended too early.')
  return error
}
