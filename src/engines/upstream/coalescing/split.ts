import { fault } from '../../../lib/faults.ts'
import type { Document } from '../document.ts'
import { isObject, tokenCount } from '../values.ts'
import { shares } from './shares.ts'

/** What one part of a joint request gets. */
export interface Piece {
  document: Document
  tokens: number
}

/**
 * Divides the reply to a joint request: each part gets its own vectors, numbered from 0, and its share of the tokens, which sum to what
 * the upstream reported.
 * @throws fault.upstreamInvalid when there is not one vector for each input
 */
export function split(
  name: string,
  { value }: Document,
  parts: readonly { inputs: readonly unknown[]; tokens: number }[],
): Piece[] {
  const counts = parts.map(({ inputs }) => inputs.length)
  const expected = counts.reduce((sum, count) => sum + count, 0)
  const entries = inOrder(value.data, expected)
  if (entries === undefined)
    throw fault.upstreamInvalid(name, new Error(`The reply does not hold one vector for each of ${expected} inputs.`))
  const usage = isObject(value.usage) ? value.usage : {}
  const counted = parts.map(({ tokens }) => tokens)
  const total = tokenCount(usage.prompt_tokens) ?? counted.reduce((sum, tokens) => sum + tokens, 0)
  const spent = shares(total, counted)
  let start = 0
  return counts.map((count, place) => {
    const data = entries.slice(start, start + count).map((entry, index) => ({ ...entry, index }))
    start += count
    const tokens = spent[place]!
    const mine = { ...value, data, usage: { prompt_tokens: tokens, total_tokens: tokens } }
    return { document: { bytes: Buffer.from(JSON.stringify(mine)), value: mine }, tokens }
  })
}

/** The entries by their `index`, or as they stand where none has one; undefined when some are missing. */
function inOrder(data: unknown, expected: number): Record<string, unknown>[] | undefined {
  if (!Array.isArray(data) || data.length !== expected) return undefined
  const entries = data.filter(isObject)
  if (entries.length !== expected) return undefined
  if (entries.every(({ index }) => index === undefined)) return entries
  const ordered = new Map(entries.map(entry => [entry.index, entry]))
  const found = entries.map((_, place) => ordered.get(place)).filter(entry => entry !== undefined)
  return found.length === expected ? found : undefined
}
