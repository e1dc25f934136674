import { Fault, fault } from '../lib/faults.ts'
import { type Encoding, loadEncoding } from '../tokens/index.ts'
import type { EmbeddingList, EmbeddingRequest } from '../wire/embeddings.ts'
import type { Call, Engine } from './engine.ts'
import { inTurns, openVectors, type Vectors } from './vectors/vectors.ts'

/** Clients that send token ids have encoded with the encoding of OpenAI's embedding models (LangChain for Python does). */
const clientEncoding = 'cl100k_base'

/**
 * The built-in embedding model as an engine: static vectors computed in this process, in slices that never hold the event loop.
 * Usage is counted in the model's own tokens.
 * @param file the model file, read on first use
 */
export function embeddedEngine({ name, file }: { name: string; file: string }): Engine {
  let loaded: Vectors | undefined
  const vectors = () => {
    loaded ??= openVectors(file)
    return loaded
  }
  return {
    name,
    accepts: 'known',
    abilities: new Set(['embed']),
    tokenizer: {
      name,
      assumptions: [],
      count: (text, signal) => inTurns(vectors().countSteps(text), signal),
    },
    status: () => ({ state: loaded === undefined ? 'idle' : 'ready' }),
    async embed(request, call) {
      const texts = await textsOf(request)
      checkDimensions(request, vectors().dimensions)
      return embedAll(vectors(), name, texts, request, call)
    },
    async close() {
      loaded = undefined
    },
  }
}

async function embedAll(
  vectors: Vectors,
  model: string,
  texts: string[],
  request: EmbeddingRequest,
  call: Call,
): Promise<EmbeddingList> {
  const data: EmbeddingList['data'] = []
  let tokens = 0
  for (const [index, text] of texts.entries()) {
    const length = await inTurns(vectors.countSteps(text), call.signal)
    if (length > vectors.maxTokens)
      throw fault.contextLengthExceeded({ limit: vectors.maxTokens, prompt: length, subject: 'input' })
    tokens += length
    call.meter.input(tokens)
    const vector = await inTurns(vectors.embedSteps(text, request.dimensions ?? undefined), call.signal)
    data.push({
      object: 'embedding',
      index,
      embedding: request.encoding_format === 'base64' ? base64(vector) : Array.from(vector),
    })
  }
  return { object: 'list', data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } }
}

/** The four forms of `input` as texts. @throws Fault 400 for token ids that are none */
async function textsOf({ input }: EmbeddingRequest): Promise<string[]> {
  if (typeof input === 'string') return [input]
  if (input.every(item => typeof item === 'string')) return input
  const encoding = await loadEncoding(clientEncoding)
  if (isTokens(input)) return [decoded(encoding, input, 'input')]
  return input.map((item, index) => (typeof item === 'string' ? item : decoded(encoding, item, `input[${index}]`)))
}

const isTokens = (input: Exclude<EmbeddingRequest['input'], string>): input is number[] => typeof input[0] === 'number'

function decoded(encoding: Encoding, ids: number[], param: string): string {
  try {
    return encoding.decode(ids)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    throw fault.invalidValue(param, `Invalid '${param}': it holds numbers that are no tokens of ${clientEncoding}.`)
  }
}

function checkDimensions({ dimensions }: EmbeddingRequest, max: number): void {
  if (dimensions !== undefined && dimensions > max)
    throw fault.invalidValue(
      'dimensions',
      `Invalid value for 'dimensions': ${dimensions}. This model offers 1 to ${max}.`,
    )
}

/** Little-endian 32-bit floats, as every SDK decodes them. All platforms that Node runs on are little-endian. */
const base64 = (vector: Float32Array): string =>
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
