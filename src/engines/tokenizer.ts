/** Counts tokens as a model does: with its own tokenizer, or with the encoding of OpenAI's that it was trained with. */
import { setImmediate } from 'node:timers/promises'
import { type Fault, fault } from '../lib/faults.ts'
import {
  type ChatCount,
  countChatInSlices,
  type Encoding,
  type EncodingName,
  findEncodingName,
  loadEncoding,
} from '../tokens/index.ts'
import type { ChatRequest } from '../wire/chat.ts'

/**
 * What engines offer for counting. Nothing here holds the event loop for long, however long the text is; every method ends with the
 * signal's reason when it aborts.
 */
export interface Tokenizer {
  /** An encoding such as `cl100k_base`, or the name of the model whose own tokenizer this is. */
  readonly name: string
  /** Why the counts may not be the model's own, in words; empty when they are. */
  readonly assumptions: readonly string[]
  /** Tokens of a text by itself, without what a model puts around a prompt. */
  count(text: string, signal?: AbortSignal): Promise<number>
  /** What `usage.prompt_tokens` of a chat request would be. Absent where the model has no template for chats. */
  countChat?(request: ChatRequest, signal?: AbortSignal): Promise<ChatCount>
  /** The numbers of tokens. Absent where tokens have none. */
  readonly ids?: TokenIds
}

/** One that knows what surrounds the messages of a chat. */
export interface PromptTokenizer extends Tokenizer {
  countChat(request: ChatRequest, signal?: AbortSignal): Promise<ChatCount>
}

export interface TokenIds {
  /** @param special whether spellings of special tokens are those tokens, and not text */
  encode(text: string, special: boolean, signal?: AbortSignal): Promise<Tokens>
  /** Bytes that are no whole character become U+FFFD. @throws Fault 400 `unknown_token` for a number that is no token */
  decode(tokens: Tokens, signal?: AbortSignal): Promise<string>
  /**
   * The text that each token completes: joined they are the text of all. A token that ends inside a character has an empty piece; the
   * character stands with the token that completes it. @throws Fault 400 `unknown_token`
   */
  pieces(tokens: Tokens, signal?: AbortSignal): Promise<string[]>
}

export type Tokens = ArrayLike<number> & Iterable<number>

/** The encoding of OpenAI's newer models: the best guess for one that is not known. */
const usualEncoding: EncodingName = 'o200k_base'

/** For a model behind an upstream, by its name there. For an unknown name an estimate, which says so. */
export function tokenizerForModel(model: string): PromptTokenizer {
  const known = findEncodingName(model.replace(/^openai\//, ''))
  return encodingTokenizer(known ?? usualEncoding, {
    model,
    assumptions:
      known === undefined
        ? [`The encoding of '${model}' is not known here: counted with ${usualEncoding}, as an estimate.`]
        : [],
  })
}

/** One of OpenAI's encodings. @throws Fault 400 `unknown_encoding` from its methods, for a name that is none */
export function encodingTokenizer(
  name: string,
  { model = '', assumptions = [] }: { model?: string; assumptions?: readonly string[] } = {},
): PromptTokenizer {
  const slices = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal })
  return {
    name,
    assumptions,
    count: async (text, signal) => (await loadEncoding(name)).countInSlices(text, slices(signal)),
    async countChat(request, signal) {
      const encoding = await loadEncoding(name)
      const counted = await countChatInSlices({ ...request, model }, { encoding, ...slices(signal) })
      return { tokens: counted.tokens, assumptions: [...assumptions, ...counted.assumptions] }
    },
    ids: {
      async encode(text, special, signal) {
        const encoding = await loadEncoding(name)
        const specials = special ? { allowedSpecial: 'all' as const } : { disallowedSpecial: [] }
        return encoding.encodeInSlices(text, { ...specials, ...slices(signal) })
      },
      decode: async (tokens, signal) => (await decoded(await loadEncoding(name), tokens, signal)).join(''),
      pieces: async (tokens, signal) => decoded(await loadEncoding(name), tokens, signal),
    },
  }
}

/** Tokens that are decoded in one go: some milliseconds. */
const sliceTokens = 8192

async function decoded(encoding: Encoding, tokens: Tokens, signal: AbortSignal | undefined): Promise<string[]> {
  const decoder = encoding.decoder()
  const pieces: string[] = []
  for (let at = 0; at < tokens.length; at++) {
    if (at % sliceTokens === sliceTokens - 1) {
      await setImmediate()
      signal?.throwIfAborted()
    }
    pieces.push(decoder.push(tokens[at]!))
  }
  const rest = decoder.end()
  if (rest !== '') pieces.push((pieces.pop() ?? '') + rest)
  return pieces
}

/** The fault of a number that is no token. */
export const unknownToken = (token: number, name: string): Fault =>
  fault.invalidValue('tokens', `Token ${token} does not exist in ${name}.`, 'unknown_token')
