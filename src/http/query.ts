import type { TSchema } from 'typebox'
import { fault } from '../lib/faults.ts'
import { type Shape, shapeOf } from '../wire/walk.ts'

/** More pairs than any client sends. */
const maxPairs = 200

/**
 * What stands behind the question mark, in the types that the operation's schema has for it. The SDKs write lists as
 * `include[]=a&include[]=b` and objects as `metadata[k]=v` (wire.md section 1); a name that is simply repeated is a list too. A text
 * that is no number where one is expected stays a text, and the check that follows says so.
 * @throws Fault 400 for too many pairs, and for bytes that are no UTF-8
 */
export function readQuery(url: string | undefined, schema: TSchema): Record<string, unknown> {
  const start = url?.indexOf('?') ?? -1
  if (url === undefined || start === -1) return {}
  const pairs = url
    .slice(start + 1)
    .split('&')
    .filter(pair => pair !== '')
  if (pairs.length > maxPairs) throw fault.badRequest(`The URL holds too many parameters: at most ${maxPairs}.`)
  return typedPairs(
    pairs.map(pair => {
      const split = pair.indexOf('=')
      const [name, value] = split === -1 ? [pair, ''] : [pair.slice(0, split), pair.slice(split + 1)]
      return [decoded(name), decoded(value)]
    }),
    schema,
  )
}

/** A name and a text, as URLs and forms have them. */
export type Pair = readonly [name: string, value: string]

/** What the pairs say together, in the types that the schema has for it. */
export function typedPairs(pairs: readonly Pair[], schema: TSchema): Record<string, unknown> {
  const { properties = {} } = shapeOf(schema)
  const named = new Map<string, unknown>()
  for (const [name, value] of pairs) add(named, name, value, properties)
  return Object.fromEntries(named)
}

function add(query: Map<string, unknown>, written: string, value: string, properties: Shape['properties'] = {}): void {
  const [, name = written, key = ''] = /^([^[\]]+)\[([^[\]]*)\]$/.exec(written) ?? []
  const shape = Object.hasOwn(properties, name) ? kindOf(properties[name]!) : undefined
  if (shape?.type === 'object' && name !== written) {
    const known = query.get(name)
    const inner = Object.hasOwn(shape.properties ?? {}, key) ? kindOf(shape.properties![key]!) : undefined
    query.set(name, { ...(typeof known === 'object' ? known : {}), [key]: typed(value, inner) }) // spread: `__proto__` stays a name
  } else if (shape?.type === 'array' && key === '') {
    const known = query.get(name)
    query.set(name, [...(Array.isArray(known) ? known : []), typed(value, kindOf(shape.items ?? {}))])
  } else query.set(shape === undefined ? written : name, typed(value, shape)) // of two, the last counts
}

/** The schema without null, which a URL cannot say. */
function kindOf(shape: Shape): Shape {
  return shape.anyOf?.find(one => one.type !== 'null') ?? shape
}

function typed(value: string, shape: Shape | undefined): unknown {
  if (shape?.type === 'integer' && /^-?\d{1,15}$/.test(value)) return Number(value)
  if (shape?.type === 'number' && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(value)) return Number(value)
  if (shape?.type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true'
  return value
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw fault.badRequest('The parameters of the URL could not be understood.')
  }
}
