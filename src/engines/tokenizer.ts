/** Counts tokens as a model does: with its own tokenizer, or with the encoding of OpenAI's that it was trained with. */
import { type Fault, fault } from '../lib/faults.ts'
import { type ChatCount, type EncodingName, findEncodingName } from '../tokens/index.ts'
import type { ChatRequest } from '../wire/chat.ts'
import { counted } from './counting/thread.ts'
import type { Pieces } from './counting/work.ts'

export type { Pieces } from './counting/work.ts'

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
  encode(text: string, special: boolean, signal?: AbortSignal): Promise<Uint32Array>
  /** Bytes that are no whole character become U+FFFD. @throws Fault 400 `unknown_token` for a number that is no token */
  decode(tokens: Uint32Array, signal?: AbortSignal): Promise<string>
  /**
   * The text that each token completes: joined they are the text of all. A token that ends inside a character has an empty piece; the
   * character stands with the token that completes it. @throws Fault 400 `unknown_token`
   */
  pieces(tokens: Uint32Array, signal?: AbortSignal): Promise<Pieces>
}

/** The pieces one by one. */
export function* eachPiece({ text, ends }: Pieces): Generator<string, void> {
  let start = 0
  for (const end of ends) {
    yield text.slice(start, end)
    start = end
  }
}

/** The encoding of OpenAI's newer models: the best guess for one that is not known. */
const usualEncoding: EncodingName = 'o200k_base'

/** For a model behind an upstream, by its name there. For an unknown name an estimate, which says so. */
export function tokenizerForModel(model: string): PromptTokenizer {
  const known = findEncodingName(model.replace(/^openai\//, ''))
  const guess = `The encoding of '${model}' is not known here: counted with ${usualEncoding}, as an estimate.`
  return encodingTokenizer(known ?? usualEncoding, { model, assumptions: known === undefined ? [guess] : [] })
}

/**
 * One of OpenAI's encodings. Its methods throw Fault 400 `unknown_encoding` for a name that is none.
 * @param model for rules that go by model: what images cost
 */
export function encodingTokenizer(
  name: string,
  { model = '', assumptions = [] }: { model?: string; assumptions?: readonly string[] } = {},
): PromptTokenizer {
  return {
    name,
    assumptions,
    count: (text, signal) => counted('count', name, text, signal),
    async countChat(request, signal) {
      const { tokens, assumptions: more } = await counted('chat', name, { ...request, model }, signal)
      return { tokens, assumptions: [...assumptions, ...more] }
    },
    ids: {
      encode: (text, special, signal) => counted('encode', name, { text, special }, signal),
      decode: (tokens, signal) => counted('decode', name, tokens, signal),
      pieces: (tokens, signal) => counted('pieces', name, tokens, signal),
    },
  }
}

/** The fault of a number that is no token. */
export const unknownToken = (token: number, name: string): Fault =>
  fault.invalidValue('tokens', `Token ${token} does not exist in ${name}.`, 'unknown_token')
