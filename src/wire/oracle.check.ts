/**
 * Compares the wire with the types of OpenAI's own clients, when the types are checked. Never imported, nothing runs.
 *
 * - What a client can send must be accepted: `Fits<Theirs, Ours>`, and every key of theirs must be a key of ours.
 * - What we answer must be readable: `Fits<Ours, Theirs>`.
 * - An optional key that is misspelt fits everything, so no key of ours may be unknown to all of their versions either.
 *
 * A line that fails shows the keys or the two types that disagree.
 */
import type OpenAI from 'openai'
import type * as V3 from 'openai-v3'
import type OpenAI4 from 'openai-v4'
import type {
  AssistantReply,
  ChatChoice,
  ChatChunk,
  ChatChunkChoice,
  ChatCompletion,
  ChatDelta,
  ChatMessage,
  ChatRequest,
  TokenLogprob,
  ToolCallDelta,
} from './chat.ts'
import type { CompletionUsage } from './common.ts'
import type {
  Completion,
  CompletionChoice,
  CompletionChunk,
  CompletionLogprobs,
  CompletionRequest,
} from './completions.ts'
import type { Embedding, EmbeddingList, EmbeddingRequest } from './embeddings.ts'
import type { ErrorBody } from './errors.ts'
import type { KnownPart } from './messages.ts'
import type { Model, ModelDeleted, ModelList } from './models.ts'
import type {
  StoredCompletion,
  StoredCompletionDeleted,
  StoredCompletionQuery,
  StoredCompletionUpdate,
  StoredMessage,
  StoredMessageQuery,
} from './stored.ts'
import type { InputTokens, InputTokensRequest } from './tokens.ts'

type Chat6 = OpenAI.ChatCompletionCreateParams
type Chat4 = OpenAI4.ChatCompletionCreateParams
type Chat3 = V3.CreateChatCompletionRequest
type Completion6 = OpenAI.CompletionCreateParams
type Completion4 = OpenAI4.CompletionCreateParams
type Completion3 = V3.CreateCompletionRequest
type Embedding6 = OpenAI.EmbeddingCreateParams
type InputCount6 = OpenAI.Responses.InputTokenCountParams
type Embedding4 = OpenAI4.EmbeddingCreateParams
type Embedding3 = V3.CreateEmbeddingRequest

/** Version 3 types maps as `object`, calls as `string` and token lists as `any`: these keys say nothing there. */
type VagueIn3 = 'logit_bias' | 'function_call' | 'messages' | 'functions'

export type Requests = [
  Expect<Fits<Chat6, ChatRequest>>,
  Expect<Fits<Chat4, ChatRequest>>,
  Expect<Fits<Omit<Chat3, VagueIn3>, Omit<ChatRequest, VagueIn3>>>,
  Expect<None<Exclude<AllKeys<Chat6 | Chat4 | Chat3>, keyof ChatRequest>>>,
  Expect<None<Exclude<keyof ChatRequest, AllKeys<Chat6 | Chat4 | Chat3>>>>,
  Expect<Fits<OpenAI.ChatCompletionMessageParam, ChatMessage>>,
  Expect<Fits<OpenAI4.ChatCompletionMessageParam, ChatMessage>>,
  Expect<None<Exclude<AllKeys<OpenAI.ChatCompletionMessageParam>, AllKeys<ChatMessage>>>>,
  Expect<None<Exclude<AllKeys<ChatMessage>, AllKeys<OpenAI.ChatCompletionMessageParam>>>>,
  // Apart, because `ContentPart` also lets parts through that nobody knows.
  Expect<Fits<OpenAI.ChatCompletionContentPart | OpenAI.ChatCompletionContentPartRefusal, KnownPart>>,
  Expect<Fits<OpenAI4.ChatCompletionContentPart | OpenAI4.ChatCompletionContentPartRefusal, KnownPart>>,
  Expect<Fits<Completion6, CompletionRequest>>,
  Expect<Fits<Completion4, CompletionRequest>>,
  Expect<Fits<Omit<Completion3, VagueIn3>, Omit<CompletionRequest, VagueIn3>>>,
  Expect<None<Exclude<AllKeys<Completion6 | Completion4 | Completion3>, keyof CompletionRequest>>>,
  Expect<None<Exclude<keyof CompletionRequest, AllKeys<Completion6>>>>,
  Expect<Fits<Embedding6, EmbeddingRequest>>,
  Expect<Fits<Embedding4, EmbeddingRequest>>,
  Expect<Fits<Embedding3, EmbeddingRequest>>,
  Expect<None<Exclude<AllKeys<Embedding6 | Embedding4 | Embedding3>, keyof EmbeddingRequest>>>,
  Expect<None<Exclude<keyof EmbeddingRequest, AllKeys<Embedding6>>>>,
  Expect<Fits<OpenAI.Chat.ChatCompletionListParams, StoredCompletionQuery>>,
  Expect<None<Exclude<keyof OpenAI.Chat.ChatCompletionListParams, keyof StoredCompletionQuery>>>,
  Expect<None<Exclude<keyof StoredCompletionQuery, keyof OpenAI.Chat.ChatCompletionListParams>>>,
  Expect<Fits<OpenAI.Chat.ChatCompletionUpdateParams, StoredCompletionUpdate>>,
  Expect<Fits<OpenAI.Chat.Completions.MessageListParams, StoredMessageQuery>>,
  Expect<None<Exclude<keyof OpenAI.Chat.Completions.MessageListParams, keyof StoredMessageQuery>>>,
  // Items and tools that cannot be counted are let through the schema and refused by name: only the keys say something.
  Expect<None<Exclude<AllKeys<InputCount6>, keyof InputTokensRequest>>>,
  Expect<None<Exclude<keyof InputTokensRequest, AllKeys<InputCount6>>>>,
]

