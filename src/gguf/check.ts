import { open } from 'node:fs/promises'
import { type GgufHeader, readGguf } from './read.ts'

/** What the product needs to know of a model before it loads it. */
export interface ModelFile {
  readonly header: GgufHeader
  readonly architecture: string
  /** `model`, `adapter`, `mmproj` …: `general.type`. */
  readonly kind: string
  /** Tokens the model was trained for; undefined when the file does not say. */
  readonly contextLength: number | undefined
  readonly vocabularySize: number
  readonly chatTemplate: string | undefined
}

/**
 * Opens a GGUF file and refuses what would hang or kill a native loader: damaged headers, tensors beyond the end of the file, absurd
 * dimensions, a token that appears twice (llama.cpp ends the process on it), lists of the tokenizer that do not fit one another.
 * What it does not see: wrong tensor names and bad weights; the loader, in its own process, does.
 * @throws Error with the reason in words fit for the operator.
 */
export async function checkGguf(path: string): Promise<ModelFile> {
  const file = await open(path, 'r')
  try {
    return checkHeader(await readGguf(file))
  } finally {
    await file.close()
  }
}

/** The part of `checkGguf` behind the file. */
export function checkHeader(header: GgufHeader): ModelFile {
  const architecture = header.text('general.architecture')
  if (architecture === undefined || architecture === '') throw unusable("'general.architecture' is missing")
  const kind = header.text('general.type') ?? 'model'
  return {
    header,
    architecture,
    kind,
    contextLength: header.number(`${architecture}.context_length`),
    vocabularySize: kind === 'adapter' ? 0 : checkVocabulary(header),
    chatTemplate: header.text('tokenizer.chat_template'),
  }
}

function checkVocabulary(header: GgufHeader): number {
  const tokens = header.texts('tokenizer.ggml.tokens')
  if (tokens === undefined || tokens.length === 0) throw unusable('it has no vocabulary')
  const seen = new Map<string, number>()
  for (const [id, token] of tokens.entries()) {
    const before = seen.get(token)
    if (before !== undefined) throw unusable(`the tokens ${before} and ${id} of its vocabulary are the same`)
    seen.set(token, id)
  }
  for (const key of ['tokenizer.ggml.token_type', 'tokenizer.ggml.scores']) {
    const count = header.count(key)
    if (count !== undefined && count !== tokens.length)
      throw unusable(`'${key}' has ${count} items for ${tokens.length} tokens`)
  }
  for (const name of ['bos', 'eos', 'eot', 'unknown', 'padding', 'separator']) {
    const id = header.number(`tokenizer.ggml.${name}_token_id`)
    if (id !== undefined && !(id >= 0 && id < tokens.length))
      throw unusable(`its ${name} token ${id} is not in its vocabulary`)
  }
  return tokens.length
}

const unusable = (detail: string) => new Error(`Not a usable GGUF model: ${detail}.`)
