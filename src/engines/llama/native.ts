import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * llama.cpp as node-llama-cpp 3.21.1 ships it: its prebuilt addon, loaded without the JavaScript around it. That JavaScript costs
 * half a second at start (476 modules and a trial process) and four fifths of the speed of a small model, and its batching needs the
 * cures of our own scheduler anyway. The addon's interface is internal to node-llama-cpp: hence the exact version in package.json
 * and the tests in `llama.native.test.ts`. The types below are the part that is used.
 */
export interface Bindings {
  AddonModel: new (path: string, options: ModelOptions) => NativeModel
  AddonContext: new (
    model: NativeModel,
    options: ContextOptions,
  ) => NativeContext & NativeOdds & NativeAdaptable & NativeVectors
  AddonModelLora: new (model: NativeModel, path: string) => NativeAdapter
  AddonSampler: new (model: NativeModel) => NativeSampler
  /** @throws Error when the text is no grammar in GBNF with the rule `root` */
  AddonGrammar: new (
    gbnf: string,
    options: { addonExports: Bindings },
  ) => NativeGrammar
  AddonGrammarEvaluationState: new (model: NativeModel, grammar: NativeGrammar) => NativeGrammarState
  getGpuType(): string | false | undefined
  getSupportsMmap(): boolean
  loadBackends(folder?: string): void
  setLogger(log: (level: number, message: string) => void): void
  setLoggerLogLevel(level: number): void
  init(): Promise<void>
}

interface ModelOptions {
  addonExports: Bindings
  gpuLayers: number
  useMmap: boolean
  /** Reads the tokens alone, no weights. */
  vocabOnly?: boolean
  /** Numbers of the header that are to be others; the last item says that they are whole. */
  overridesList?: readonly (readonly [key: string, value: number, whole: 0])[]
}

interface ContextOptions {
  /** Of all sequences together. */
  contextSize: number
  batchSize: number
  sequences: number
  threads: number
  /** Computes vectors instead of logits. */
  embeddings?: boolean
}

export interface NativeModel {
  /** False when the file cannot be loaded; the log says why. */
  init(): Promise<boolean>
  /** @throws Error when the adapter cannot be loaded for this model; the log says why */
  loadLora(adapter: NativeAdapter): Promise<void>
  tokenize(text: string, controlTokens: boolean): Uint32Array
  detokenize(tokens: Uint32Array, controlTokens: boolean): string
  getTrainContextSize(): number
  isEogToken(token: number): boolean
  eotToken(): number
  tokenBos(): number
  tokenEos(): number
  sepToken(): number
  shouldPrependBosToken(): boolean
  shouldAppendEosToken(): boolean
  /** What marks, in a prompt for filling in the middle, the text before, the text after, and the place to fill; -1 without. */
  prefixToken(): number
  suffixToken(): number
  middleToken(): number
  /** As the vocabulary spells it: bytes and spaces may be written as other characters. */
  getTokenString(token: number): string | undefined
  /** Bits: see `token-bytes.ts`. */
  getTokenAttributes(token: number): number
  getVocabularyType(): number
}

/** One context holds all sequences. Everything but `decodeBatch` and `sampleToken` is immediate, and must not run beside a decode. */
export interface NativeContext {
  init(): Promise<boolean>
  initBatch(tokens: number): void
  /** Gives, for each index into `tokens` whose logits are wanted, where they will be in the batch. */
  addToBatch(sequence: number, position: number, tokens: Uint32Array, logitsAt: Uint32Array): Uint32Array
  decodeBatch(): Promise<void>
  /** The next token, or -1 when none could be sampled. */
  sampleToken(logits: number, sampler: NativeSampler): Promise<number>
  /** Forgets everything the sequence holds. */
  disposeSequence(sequence: number): void
  /** Forgets positions from `start` to before `end`; false when this kind of model cannot. */
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean
  /** The first position held: above 0 when a sliding window has moved on; -1 when empty. */
  getSequenceKvCacheMinPosition(sequence: number): number
}

/** The same context, changed by adapters. */
export interface NativeAdaptable {
  /** Works on everything that is decoded from now on. */
  setLoras(adapters: readonly NativeAdapter[], scales: readonly number[]): void
}

