import { createHash, type Hash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { checkGguf, type ModelFile } from '../../gguf/check.ts'
import { footprint } from '../../gguf/footprint.ts'
import { type Purpose, pooling, type Use, useOf } from '../../gguf/purpose.ts'
import type { EncodingSettings, TemplateSettings } from './protocol.ts'
import { contextDefaultMax, type Settings } from './settings.ts'

/** What the header of a model's file says, as the engine needs it. */
export interface Description {
  readonly purpose: Purpose
  /** Tokens of one request. */
  readonly context: number
  readonly vocabularySize: number
  readonly tokenBytesMax: number
  readonly template: TemplateSettings | null
  /** null for a model that generates. */
  readonly encoding: EncodingSettings | null
  /** Numbers of a vector, of a model that embeds. */
  readonly dimensions: number
  /** Whether a reranker's score is a probability; otherwise it is a logit. */
  readonly probabilities: boolean
  /** The same for the same file and settings: `fp_` and 10 hex digits. */
  readonly fingerprint: string
  /** What its process will take, as far as the header tells. */
  readonly memoryBytes: number | undefined
}

/**
 * Checks the file before anything native sees it.
 * @throws Error with a reason that names no path
 */
export async function describeFile(settings: Settings): Promise<Description> {
  const model = await checked(settings.file)
  const { header, architecture } = model
  if (model.kind !== 'model') throw new Error(`It is not a model but: ${model.kind}.`)
  // Its name becomes part of a key that is set when the model is loaded; the addon leaves out keys beyond 127 bytes.
  if (architecture.length > 64) throw new Error(`The architecture '${architecture.slice(0, 32)}…' is not known.`)
  if (architecture === 't5') throw new Error("Models of the architecture 't5' are not supported.")
  if (settings.adapter !== undefined) await checkAdapter(settings.adapter, model)
  const use = useOf(header)
  const tokens = header.texts('tokenizer.ggml.tokens') ?? []
  const tokenizer = header.text('tokenizer.ggml.model')
  const context = settings.context ?? Math.min(model.contextLength ?? contextDefaultMax, contextDefaultMax)
  if (model.contextLength !== undefined && context > model.contextLength)
    throw new Error(`The setting 'context' is ${context}, but the model was made for ${model.contextLength} tokens.`)
  return {
    purpose: use.purpose,
    context,
    vocabularySize: model.vocabularySize,
    // Other tokenizers may drop or join characters.
    tokenBytesMax: tokenizer === 'gpt2' || tokenizer === 'llama' ? longest(tokens) : 0,
    template: use.purpose === 'generate' ? templateOf(model, tokens) : null,
    encoding: encodingOf(model, use),
    // llama.cpp itself makes them of the yes and no of these.
    probabilities: architecture === 'qwen3' || architecture === 'qwen3vl',
    dimensions:
      header.number(`${architecture}.embedding_length_out`) ?? header.number(`${architecture}.embedding_length`) ?? 0,
    fingerprint: await fingerprint(settings, model, context),
    memoryBytes: await memoryBytes(settings, model, { context, use }),
  }
}

/** Measured: a process with a model that weighs nothing. */
const processBytes = 112 * 1024 * 1024

/** As `model.ts` makes the context. */
async function memoryBytes(
  { slots, batch, adapter }: Settings,
  model: ModelFile,
  { context, use }: { context: number; use: Use },
): Promise<number | undefined> {
  const found = footprint(
    model,
    use.purpose === 'generate'
      ? { context, sequences: slots, batch: Math.max(batch, slots) }
      : { context, sequences: 1, batch: use.causal ? Math.min(batch, context) : context },
  )
  const adapterBytes = adapter === undefined ? 0 : (await stat(adapter)).size
  return found && processBytes + found.weightsBytes + found.cacheBytes + found.computeBytes + adapterBytes
}

async function checked(file: string): Promise<ModelFile> {
  try {
    return await checkGguf(file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === undefined) throw error
    throw new Error(code === 'ENOENT' ? 'The file does not exist.' : `The file cannot be read (${code}).`, {
      cause: error,
    })
  }
}

/** llama.cpp checks the sizes when it loads the adapter. @throws Error */
async function checkAdapter(file: string, base: ModelFile): Promise<void> {
  const adapter = await checked(file).catch(error => {
    throw new Error(`Its adapter cannot be used: ${error instanceof Error ? error.message : 'unknown reason'}`, {
      cause: error,
    })
  })
  const refuse = (why: string) => new Error(`Its adapter cannot be used: ${why}.`)
  if (adapter.kind !== 'adapter') throw refuse(`the file is no adapter but: ${adapter.kind}`)
  const type = adapter.header.text('adapter.type')
  if (type !== 'lora') throw refuse(`it is no LoRA adapter but: ${type?.slice(0, 64) ?? 'not stated'}`)
  if (adapter.architecture !== base.architecture)
    throw refuse(`it was made for the architecture '${adapter.architecture}', the model is of '${base.architecture}'`)
  const names = new Set(base.header.tensors.map(({ name }) => name))
  for (const { name } of adapter.header.tensors)
    if (!names.has(name.replace(/\.lora_[ab]$/, '')))
      throw refuse(`it changes the tensor '${name.replace(/\.lora_[ab]$/, '')}', which the model does not have`)
}

function encodingOf({ header, architecture }: ModelFile, use: Use): EncodingSettings | null {
  if (use.pooling === null) return null
  const id = (name: string) => header.number(`tokenizer.ggml.${name}_token_id`)
  const ofBert = header.text('tokenizer.ggml.model') === 'bert'
  return {
    pooling: [`${architecture}.pooling_type`, pooling[use.pooling]],
    causal: use.causal && (use.pooling === 'last' || use.pooling === 'rank'),
    marks: ofBert ? { first: id('cls') ?? id('bos') ?? 101, last: id('seperator') ?? id('separator') ?? 102 } : null,
    pairTemplate: header.text('tokenizer.chat_template.rerank') ?? null,
  }
}

/** Token types of GGUF: 2 unknown, 3 control. */
const controlTypes = new Set([2, 3])

function templateOf({ header, chatTemplate }: ModelFile, tokens: readonly string[]): TemplateSettings | null {
  if (chatTemplate === undefined || chatTemplate === '') return null
  const types = header.numbers('tokenizer.ggml.token_type') ?? []
  const spelling = (key: string) => tokens[header.number(`tokenizer.ggml.${key}_token_id`) ?? -1] ?? ''
  return {
    source: chatTemplate,
    bosText: spelling('bos'),
    eosText: spelling('eos'),
    controlSpellings: tokens.filter((_, id) => controlTypes.has(types[id] ?? 1)),
  }
}

const longest = (tokens: readonly string[]) =>
  tokens.reduce((most, token) => Math.max(most, Buffer.byteLength(token)), 1)

const samples = 64
const sampleBytes = 4096

/** A digest of the header, the size and samples of the weights and the adapter: reading all of a large file would take longer than loading it. */
async function fingerprint(settings: Settings, { header }: ModelFile, context: number): Promise<string> {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([header.fileBytes, header.headerBytes, context, settings.gpu]))
  await sampled(hash, settings.file, header.fileBytes)
  if (settings.adapter !== undefined) {
    const { size } = await stat(settings.adapter)
    hash.update(JSON.stringify([size, settings.scale]))
    await sampled(hash, settings.adapter, size)
  }
  return `fp_${hash.digest('hex').slice(0, 10)}`
}

async function sampled(hash: Hash, path: string, fileBytes: number): Promise<void> {
  const file = await open(path, 'r')
  try {
    const bytes = Buffer.alloc(sampleBytes)
    for (let i = 0; i < samples; i++) {
      const { bytesRead } = await file.read(bytes, 0, sampleBytes, Math.floor((fileBytes / samples) * i))
      hash.update(bytes.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
