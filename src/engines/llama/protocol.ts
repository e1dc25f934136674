/**
 * What the server's process and the process of a model say to one another, over the channel of `fork`.
 *
 * The server sends `load` once, then requests. The child answers `load` with `loaded` or `failed`, and a request with `refused`, or
 * with events: for each choice `begun`, `text` any number of times, `end`; for each text to encode one `vector`. Events of all running requests travel together in one
 * `cycle` message per decoding step (while the channel is busy, several steps share a message).
 */

import type { ChatRequest } from '../../wire/chat.ts'
import type { ToolsAsked as Asked, Said } from './dialects/index.ts'

export type ToChild = LoadMessage | ChatMessage | CompleteMessage | EncodeMessage | ControlMessage

export interface LoadMessage {
  readonly type: 'load'
  readonly file: string
  /** Tokens of one sequence: prompt and reply together. */
  readonly context: number
  /** Sequences: choices that run at once. */
  readonly slots: number
  readonly threads: number
  /** Tokens decoded in one step at most. */
  readonly batch: number
  readonly gpu: 'auto' | false
  /** From the file's header, so that the child need not read it again. */
  readonly template: TemplateSettings | null
  /** The bytes of the longest token, for a quick bound on the tokens of a text; 0 when the vocabulary does not allow it. */
  readonly tokenBytesMax: number
  readonly vocabularySize: number
  /** Present for a model that encodes texts instead of continuing them. */
  readonly encoding?: EncodingSettings
  readonly adapter?: AdapterSettings
}

export interface EncodingSettings {
  /** The key of the file's header, and the value it is to have. */
  readonly pooling: readonly [key: string, value: number]
  /** A text need not be decoded in one step. */
  readonly causal: boolean
  /** Ids that the header names, for tokenizers of BERT; llama.cpp does not tell all of them. */
  readonly marks: { readonly first: number; readonly last: number } | null
  /** Of a reranker: the text around `{query}` and `{document}`. */
  readonly pairTemplate: string | null
}

/** A LoRA adapter and how strongly it works. */
export interface AdapterSettings {
  readonly file: string
  readonly scale: number
}

export interface TemplateSettings {
  readonly source: string
  readonly bosText: string
  readonly eosText: string
  /** Spellings that a prompt may hold only where the template itself puts them. */
  readonly controlSpellings: readonly string[]
}

export interface Generation {
  /** Of the request, chosen by the server's process. */
  readonly id: number
  /** Choices per prompt. */
  readonly n: number
  /** undefined: the rest of the context. */
  readonly maxTokens?: number
  readonly temperature: number
  readonly topP: number
  /** A uint32; choice i of each prompt is sampled with seed + i. */
  readonly seed: number
  readonly stop: readonly string[]
  /** What is taken from the logit of a token that was generated before, once and for each time. */
  readonly penalties?: { readonly presence: number; readonly frequency: number }
  /** Token ids and what is added to their logits. */
  readonly bias?: readonly (readonly [token: number, bias: number])[]
  /** Tell how likely each token was, and as many of the likeliest. */
  readonly logprobs?: number
  /** Fewer, where the prompt and `maxTokens` leave more. */
  readonly outputMax?: number
  /** Only slots that served this tenant last keep what they hold for it. */
  readonly tenant?: string
  /** Of several slots that hold as much of the prompt, the one that served this key last is used: `prompt_cache_key`. */
  readonly cacheKey?: string
}

export interface ChatMessage extends Generation {
  readonly type: 'chat'
  readonly messages: ChatRequest['messages']
  readonly tools?: ToolsAsked
  /** The form of the reply, where it is not text. */
  readonly format?: ReplyFormat
  /** `reasoning_effort`. */
  readonly effort?: string
}

/** What the request says of tools. */
export interface ToolsAsked extends Pick<Asked, 'tools' | 'choice' | 'parallel'> {
  /** In the older form: `functions`. */
  readonly older: boolean
}

export interface ReplyFormat {
  readonly name: string
  /** A JSON Schema; null: any JSON object. */
  readonly schema: object | null
  readonly strict: boolean
}

export interface CompleteMessage extends Generation {
  readonly type: 'complete'
  /** Each a text or token ids. */
  readonly prompts: readonly (string | readonly number[])[]
  /** The text after the gap that the reply fills. */
  readonly suffix?: string
  /** Send the prompt first; with `logprobs`, how likely its tokens were. */
  readonly echo?: boolean
  /** Of the `n` choices of a prompt the reader keeps so many: each tells at its end how likely it was. */
  readonly best?: number
}

