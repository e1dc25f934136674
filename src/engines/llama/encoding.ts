import { fault } from '../../lib/faults.ts'
import type { EmbeddingList, EmbeddingRequest } from '../../wire/embeddings.ts'
import type { Reranking, RerankRequest } from '../../wire/rerank.ts'
import type { Call } from '../engine.ts'
import type { Description } from './file.ts'
import type { Job } from './host.ts'
import type { EncodeMessage, VectorEvent } from './protocol.ts'

export type EncodeAsked = Omit<EncodeMessage, 'id'>

/** An embedding request as the model's process takes it. Token arrays hold ids of the model itself. */
export function embeddingAsked({ input }: EmbeddingRequest): EncodeAsked {
  if (typeof input === 'string') return { type: 'encode', inputs: [input] }
  const ids = input.filter(item => typeof item === 'number')
  return { type: 'encode', inputs: ids.length > 0 ? [ids] : input.filter(item => typeof item !== 'number') }
}

export function rerankAsked({ query, documents }: RerankRequest): EncodeAsked {
  return { type: 'encode', inputs: documents.map(document => ({ query, document: textOf(document) })) }
}

const textOf = (document: RerankRequest['documents'][number]) =>
  typeof document === 'string' ? document : document.text

/** The vectors of a request, in the order of its inputs. @throws Fault */
export async function* encoded(job: Job, asked: EncodeAsked, call: Call): AsyncGenerator<VectorEvent> {
  let tokens = 0
  for (let open = asked.inputs.length; open > 0; open--) {
    const event = await job.feed.next()
    if (event === undefined) return
    if (event.kind !== 'vector')
      throw fault.internal(new Error(event.kind === 'failure' ? event.message : `unexpected event: ${event.kind}`))
    tokens += event.tokens
    call.meter.input(tokens)
    if (open === 1) job.finish()
    yield event
  }
}

/** @throws fault.invalidValue for more dimensions than the model has */
export function checkDimensions({ dimensions }: EmbeddingRequest, { dimensions: most }: Description): void {
  if (dimensions !== undefined && dimensions > most)
    throw fault.invalidValue(
      'dimensions',
      `Invalid value for 'dimensions': ${dimensions}. This model offers 1 to ${most}.`,
    )
}

/** Many long vectors are worked on in slices: other requests of this process go on. */
const sliceMs = 5

/** The reply to an embedding request; vectors have the length one. */
export async function embeddingList(
  model: string,
  { dimensions, encoding_format }: EmbeddingRequest,
  vectors: readonly VectorEvent[],
): Promise<EmbeddingList> {
  const data: EmbeddingList['data'] = []
  let sliceEnds = performance.now() + sliceMs
  for (const { choice, vector } of vectors) {
    const numbers = normalised(floats(vector).subarray(0, dimensions))
    const embedding = encoding_format === 'base64' ? base64(numbers) : Array.from(numbers)
    data.push({ object: 'embedding', index: choice, embedding })
    if (performance.now() < sliceEnds) continue
    await new Promise(resolve => setImmediate(resolve))
    sliceEnds = performance.now() + sliceMs
  }
  return { object: 'list', data, model, usage: usageOf(vectors) }
}

/**
 * The reply to a rerank request, the most relevant document first.
 */
export function reranking(
  model: string,
  { documents, top_n, return_documents }: RerankRequest,
  vectors: readonly VectorEvent[],
  { probabilities }: Description,
): Reranking {
  const results = vectors.map(({ choice: index, vector }) => {
    const [score = 0] = floats(vector)
    const document = documents[index]
    return {
      index,
      relevance_score: probabilities ? score : 1 / (1 + Math.exp(-score)),
      ...(return_documents === true && document !== undefined && { document: { text: textOf(document) } }),
    }
  })
  results.sort((one, other) => other.relevance_score - one.relevance_score || one.index - other.index)
  return { object: 'list', model, results: results.slice(0, top_n ?? undefined), usage: usageOf(vectors) }
}

function usageOf(vectors: readonly VectorEvent[]): EmbeddingList['usage'] {
  const tokens = vectors.reduce((sum, vector) => sum + vector.tokens, 0)
  return { prompt_tokens: tokens, total_tokens: tokens }
}

/** Copied: the bytes of a small buffer need not lie where 32-bit numbers may. */
function floats(text: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'))
  return new Float32Array(bytes.buffer)
}

/** Of length one; a vector of zeros stays what it is. */
function normalised(vector: Float32Array): Float32Array {
  let squares = 0
  for (const value of vector) squares += value * value
  const length = Math.sqrt(squares)
  return length === 0 ? vector : vector.map(value => value / length)
}

/** Little-endian 32-bit floats, as every SDK decodes them. All platforms that Node runs on are little-endian. */
const base64 = (vector: Float32Array): string =>
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