/** The same context, made for vectors. */
export interface NativeVectors {
  /** Of the text that sequence 0 holds, pooled; no other sequence can be asked. @param tokens of the text */
  getEmbedding(tokens: number): Float64Array
}

export type NativeAdapter = object

/** The same method of a context, asked for more. */
export interface NativeOdds {
  /**
   * Samples, and tells what is left of the vocabulary after the sampler's filters, likeliest first: token, probability, token, … (if
   * `probabilities`), and the probability of the sampled token among them (if `confidence`). Sorts what is left.
   */
  sampleToken(
    logits: number,
    sampler: NativeSampler,
    probabilities: boolean,
    confidence: boolean,
  ): Promise<[token: number, probabilities?: number[], confidence?: number]>
}

export interface NativeSampler {
  /** In this order: bias, penalties, then `topK`, `topP`, the temperature, the seeded choice; without a temperature the likeliest token. */
  applyConfig(config: NativeSampling): void
  dispose(): void
}

export interface NativeSampling {
  temperature?: number
  topP?: number
  topK?: number
  seed?: number
  /** Added to the logits of these tokens. Both lists are of one length. */
  tokenBiasKeys?: Uint32Array
  tokenBiasValues?: Float32Array
  /** Tokens that count as sampled before; without this list there are no penalties. */
  repeatPenaltyTokens?: Uint32Array
  /** A factor; 1 changes nothing. */
  repeatPenalty?: number
  /** How many of the last sampled tokens count. */
  repeatPenaltyMaxTokens?: number
  repeatPenaltyPresencePenalty?: number
  repeatPenaltyFrequencyPenalty?: number
  grammarEvaluationState?: NativeGrammarState
}

export interface NativeGrammar {
  isTextCompatible(text: string): boolean
}

/** How far a reply has come in its grammar. Moves on with each token that its sampler samples. */
export type NativeGrammarState = object

/**
 * The addon for this machine, its computing backends registered.
 * @param log receives llama.cpp's errors
 * @throws Error when no prebuilt binary fits the machine
 */
export async function loadBindings(gpu: 'auto' | false, log: (message: string) => void): Promise<Bindings> {
  const require = createRequire(import.meta.resolve('node-llama-cpp'))
  let failure: unknown
  for (const { name, hasGpu } of packagesFor(gpu)) {
    try {
      const folder = join(dirname(require.resolve(`@node-llama-cpp/${name}`)), '..', 'bins', name)
      const bindings: Bindings = require(join(folder, 'llama-addon.node'))
      bindings.setLogger((_level, message) => log(message))
      bindings.setLoggerLogLevel(errorLevel)
      bindings.loadBackends()
      if (!hasBackend(bindings, hasGpu)) bindings.loadBackends(folder)
      if (!hasBackend(bindings, hasGpu)) throw new Error(`The backend of '${name}' is not usable here`)
      await bindings.init()
      return bindings
    } catch (error) {
      failure = error
    }
  }
  throw new Error(`llama.cpp has no usable binary for ${process.platform} ${process.arch}`, { cause: failure })
}

/** Of the addon's log. */
const errorLevel = 2

/** `undefined` means that no backend is registered at all, `false` that there is none but the CPU. */
function hasBackend(bindings: Bindings, gpu: boolean): boolean {
  const type = bindings.getGpuType()
  return type !== undefined && (type !== false || !gpu)
}

/** Platform packages of node-llama-cpp, best first. Apple's processors have one for both kinds. */
function packagesFor(gpu: 'auto' | false): { name: string; hasGpu: boolean }[] {
  const { platform, arch } = process
  if (platform === 'darwin')
    return [arch === 'arm64' ? { name: 'mac-arm64-metal', hasGpu: true } : { name: 'mac-x64', hasGpu: false }]
  const name = `${platform === 'win32' ? 'win' : platform}-${arch === 'arm' ? 'armv7l' : arch}`
  const withGpu = gpu === 'auto' && arch === 'x64' ? [`${name}-cuda`, `${name}-vulkan`] : []
  return [...withGpu.map(gpuName => ({ name: gpuName, hasGpu: true })), { name, hasGpu: false }]
}
