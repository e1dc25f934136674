import { basename } from 'node:path'
import { type Bindings, loadBindings, type NativeContext, type NativeModel, type NativeSampler } from './native.ts'
import type { LoadedMessage, LoadMessage } from './protocol.ts'
import type { PromptPiece } from './templates.ts'

/** A loaded model and its context. */
export interface Model {
  readonly context: NativeContext
  readonly millis: LoadedMessage['millis']
  /** The tokens of a prompt, with the token that begins a text where the model wants one. */
  tokens(pieces: readonly PromptPiece[]): number[]
  /** The text of tokens; control tokens have none. */
  text(tokens: readonly number[]): string
  /** Whether a token ends the reply. */
  ends(token: number): boolean
  /** What stands for an empty prompt. */
  readonly start: number | undefined
  sampler(settings: { temperature: number; topP: number; seed: number }): NativeSampler
}

/**
 * Loads a GGUF file. It must have passed the header check: llama.cpp ends the process on some broken files.
 * @throws Error with llama.cpp's reason
 */
export async function loadModel(settings: LoadMessage): Promise<Model> {
  const log = new LastLines()
  const began = performance.now()
  const bindings = await loadBindings(settings.gpu, message => log.add(message))
  const registered = performance.now()
  const model = new bindings.AddonModel(settings.file, {
    addonExports: bindings,
    gpuLayers: settings.gpu === false ? 0 : allLayers,
    useMmap: bindings.getSupportsMmap(),
  })
  if (!(await model.init())) throw new Error(log.reason(settings.file) || 'llama.cpp could not load it')
  const read = performance.now()
  const context = new bindings.AddonContext(model, {
    contextSize: padded(settings.context) * settings.slots,
    batchSize: Math.max(settings.batch, settings.slots),
    sequences: settings.slots,
    threads: settings.threads,
  })
  if (!(await context.init()))
    throw new Error(
      log.reason(settings.file) || `there is not enough memory for ${settings.slots} times ${settings.context} tokens`,
    )
  const millis = { bindings: registered - began, model: read - registered, context: performance.now() - read }
  return wrapped(bindings, model, context, millis)
}

/** llama.cpp takes what the model has. */
const allLayers = 10_000

function wrapped(
  bindings: Bindings,
  model: NativeModel,
  context: NativeContext,
  millis: LoadedMessage['millis'],
): Model {
  const bos = valid(model.tokenBos())
  const start = bos ?? valid(model.tokenEos())
  const endOfTurn = valid(model.eotToken())
  const prependsBos = model.shouldPrependBosToken() && bos !== undefined
  return {
    context,
    millis,
    start,
    tokens(pieces) {
      const tokens = pieces.flatMap(({ text, control }) => [...model.tokenize(text, control)])
      return prependsBos && tokens[0] !== bos ? [bos, ...tokens] : tokens
    },
    text: tokens => (tokens.length === 0 ? '' : model.detokenize(Uint32Array.from(tokens), false)),
    ends: token => token === endOfTurn || model.isEogToken(token),
    sampler(config) {
      const sampler = new bindings.AddonSampler(model)
      // Without topK and minP, which OpenAI does not have; the seed 2^32 - 1 means "by chance" to llama.cpp.
      sampler.applyConfig({ ...config, seed: config.seed === 0xffffffff ? 0 : config.seed })
      return sampler
    },
  }
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
