import { fault } from '../../lib/faults.ts'
import { fits } from '../../wire/check.ts'
import { EmbeddingList } from '../../wire/embeddings.ts'
import type { Document } from './document.ts'
import { isObject } from './values.ts'

/**
 * The bytes of an embeddings reply in the format that was asked for. Several servers ignore `encoding_format`, and clients decode what
 * they asked for without a look (wire.md section 8: silent garbage), so a reply in the other format is converted.
 */
export function inFormat(request: object, { bytes, value }: Document): Buffer {
  const wanted = 'encoding_format' in request && request.encoding_format === 'base64' ? 'string' : 'object'
  const entries = Array.isArray(value.data) ? value.data.filter(isObject) : []
  if (entries.every(entry => typeof entry.embedding === wanted)) return bytes
  const data = entries.map(entry => ({ ...entry, embedding: converted(entry.embedding, wanted === 'string') }))
  return Buffer.from(JSON.stringify({ ...value, data }))
}

/** The reply as a value. Throws `fault.upstreamInvalid` when an entry is not a vector. */
export function embeddingList(name: string, request: object, document: Document): EmbeddingList {
  const { value } = document
  const list: unknown = JSON.parse(inFormat(request, document).toString())
  const usage = isObject(value.usage) ? value.usage : {}
  const reply = {
    ...(isObject(list) ? list : {}),
    object: 'list',
    model: typeof value.model === 'string' ? value.model : name,
    usage: { prompt_tokens: usage.prompt_tokens ?? 0, total_tokens: usage.total_tokens ?? usage.prompt_tokens ?? 0 },
  }
  if (fits(EmbeddingList, reply)) return reply
  throw fault.upstreamInvalid(name, new Error('The reply is no list of embeddings.'))
}

/** Base64 of little-endian 32-bit floats to numbers, or back. */
function converted(embedding: unknown, toBase64: boolean): unknown {
  if (toBase64 && Array.isArray(embedding)) {
    const bytes = Buffer.alloc(embedding.length * 4)
    for (const [place, number] of embedding.entries()) bytes.writeFloatLE(Number(number), place * 4)
    return bytes.toString('base64')
  }
  if (toBase64 || typeof embedding !== 'string') return embedding
  const bytes = Buffer.from(embedding, 'base64')
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, place) => bytes.readFloatLE(place * 4))
}