/** Ours may say more: what thinking models thought, why a count may be wrong, and `metadata`, which the client's types lack. */
type Extra = 'reasoning_content' | 'metadata' | 'assumptions'
/** The clients' types do not say that the first token of an echoed prompt has null for its logprob; OpenAI's API does. */
type ToClients = Omit<Completion, 'choices'> & {
  choices: (Omit<CompletionChoice, 'logprobs'> & { logprobs: NumbersAlone | null })[]
}
type NumbersAlone = Omit<NonNullable<CompletionLogprobs>, 'token_logprobs' | 'top_logprobs'>
/** What messages of a request have otherwise than those of a reply. */
type Sent = 'role' | 'content_parts'
/** Version 4 knows fewer values of `service_tier`, and among the choices no custom tool calls. */
type NewerThan4 = 'service_tier' | 'choices'

export type Replies = [
  Expect<Fits<ChatCompletion, OpenAI.ChatCompletion>>,
  Expect<Fits<ChatChunk, OpenAI.ChatCompletionChunk>>,
  Expect<Fits<StoredCompletion, OpenAI.ChatCompletion>>,
  Expect<Fits<StoredCompletionDeleted, OpenAI.ChatCompletionDeleted>>,
  // The clients' type knows the messages of replies alone, and parts of text and images.
  Expect<Fits<Omit<StoredMessage, Sent>, Omit<OpenAI.ChatCompletionStoreMessage, Sent>>>,
  Expect<Fits<ToClients, OpenAI.Completion>>,
  Expect<Fits<CompletionUsage, OpenAI.CompletionUsage>>,
  Expect<Fits<Model, OpenAI.Model>>,
  Expect<Fits<ModelDeleted, OpenAI.ModelDeleted>>,
  Expect<Fits<Numbers, OpenAI.CreateEmbeddingResponse>>,
  Expect<Fits<InputTokens, OpenAI.Responses.InputTokenCountResponse>>,
  Expect<None<Exclude<keyof InputTokens, keyof OpenAI.Responses.InputTokenCountResponse | Extra>>>,
  Expect<Fits<Omit<ChatCompletion, NewerThan4>, Omit<OpenAI4.ChatCompletion, NewerThan4>>>,
  Expect<Fits<Omit<AssistantReply, 'tool_calls'>, Omit<OpenAI4.ChatCompletionMessage, 'tool_calls'>>>,
  Expect<Fits<Omit<ChatChunk, 'service_tier'>, Omit<OpenAI4.ChatCompletionChunk, 'service_tier'>>>,
  Expect<Fits<ToClients, OpenAI4.Completion>>,
  Expect<Fits<Model, OpenAI4.Model>>,
  Expect<Fits<Numbers, OpenAI4.CreateEmbeddingResponse>>,
  Expect<Fits<Omit<ChatCompletion, 'choices'>, Omit<V3.CreateChatCompletionResponse, 'choices'>>>,
  Expect<Fits<ToClients, V3.CreateCompletionResponse>>,
  Expect<Fits<ModelList, V3.ListModelsResponse>>,
  Expect<Fits<Numbers, V3.CreateEmbeddingResponse>>,
  Expect<None<Exclude<keyof ChatCompletion, keyof OpenAI.ChatCompletion | Extra>>>,
  Expect<None<Exclude<keyof ChatChoice, keyof OpenAI.ChatCompletion.Choice>>>,
  Expect<None<Exclude<keyof AssistantReply, keyof OpenAI.ChatCompletionMessage | Extra>>>,
  Expect<None<Exclude<keyof ChatChunk, keyof OpenAI.ChatCompletionChunk>>>,
  Expect<None<Exclude<keyof ChatChunkChoice, keyof OpenAI.ChatCompletionChunk.Choice>>>,
  Expect<None<Exclude<keyof ChatDelta, keyof OpenAI.ChatCompletionChunk.Choice.Delta | Extra>>>,
  Expect<None<Exclude<keyof ToolCallDelta, keyof OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall>>>,
  Expect<None<Exclude<keyof TokenLogprob, keyof OpenAI.ChatCompletionTokenLogprob>>>,
  Expect<None<Exclude<keyof CompletionUsage, keyof OpenAI.CompletionUsage>>>,
  Expect<None<Exclude<keyof Completion, keyof OpenAI.Completion>>>,
  Expect<None<Exclude<keyof CompletionChoice, keyof OpenAI.CompletionChoice>>>,
  Expect<None<Exclude<keyof CompletionChunk, keyof OpenAI.Completion>>>,
  Expect<None<Exclude<keyof EmbeddingList, keyof OpenAI.CreateEmbeddingResponse>>>,
  Expect<None<Exclude<keyof Embedding, keyof OpenAI.Embedding>>>,
  Expect<None<Exclude<keyof Model, keyof OpenAI.Model>>>,
  Expect<Fits<keyof ErrorBody['error'], keyof OpenAI.ErrorObject>>,
  Expect<Fits<keyof OpenAI.ErrorObject, keyof ErrorBody['error']>>,
  Expect<Fits<ErrorBody['error'], OpenAI.ErrorObject>>,
]

/** The clients type vectors as numbers; they turn base64 into numbers themselves. */
type Numbers = Omit<EmbeddingList, 'data'> & { data: (Omit<Embedding, 'embedding'> & { embedding: number[] })[] }

export type Fits<A, B> = [A] extends [B] ? true : { does: A; notFit: B }
export type None<Keys> = [Keys] extends [never] ? true : { unknown: Keys }
export type Expect<T extends true> = T
/** The keys of every member of a union. */
export type AllKeys<T> = T extends unknown ? keyof T : never
