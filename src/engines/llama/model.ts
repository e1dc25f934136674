import { basename } from 'node:path'
import { Gauge } from './gauge.ts'
import {
  type Bindings,
  loadBindings,
  type NativeAdapter,
  type NativeContext,
  type NativeGrammar,
  type NativeModel,
  type NativeOdds,
  type NativeSampler,
  type NativeSampling,
  type NativeVectors,
} from './native.ts'
import type { EncodingSettings, LoadedMessage, LoadMessage } from './protocol.ts'
import type { PromptPiece } from './templates.ts'
import { tokenBytes } from './token-bytes.ts'

/** A loaded model and its context. */
export interface Model {
  readonly context: NativeContext & NativeVectors
  /** For what the model does not wrap. */
  readonly native: NativeModel
  readonly millis: LoadedMessage['millis']
  /** The tokens of a prompt, with the token that begins a text where the model wants one. */
  tokens(pieces: readonly PromptPiece[]): number[]
  /** The text of tokens; control tokens have none, unless they are `spelt`. */
  text(tokens: readonly number[], spelt?: boolean): string
  /** As `text`, but control tokens that were given to `reveal` are spelt. */
  legible(tokens: readonly number[]): string
  /** Makes control tokens of these spellings part of what `legible` gives; of all others it gives nothing. */
  reveal(spellings: readonly string[], all: readonly string[]): void
  /** Of `all` those that `legible` gives nothing for, without those that end the reply. */
  readonly hidden: readonly number[]
  /** Whether this is the spelling of one token, which ends the reply. */
  isEnd(spelling: string): boolean
  /** @throws Error when the text is no grammar */
  grammar(gbnf: string): NativeGrammar
  /** The bytes of one token, which need not be whole characters. */
  bytes(token: number): readonly number[]
  /** Whether a token ends the reply. */
  ends(token: number): boolean
  /** What stands for an empty prompt. */
  readonly start: number | undefined
  /** What the tokenizer puts in front of a text by itself. */
  readonly begin: number | undefined
  /** The prompt for filling the gap between two texts; undefined when the model has no tokens for it. */
  readonly infill: ((before: readonly number[], after: readonly number[]) => number[]) | undefined
  sampler(settings: Sampling): NativeSampler
  /** Tells how likely tokens were, and `count` of the likeliest. */
  gauge(count: number): Gauge
}

/** How one choice is sampled. */
export interface Sampling {
  readonly temperature: number
  readonly topP: number
  /** A uint32. */
  readonly seed: number
  readonly penalties?: { readonly presence: number; readonly frequency: number }
  readonly bias?: readonly (readonly [token: number, bias: number])[]
  /** How many tokens are generated at most: the penalties see all of them. */
  readonly maxTokens: number
  /** What the reply must fit; each choice has a place of its own in it. */
  readonly grammar?: NativeGrammar
}

/**
 * Loads a GGUF file. It must have passed the header check: llama.cpp ends the process on some broken files.
 * @throws Error with llama.cpp's reason
 */
export async function loadModel(settings: LoadMessage): Promise<Model> {
  const { encoding, adapter } = settings
  const log = new LastLines()
  const began = performance.now()
  const bindings = await loadBindings(settings.gpu, message => log.add(message))
  const registered = performance.now()
  const model = new bindings.AddonModel(settings.file, {
    addonExports: bindings,
    gpuLayers: settings.gpu === false ? 0 : allLayers,
    useMmap: bindings.getSupportsMmap(),
    ...(encoding && { overridesList: [[...encoding.pooling, 0]] }),
  })
  if (!(await model.init())) throw new Error(log.reason(settings.file) || 'llama.cpp could not load it')
  const read = performance.now()
  const lora = adapter && (await loadAdapter(bindings, model, adapter.file, log))
  const context = new bindings.AddonContext(model, {
    ...(encoding === undefined ? sizesForReplies(settings) : sizesForVectors(settings, encoding)),
    threads: settings.threads,
  })
  if (!(await context.init()))
    throw new Error(
      log.reason(settings.file) || `there is not enough memory for ${settings.slots} times ${settings.context} tokens`,
    )
  if (lora !== undefined) context.setLoras([lora], [adapter?.scale ?? 1])
  const millis = { bindings: registered - began, model: read - registered, context: performance.now() - read }
  return wrapped(bindings, model, context, millis)
}

const sizesForReplies = ({ context, slots, batch }: LoadMessage) => ({
  contextSize: padded(context) * slots,
  batchSize: Math.max(batch, slots),
  sequences: slots,
})

/** The addon gives the vector of one sequence alone. Where tokens see those behind them, all of a text must be in one step. */
const sizesForVectors = ({ context, batch }: LoadMessage, { causal }: EncodingSettings) => ({
  contextSize: padded(context),
  batchSize: causal ? Math.min(batch, padded(context)) : padded(context),
  sequences: 1,
  embeddings: true,
})

async function loadAdapter(
  bindings: Bindings,
  model: NativeModel,
  file: string,
  log: LastLines,
): Promise<NativeAdapter> {
  const adapter = new bindings.AddonModelLora(model, file)
  try {
    await model.loadLora(adapter)
    return adapter
  } catch (cause) {
    throw new Error(`Its adapter cannot be used: ${log.reason(file) || 'llama.cpp could not load it'}`, { cause })
  }
}

/** llama.cpp takes what the model has. */
const allLayers = 10_000

