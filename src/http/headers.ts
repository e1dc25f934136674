import type { IncomingHttpHeaders } from 'node:http'
import type { Caller } from '../platform/keys.ts'

/** Names and values by turns, as Node writes them fastest. */
export type HeaderList = readonly string[]

/** Headers of every response (wire.md section 2). */
export function responseHeaders(requestId: string, elapsedMs: number, caller: Caller | undefined): string[] {
  const headers = [
    'x-request-id',
    requestId,
    'openai-version',
    '2020-10-01',
    'openai-processing-ms',
    String(Math.max(0, Math.round(elapsedMs))),
    'access-control-allow-origin',
    '*', // safe: a browser shows no page of another origin what a request with cookies was answered (see `reach.ts`)
    'access-control-expose-headers',
    'X-Request-ID, OpenAI-Processing-Ms, Retry-After, Retry-After-Ms',
    'x-content-type-options',
    'nosniff',
  ]
  if (caller !== undefined && caller.organizationName !== '')
    headers.push('openai-organization', caller.organizationName)
  return headers
}

/** Answers a browser's question before the real request. The SDKs send many `x-stainless-*` headers, so what is asked is granted. */
export function preflightHeaders(asked: IncomingHttpHeaders): HeaderList {
  const headers = asked['access-control-request-headers'] ?? 'authorization, content-type'
  return [
    'access-control-allow-methods',
    'GET, POST, DELETE, OPTIONS',
    'access-control-allow-headers',
    headers,
    'access-control-max-age',
    '86400',
  ]
}
