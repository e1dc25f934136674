import { parseJson } from '../../../lib/json.ts'
import { isRecord } from '../../../wire/walk.ts'

/** Of one upstream. OpenRouter, which has the most, lists a few hundred. */
export const namesMax = 10_000
/** Bytes of an answer. OpenRouter's, with descriptions and prices, is about one megabyte. */
export const listBytesMax = 16_777_216

/** What can be called, and be shown in a terminal: no spaces, no control characters. */
const nameForm = /^[\p{L}\p{N}\p{P}\p{S}]{1,256}$/u

/**
 * Names of the models in an answer to `GET /models`: OpenAI's `{data: [{id}]}`, Together's bare list, and `{models: […]}` of Ollama and
 * Cohere. Names that nobody could call are left out.
 * @returns undefined for what is no list of models, or a longer one than `namesMax`
 */
export function namesIn(bytes: Buffer): string[] | undefined {
  const entries = entriesOf(parsed(bytes))
  if (entries === undefined || entries.length > namesMax) return undefined
  const names = new Set(entries.map(nameOf).filter(name => name !== undefined))
  // Entries of another kind: it is a list, but not of models.
  return entries.length > 0 && names.size === 0 ? undefined : [...names]
}

function parsed(bytes: Buffer): unknown {
  try {
    return parseJson(bytes, { maxDepth: 32, maxKeys: 1_000_000 })
  } catch {
    return undefined // told with everything else that is no list
  }
}

function entriesOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value
  if (!isRecord(value)) return undefined
  return [value.data, value.models].find(Array.isArray)
}

function nameOf(entry: unknown): string | undefined {
  if (!isRecord(entry)) return undefined
  const name = [entry.id, entry.name, entry.model].find(word => typeof word === 'string')
  return name !== undefined && nameForm.test(name) ? name : undefined
}