function wrapped(
  bindings: Bindings,
  model: NativeModel,
  context: NativeContext & NativeOdds & NativeVectors,
  millis: LoadedMessage['millis'],
): Model {
  const bos = valid(model.tokenBos())
  const start = bos ?? valid(model.tokenEos())
  const endOfTurn = valid(model.eotToken())
  const begin = beginOf(model)
  const text: Model['text'] = (tokens, spelt = false) =>
    tokens.length === 0 ? '' : model.detokenize(Uint32Array.from(tokens), spelt)
  const ends: Model['ends'] = token => token === endOfTurn || model.isEogToken(token)
  return {
    ...legibility(model, text, ends),
    context,
    native: model,
    millis,
    start,
    begin,
    infill: infillOf(model, begin),
    tokens: pieces => promptTokens(model, pieces),
    text,
    bytes: bytesOf(model),
    ends,
    isEnd(spelling) {
      const [token, other] = model.tokenize(spelling, true)
      return token !== undefined && other === undefined && ends(token)
    },
    grammar: gbnf => new bindings.AddonGrammar(gbnf, { addonExports: bindings }),
    sampler(settings) {
      const sampler = new bindings.AddonSampler(model)
      const { grammar } = settings
      sampler.applyConfig({
        ...nativeSampling(settings),
        ...(grammar && { grammarEvaluationState: new bindings.AddonGrammarEvaluationState(model, grammar) }),
      })
      return sampler
    },
    gauge: count => new Gauge(context, count, () => new bindings.AddonSampler(model)),
  }
}

/** The tokens of a prompt, with the token that begins a text where the model wants one. */
export function promptTokens(model: NativeModel, pieces: readonly PromptPiece[]): number[] {
  const tokens = pieces.flatMap(({ text, control }) => [...model.tokenize(text, control)])
  const begin = beginOf(model)
  return begin !== undefined && tokens[0] !== begin ? [begin, ...tokens] : tokens
}

const beginOf = (model: NativeModel) => (model.shouldPrependBosToken() ? valid(model.tokenBos()) : undefined)

function legibility(
  model: NativeModel,
  text: Model['text'],
  ends: Model['ends'],
): Pick<Model, 'legible' | 'reveal' | 'hidden'> {
  const shown = new Set<number>()
  const hidden: number[] = []
  const control = (spelling: string) => {
    const [token, other] = model.tokenize(spelling, true)
    return token !== undefined && other === undefined && text([token]) === '' ? [token] : []
  }
  return {
    hidden,
    reveal(spellings, all) {
      for (const token of spellings.flatMap(control)) shown.add(token)
      for (const token of all.flatMap(control)) if (!shown.has(token) && !ends(token)) hidden.push(token)
    },
    legible(tokens) {
      if (!tokens.some(token => shown.has(token))) return text(tokens)
      // Together where they stand together: a character may be split over tokens.
      let legible = ''
      let run: number[] = []
      for (const token of tokens) {
        if (!shown.has(token)) {
          run.push(token)
          continue
        }
        legible += text(run) + text([token], true)
        run = []
      }
      return legible + text(run)
    },
  }
}

/** Without topK and minP, which OpenAI does not have. */
function nativeSampling({ temperature, topP, seed, penalties, bias, maxTokens }: Sampling): NativeSampling {
  return {
    temperature,
    topP,
    // The seed 2^32 - 1 means "by chance" to llama.cpp.
    seed: seed === 0xffffffff ? 0 : seed,
    ...(penalties && {
      // As OpenAI defines them: over all generated tokens, not over the prompt, and not as a factor.
      repeatPenaltyTokens: new Uint32Array(0),
      repeatPenalty: 1,
      repeatPenaltyMaxTokens: Math.max(1, maxTokens),
      repeatPenaltyPresencePenalty: penalties.presence,
      repeatPenaltyFrequencyPenalty: penalties.frequency,
    }),
    ...(bias && {
      tokenBiasKeys: Uint32Array.from(bias, ([token]) => token),
      tokenBiasValues: Float32Array.from(bias, ([, value]) => value),
    }),
  }
}

function bytesOf(model: NativeModel): Model['bytes'] {
  const vocabulary = model.getVocabularyType()
  const known = new Map<number, readonly number[]>()
  return token => {
    let bytes = known.get(token)
    if (bytes === undefined) {
      bytes = tokenBytes(model.getTokenString(token) ?? '', model.getTokenAttributes(token), vocabulary)
      known.set(token, bytes)
    }
    return bytes
  }
}

function infillOf(model: NativeModel, begin: number | undefined): Model['infill'] {
  const [prefix, suffix, middle] = [model.prefixToken(), model.suffixToken(), model.middleToken()].map(valid)
  if (prefix === undefined || suffix === undefined || middle === undefined) return undefined
  const first = begin === undefined ? [prefix] : [begin, prefix]
  const bare = (tokens: readonly number[]) => (tokens[0] === begin ? tokens.slice(1) : tokens)
  return (before, after) => [...first, ...bare(before), suffix, ...bare(after), middle]
}

/** llama.cpp counts positions of a sequence in blocks of 256. */
const padded = (tokens: number) => Math.ceil(tokens / 256) * 256

/** The addon says -1 for a token that the vocabulary lacks. */
const valid = (token: number): number | undefined => (token >= 0 ? token : undefined)

/** The last errors of llama.cpp, to tell why a file does not load. */
class LastLines {
  #lines: string[] = []

  add(message: string): void {
    const line = message.trim()
    if (line !== '') this.#lines = [...this.#lines, line.slice(0, 500)].slice(-3)
  }

  /** Without the path of the file, which is nobody's business. The first line is the cause, what follows repeats it. */
  reason(file: string): string {
    const [line = ''] = this.#lines
    return line.replaceAll(file, basename(file)).replace(/^\w+: (error loading model: )?/, '')
  }
}
