import type { IncomingHttpHeaders } from 'node:http'
import type { Caller } from '../platform/keys.ts'

/** Headers of every response (wire.md section 2). */
export function responseHeaders(
  requestId: string,
  elapsedMs: number,
  caller: Caller | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {
    'x-request-id': requestId,
    'openai-version': '2020-10-01',
    'openai-processing-ms': String(Math.max(0, Math.round(elapsedMs))),
    'access-control-allow-origin': '*', // safe: no cookie is ever read here, every call carries its key
    'access-control-expose-headers': 'X-Request-ID, OpenAI-Processing-Ms, Retry-After, Retry-After-Ms',
    'x-content-type-options': 'nosniff',
  }
  if (caller !== undefined) headers['openai-organization'] = caller.organizationName
  return headers
}

/** Answers a browser's question before the real request. The SDKs send many `x-stainless-*` headers, so what is asked is granted. */
export function preflightHeaders(asked: IncomingHttpHeaders): Record<string, string> {
  return {
    'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
    'access-control-allow-headers': asked['access-control-request-headers'] ?? 'authorization, content-type',
    'access-control-max-age': '86400',
  }
}
