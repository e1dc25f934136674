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
  /** State for `parlance doctor`, logs and (later) the console. */
  status(): EngineStatus
  close(): Promise<void>
}

export type RelayPath = '/chat/completions' | '/completions' | '/embeddings'

export interface EngineStatus {
  state: 'idle' | 'loading' | 'ready' | 'failed' | 'closed'
  detail?: string
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
  /** A uint32 for requests that carry no seed of their own. */
  readonly seed: number
}

/** Counts what a request spends, while it is spent. Totals so far, not increments: the last word counts. */
export interface Meter {
  /** Tokens of the prompt, and how many of them came from a cache. */
  input(tokens: number, cachedTokens?: number): void
  /** Tokens generated so far, over all choices. */
  output(tokens: number): void
}

/** A reply of `relay`: one JSON document, or a stream that ends with `data: [DONE]`. */
export type Relayed = { kind: 'json'; bytes: Buffer } | { kind: 'stream'; pipe(sink: Sink): Promise<void> }

/** Where a relayed stream flows to. `pipe` settles when the stream has ended, failed (after writing an error frame) or was aborted. */
export interface Sink {
  /** Takes bytes; false means: wait for `drained` before the next write. */
  write(bytes: Uint8Array): boolean
  drained(resume: () => void): void
}
