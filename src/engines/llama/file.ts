import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { checkGguf, type ModelFile } from '../../gguf/check.ts'
import type { TemplateSettings } from './protocol.ts'
import { contextDefaultMax, type Settings } from './settings.ts'

/** What the header of a model's file says, as the engine needs it. */
export interface Description {
  /** Tokens of one request. */
  readonly context: number
  readonly vocabularySize: number
  readonly tokenBytesMax: number
  readonly template: TemplateSettings | null
  /** The same for the same file and settings: `fp_` and 10 hex digits. */
  readonly fingerprint: string
}

/**
 * Checks the file before anything native sees it.
 * @throws Error with a reason that names no path
 */
export async function describeFile(settings: Settings): Promise<Description> {
  const model = await checked(settings.file)
  const { header, architecture } = model
  if (model.kind !== 'model') throw new Error(`It is not a model but: ${model.kind}.`)
  if (header.flag(`${architecture}.attention.causal`) === false || /bert|^t5/.test(architecture))
    throw new Error(
      `A model of the architecture '${architecture}' does not continue texts: it cannot chat or complete.`,
    )
  const tokens = header.texts('tokenizer.ggml.tokens') ?? []
  const tokenizer = header.text('tokenizer.ggml.model')
  const context = settings.context ?? Math.min(model.contextLength ?? contextDefaultMax, contextDefaultMax)
  if (model.contextLength !== undefined && context > model.contextLength)
    throw new Error(`The setting 'context' is ${context}, but the model was made for ${model.contextLength} tokens.`)
  return {
    context,
    vocabularySize: model.vocabularySize,
    // Other tokenizers may drop or join characters.
    tokenBytesMax: tokenizer === 'gpt2' || tokenizer === 'llama' ? longest(tokens) : 0,
    template: templateOf(model, tokens),
    fingerprint: await fingerprint(settings, model, context),
  }
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

/** A digest of the header, the size and samples of the weights: reading all of a large file would take longer than loading it. */
async function fingerprint(settings: Settings, { header }: ModelFile, context: number): Promise<string> {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([header.fileBytes, header.headerBytes, context, settings.gpu]))
  const file = await open(settings.file, 'r')
  try {
    const bytes = Buffer.alloc(sampleBytes)
    for (let i = 0; i < samples; i++) {
      const { bytesRead } = await file.read(bytes, 0, sampleBytes, Math.floor((header.fileBytes / samples) * i))
      hash.update(bytes.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
  return `fp_${hash.digest('hex').slice(0, 10)}`
}
