import { isUtf8 } from 'node:buffer'

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The JSON value in these bytes; undefined when they hold none, or are not UTF-8. The reason is left out on purpose: V8's own message
 * quotes the text, which may be a reply.
 */
export function parsed(bytes: Buffer | string): unknown {
  if (typeof bytes !== 'string' && !isUtf8(bytes)) return
  try {
    return JSON.parse(bytes.toString())
  } catch (error) {
    if (error instanceof SyntaxError) return
    throw error
  }
}

/** The media type in a `content-type` header, lower case; undefined when it is absent or sent twice with different values. */
export function mediaType(header: string | string[] | undefined): string | undefined {
  if (header === 'application/json' || header === 'text/event-stream') return header
  const types = new Set([header].flat().map(value => value?.split(';')[0]?.trim().toLowerCase()))
  return types.size === 1 ? [...types][0] : undefined
}

/** A whole number of tokens, as far as one can be believed. */
export const tokenCount = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= 1e9 ? value : undefined