/** Texts to turn into vectors, or pairs of texts to score. */
export interface EncodeMessage {
  readonly type: 'encode'
  readonly id: number
  /** Each a text, token ids, or a query and a document. */
  readonly inputs: readonly EncodeInput[]
}

export type EncodeInput = string | readonly number[] | { readonly query: string; readonly document: string }

/** `pause`: the reader is slow; the request keeps its slot, but is not decoded until `resume`. */
export interface ControlMessage {
  readonly type: 'cancel' | 'pause' | 'resume'
  readonly id: number
}

export type FromChild = LoadedMessage | FailedMessage | RefusedMessage | CycleMessage

export interface LoadedMessage {
  readonly type: 'loaded'
  /** Where the time went: importing and registering llama.cpp, reading the model, making the context. */
  readonly millis: { readonly bindings: number; readonly model: number; readonly context: number }
  /** Memory of the process with the model in it. */
  readonly residentBytes: number
}

export interface FailedMessage {
  readonly type: 'failed'
  readonly reason: string
}

export interface RefusedMessage {
  readonly type: 'refused'
  readonly id: number
  readonly refusal: Refusal
}

export type Refusal =
  | { readonly kind: 'context'; readonly prompt: number; readonly completion?: number }
  | { readonly kind: 'prompt'; readonly message: string }
  /** The value of another parameter, under its name on the wire. */
  | { readonly kind: 'parameter'; readonly parameter: string; readonly message: string; readonly code?: string }
  /** The template itself refuses the messages, e.g. since their roles do not alternate. */
  | { readonly kind: 'messages'; readonly message: string }
  /** The template is broken or beyond its budget: not the caller's fault. */
  | { readonly kind: 'template'; readonly message: string }
  | { readonly kind: 'failure'; readonly message: string }

export interface CycleMessage {
  readonly type: 'cycle'
  readonly events: readonly Event[]
}

export type Event = BegunEvent | TextEvent | SaidEvent | EndEvent | FailureEvent | VectorEvent

interface ChoiceEvent {
  readonly id: number
  /** prompt index * n + choice index */
  readonly choice: number
}

/** The choice has a slot, and its prompt is decoded. */
export interface BegunEvent extends ChoiceEvent {
  readonly kind: 'begun'
  readonly promptTokens: number
  readonly cachedTokens: number
}

export interface TextEvent extends ChoiceEvent {
  readonly kind: 'text'
  /** May be empty while text is held back. */
  readonly text: string
  /** Tokens of this choice so far. */
  readonly tokens: number
  /** Of the tokens whose text begins here; only when asked for. */
  readonly likely?: readonly LikelyToken[]
}

/** A thought, or a call or a piece of its arguments. */
export interface SaidEvent extends ChoiceEvent {
  readonly kind: 'said'
  readonly said: Said
  readonly tokens: number
}

export interface LikelyToken extends Likelihood {
  /** Where its text begins: characters (code points) from the start of the prompt. */
  readonly offset: number
  /** The likeliest tokens at this place, as many as were asked for; absent when none were. */
  readonly top?: readonly Likelihood[]
}

export interface Likelihood {
  readonly bytes: readonly number[]
  /** Natural, of the model itself before bias, penalties and temperature; null for a token with nothing before it. */
  readonly logprob: number | null
}

export interface EndEvent extends ChoiceEvent {
  readonly kind: 'end'
  readonly text: string
  readonly tokens: number
  readonly reason: 'stop' | 'length'
  /** Of tools. */
  readonly calls: number
  /** Tokens of the thought, among the others. */
  readonly thought: number
  readonly likely?: readonly LikelyToken[]
  /** The mean logprob of the generated tokens, where choices compete. */
  readonly mean?: number
}

/** llama.cpp failed on a batch; the process lives on. */
export interface FailureEvent extends ChoiceEvent {
  readonly kind: 'failure'
  readonly message: string
}

/** The input number `choice` is encoded. */
export interface VectorEvent extends ChoiceEvent {
  readonly kind: 'vector'
  readonly tokens: number
  /** Little-endian 32-bit floats in base64, as llama.cpp gives them; of a pair one number, its score. */
  readonly vector: string
}
