import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { type GgufHeader, limits, parseBeginning, parseHeader } from './read.ts'

/** `generate` continues texts, `embed` turns them into vectors, `rerank` scores pairs of texts. */
export type Purpose = 'generate' | 'embed' | 'rerank'

/** How the vectors of all tokens become the one of the text. Numbers of llama.cpp. */
export const pooling = { mean: 1, cls: 2, last: 3, rank: 4 } as const
type PoolingName = keyof typeof pooling

/** Architectures that read a text in both directions: they cannot continue one. */
const encoders = /bert|^t5|embed/

/** What a model is for. `pooling` is null for a model that generates. */
export interface Use {
  readonly purpose: Purpose
  readonly pooling: PoolingName | null
  /** Whether the file itself says how it pools. */
  readonly stated: boolean
  /** Whether each token sees only those before it. */
  readonly causal: boolean
}

/** As the header says; where it says nothing of pooling, as models of its architecture are made. */
export function useOf(header: GgufHeader): Use {
  const architecture = header.text('general.architecture') ?? ''
  const isEncoder = encoders.test(architecture)
  const causal = header.flag(`${architecture}.attention.causal`) ?? !isEncoder
  const number = header.number(`${architecture}.pooling_type`)
  const [named] = Object.entries(pooling).find(([, value]) => value === number) ?? []
  if (isPooling(named)) return { purpose: named === 'rank' ? 'rerank' : 'embed', pooling: named, stated: true, causal }
  if (!isEncoder && causal) return { purpose: 'generate', pooling: null, stated: false, causal }
  if (classifies(header)) return { purpose: 'rerank', pooling: 'rank', stated: false, causal }
  return { purpose: 'embed', pooling: 'mean', stated: false, causal }
}

const isPooling = (name: string | undefined): name is PoolingName => name !== undefined && name in pooling

/** A head on top of the encoder that tells one number: files of older converters do not say that they rank. */
const classifies = (header: GgufHeader) =>
  header.tensors.some(({ name, shape }) => /^cls(\.output)?\.weight$/.test(name) && shape[0] === 1)

/** Writers put what matters here before the vocabulary, which is what makes headers long. */
const beginningBytes = 65_536

/**
 * What a model's file is for, from the beginning of its header: a millisecond of reading at most. Only encoders that do not say how
 * they pool take a look at all of the header; their vocabularies are small.
 * @returns undefined when the file cannot be read or is no GGUF file
 */
export function purposeOfFile(path: string): Purpose | undefined {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const { size } = fstatSync(file)
    const { purpose, stated } = useOf(parseBeginning(start(file, beginningBytes, size), size))
    if (purpose === 'generate' || stated) return purpose
    const header = parseHeader(start(file, limits.headerBytes / 4, size), size)
    return header === 'more' ? purpose : useOf(header).purpose
  } catch {
    // Whoever opens it to use it tells why it cannot be used.
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function start(file: number, most: number, size: number): Buffer {
  const bytes = Buffer.alloc(Math.min(most, size))
  return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0))
}
