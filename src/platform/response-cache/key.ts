import { createHash } from 'node:crypto'
import { isRecord } from '../../wire/walk.ts'

/** What two requests must have in common to have one reply. */
export interface Keyed {
  /** The id of the operation. */
  readonly operation: string
  readonly organizationId: string
  readonly projectId: string
  /** The model that answers, whatever the request calls it. */
  readonly model: string
  /** Another number when something else answers under that name. */
  readonly revision: number
  readonly body: object
}

/** Fields that say who asks and what is to be done with the reply, and change nothing in it. */
const callersOwn: ReadonlySet<string> = new Set([
  ...['model', 'user', 'safety_identifier', 'metadata', 'store', 'prompt_cache_key', 'prompt_cache_retention'],
])

/**
 * SHA-256 over all that shapes a reply. Every field of the body counts, those that nobody here knows too; `model` counts as what it
 * leads to, and `stream` by what it comes to. The order of fields is no difference in the request itself and in its messages. It is one
 * anywhere else: models write the properties of a schema in the order in which it names them.
 */
export function keyOf({ operation, organizationId, projectId, model, revision, body }: Keyed): string {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([operation, organizationId, projectId, model, revision]))
  for (const [name, value] of Object.entries(body).sort(byName)) {
    if (value === undefined || callersOwn.has(name)) continue
    if (name === 'stream' && value !== true) continue
    hash.update(`\n${JSON.stringify(name)}:${JSON.stringify(name === 'messages' ? sorted(value) : value)}`)
  }
  return hash.digest('base64url')
}

/** Whether equal requests have equal replies, as far as anybody can say before: then those that come at once can share one. */
export function isDeterministic(body: object): boolean {
  if (!('messages' in body || 'prompt' in body)) return true // embeddings
  const { temperature, seed } = body as { temperature?: unknown; seed?: unknown }
  return temperature === 0 || Number.isInteger(seed)
}

/** The same with fields in the order of their names. As deep as a body may be, and no deeper: that was bounded when it was read. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isRecord(value)) return value
  const fields: [string, unknown][] = Object.entries(value).sort(byName)
  return Object.fromEntries(fields.map(([name, field]) => [name, sorted(field)]))
}

const byName = ([one]: [string, unknown], [other]: [string, unknown]): number =>
  one < other ? -1 : one > other ? 1 : 0
