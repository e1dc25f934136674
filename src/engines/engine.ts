/**
 * The contract of everything that computes a reply. An engine speaks the wire: it yields OpenAI's own chunks, and a reply that is
 * not streamed is those chunks collected (`collect.ts`). There is no second path for "not streamed".
 *
 * Rules that `engine.contract.ts` checks for every engine:
 * - All chunks of one reply carry the same `id` and `created` (from the call; an upstream's own where it has them) and the same `model`: what really answered.
 * - Chat: the first chunk of each choice is `{role: 'assistant', content: ''}`, then content deltas, then an empty delta with
 *   `finish_reason`. Completions: `{text, index, logprobs, finish_reason}`. Choices interleave by `index`.
 * - The last chunk has `choices: []` and the exact `usage`; the operation decides whether the client sees it.
 * - A stop sequence never reaches the client, also when it is split over tokens; text is cut at whole characters.
 * - When the signal aborts, the iterator ends within 100 ms without an error, and what was spent is on the meter. An upstream's may
 *   take longer: what it does not report is counted first.
 * - The meter is told as tokens are spent, so that an aborted or broken stream is billed for what it used.
 * - Faults come from `lib/faults.ts`; an error before the first chunk is thrown by the first `next()`.
 */
import type { Fault } from '../lib/faults.ts'
import type { Log } from '../lib/log.ts'
import type { ChatChunk, ChatRequest } from '../wire/chat.ts'
import type { CompletionChunk, CompletionRequest } from '../wire/completions.ts'
import type { EmbeddingList, EmbeddingRequest } from '../wire/embeddings.ts'
import type { Reranking, RerankRequest } from '../wire/rerank.ts'
import type { Tokenizer } from './tokenizer.ts'

export type Ability = 'chat' | 'complete' | 'embed' | 'rerank'

export interface Engine {
  /** What really answers, as the `model` of replies. */
  readonly name: string
  readonly abilities: ReadonlySet<Ability>
  /** `everything`: unknown request fields are passed on (an upstream). `known`: only what the product implements is accepted. */
  readonly accepts: 'everything' | 'known'
  /** What it takes beyond what the product implements everywhere; with `known` alone. */
  readonly takes?: Takes
  chat?(request: ChatRequest, call: Call): AsyncIterable<ChatChunk>
  complete?(request: CompletionRequest, call: Call): AsyncIterable<CompletionChunk>
  embed?(request: EmbeddingRequest, call: Call): Promise<EmbeddingList>
  rerank?(request: RerankRequest, call: Call): Promise<Reranking>
  /**
   * The fast path of engines that sit behind HTTP: the upstream's bytes, checked but not re-encoded. Equal in meaning to the
   * methods above. Present only where the bytes already are OpenAI's wire.
   */
  relay?(path: RelayPath, request: object, call: Call): Promise<Relayed>
  /** Counts as the model does; for an upstream, as far as its encoding is known. */
  readonly tokenizer?: Tokenizer
  /** Present where the model takes memory of this machine that can be given back: the platform then decides when it is loaded. */
  readonly resident?: Resident
  /** State for `parlance doctor`, logs and (later) the console. */
  status(): EngineStatus
  close(): Promise<void>
}

export interface Takes {
  /** Parts with images in the messages of a chat. */
  readonly images?: boolean
  /** Fields that OpenAI does not have. */
  readonly fields?: readonly string[]
}

export type RelayPath = '/chat/completions' | '/completions' | '/embeddings'

export interface EngineStatus {
  state: 'idle' | 'loading' | 'ready' | 'failed' | 'closed'
  detail?: string
}

/**
 * A model in the memory of this machine. `platform/residency` keeps all of them within one budget: it loads a model before the first
 * request reaches the engine, and unloads it when none runs. What becomes of a model behind its back shows in `status()`: `ready` is
 * loaded. The tokenizer needs no loaded model.
 */
export interface Resident {
  /**
   * What the model will take once it is loaded, told without loading it. Asked before every load, so an unchanged file is not read twice.
   * undefined when nothing can be told, e.g. of a broken file: loading then says what is wrong.
   */
  estimateBytes(): Promise<number | undefined>
  /** What it takes now, as far as the system tells; 0 when it is not loaded. */
  bytes(): number
  /** Loads the model; while it is loading or loaded, nothing more happens. @throws fault.modelLoadFailed, fault.modelClosed after `close` */
  load(): Promise<void>
  /** Gives the memory back; resolves when it is free. Called only while no request runs: `close` alone cuts requests. */
  unload(): Promise<void>
}

/** What an engine gets with each request. */
export interface Call {
  /** Of the reply: `chatcmpl-…` or `cmpl-…`. */
  readonly id: string
  /** Unix seconds. */
  readonly created: number
  readonly signal: AbortSignal
  readonly meter: Meter
  readonly log: Log
  /** Of the request, for log lines. */
  readonly requestId?: string | undefined
  /** Filled in by engines that ask an upstream, where somebody wants to know. */
  readonly route?: Route | undefined
  /** Whose request it is: what is cached of one tenant's prompts never serves, or is told to, another. */
  readonly tenant?: string
  /**
   * No more tokens for each choice, whatever the request says; it never makes a request too long. Engines that accept what is `known`
   * hold to it; an upstream gets it as the request's own limit.
   */
  readonly outputMax?: number
  /** A uint32 for requests that carry no seed of their own. */
  readonly seed: number
}

/** Which way a request went: the upstreams that were asked, in their order. */
export interface Route {
  readonly tried: Tried[]
}

/** One attempt; without an outcome it is not over. */
export interface Tried {
  /** As the settings call it. */
  readonly upstream: string
  /** `ok`: its reply has begun. `left`: the caller did not wait for it. Otherwise the code of the fault. */
  outcome?: string
  /** That the fault has for the caller. */
  status?: number
  /** Until then. */
  ms?: number
}

/** Counts what a request spends, while it is spent. Totals so far, not increments: the last word counts. */
export interface Meter {
  /** Tokens of the prompt, and how many of them came from a cache. */
  input(tokens: number, cachedTokens?: number): void
  /** Tokens generated so far, over all choices. */
  output(tokens: number): void
}

/** A reply of `relay`: one JSON document, or a stream that ends with `data: [DONE]`. */
export type Relayed = { kind: 'json'; bytes: Buffer } | { kind: 'stream'; pipe(sink: Sink): Promise<Fault | undefined> }

/**
 * Where a relayed stream flows to. `pipe` resolves when the stream has ended or was aborted, and with the fault of one that failed, after
 * an event that tells it.
 */
export interface Sink {
  /** Takes bytes; false means: wait for `drained` before the next write. */
  write(bytes: Uint8Array): boolean
  drained(resume: () => void): void
}
