import type { ModelFile } from './check.ts'
import { useOf } from './purpose.ts'
import type { GgufHeader } from './read.ts'

/** How a model is run. */
export interface Run {
  /** Tokens of one sequence. */
  readonly context: number
  /** Sequences that are kept at once. */
  readonly sequences: number
  /** Tokens computed in one step at most. */
  readonly batch: number
}

/** What llama.cpp takes for a model, without the program around it. */
export interface Footprint {
  readonly weightsBytes: number
  /** Keys and values of all tokens that the sequences may hold. */
  readonly cacheBytes: number
  /** What is computed between the layers, and the vocabulary. */
  readonly computeBytes: number
}

/**
 * What a model will take, from its header alone. Left out, because few requests or models need it: logits of many places at once
 * (scoring a whole prompt takes batch × vocabulary × 4 more), and the state of recurrent layers.
 * @returns undefined when the header is too strange to tell
 */
export function footprint(model: ModelFile, run: Run): Footprint | undefined {
  try {
    const shape = shapeOf(model)
    const vocabularyBytes = model.vocabularySize * vocabularyEntryBytes
    const found = {
      weightsBytes: model.header.fileBytes - model.header.headerBytes,
      cacheBytes: useOf(model.header).causal ? cacheBytes(model, shape, run) : 0,
      computeBytes: run.batch * (shape.feedForward + shape.width) * betweenLayersBytes + vocabularyBytes,
    }
    return Object.values(found).every(bytes => Number.isFinite(bytes) && bytes >= 0) ? found : undefined
  } catch {
    return undefined // a value of a type that is not expected: the loader says what it thinks of it
  }
}

/** Keys and values are kept as 16-bit floats. */
const cacheItemBytes = 2
/** Measured: of a token in llama.cpp's tables. */
const vocabularyEntryBytes = 80
/** Measured: four floats for each number between the layers. */
const betweenLayersBytes = 16
/** llama.cpp counts positions of a sequence in blocks of 256. */
const padded = (tokens: number) => Math.ceil(tokens / 256) * 256

interface Shape {
  readonly layers: number
  readonly width: number
  readonly feedForward: number
}

function shapeOf({ header, architecture }: ModelFile): Shape {
  const most = (key: string) => Math.max(0, ...perLayer(header, `${architecture}.${key}`, 1, 0))
  const experts = most('expert_feed_forward_length') * most('expert_used_count')
  return {
    layers: Math.min(most('block_count'), header.tensors.length), // a bound on what follows, whatever the file claims
    width: most('embedding_length'),
    feedForward: Math.max(most('feed_forward_length'), experts),
  }
}

function cacheBytes({ header, architecture }: ModelFile, { layers, width }: Shape, run: Run): number {
  const each = <Missing>(name: string, missing: Missing) =>
    perLayer(header, `${architecture}.attention.${name}`, layers, missing)
  const heads = each('head_count', 0)
  const keyHeads = each('head_count_kv', undefined)
  const keyLengths = each('key_length', undefined)
  const valueLengths = each('value_length', undefined)
  const windows = windowsOf(header, architecture, layers)
  const all = padded(run.context)
  let items = 0
  for (let layer = 0; layer < layers; layer++) {
    const count = heads[layer] ?? 0
    const usual = count === 0 ? 0 : width / count
    const window = windows[layer]
    const tokens = window === undefined ? all : Math.min(all, padded(window + run.batch))
    items += tokens * (keyHeads[layer] ?? count) * ((keyLengths[layer] ?? usual) + (valueLengths[layer] ?? usual))
  }
  return items * cacheItemBytes * run.sequences
}

/** Where files need not say it: every n-th layer sees all tokens, the others a window (`load_arch_hparams` of llama.cpp). */
const usualPeriods: Readonly<Record<string, number>> = { gemma2: 2, gemma3: 6, gemma3n: 5, cohere2: 4, 'gpt-oss': 2 }

/** For each layer how many tokens it looks back; undefined for all. */
function windowsOf(header: GgufHeader, architecture: string, layers: number): (number | undefined)[] {
  const window = header.number(`${architecture}.attention.sliding_window`)
  if (window === undefined || window === 0) return []
  const key = `${architecture}.attention.sliding_window_pattern`
  const flags = header.isArray(key) ? (header.flags(key) ?? []) : undefined
  const period = flags === undefined ? (header.number(key) ?? usualPeriods[architecture] ?? 1) : 0
  const slides = (layer: number) =>
    flags === undefined ? period === 0 || layer % period < period - 1 : flags[layer % flags.length] === true
  return Array.from({ length: layers }, (_, layer) => (slides(layer) ? window : undefined))
}

/** A number that the header gives once for all layers, or for each. */
function perLayer<Missing>(header: GgufHeader, key: string, layers: number, missing: Missing): (number | Missing)[] {
  if (header.isArray(key)) return header.numbers(key) ?? []
  return new Array<number | Missing>(Math.max(1, layers)).fill(header.number(key) ?? missing)
}
