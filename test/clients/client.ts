import type { Era } from '../spec/validate.ts'

/** A client and its version line. */
export interface ClientKind {
  /** In test names. */
  readonly name: string
  /** Which OpenAPI file describes what this client was made for. */
  readonly era: Era
  /** Whether it helps to put chunks together. */
  readonly accumulates: boolean
  /** Whether it has calls for stored completions. */
  readonly stores: boolean
  open(at: Connection): Client
}

/** All that a program changes to use another server. */
export interface Connection {
  /** With `/v1`. */
  baseURL: string
  apiKey: string
}

/**
 * What the scenarios ask of a client: the calls of a program, in the client's own way of making them. The types are the part of
 * OpenAI's objects that the scenarios look at.
 */
export interface Client {
  listModels(): Promise<string[]>
  retrieveModel(name: string): Promise<Model>
  chat(body: ChatBody): Promise<Chat>
  /** @param signal ends the stream from the client's side */
  chatStream(body: ChatBody, signal?: AbortSignal): AsyncIterable<ChatChunk>
  completion(body: CompletionBody): Promise<Completion>
  completionStream(body: CompletionBody): AsyncIterable<Completion>
  embed(body: EmbeddingBody): Promise<Embeddings>
  /** The client's own helper that puts chunks together. @throws where it has none */
  accumulate(body: ChatBody): Promise<{ chat: Chat; deltas: string[] }>
  /** Where the client has calls for stored completions. */
  readonly stored?: StoredChats
  /** The same client with another key. */
  withKey(key: string): Client
  /** What a program sees in this client's error. @throws the error itself when it is not one of an API's answer */
  seen(error: unknown): SeenError
}

export interface SeenError {
  status: number | undefined
  code: string | null | undefined
  param: string | null | undefined
  type: string | null | undefined
  message: string
  requestId: string | null | undefined
  /** The name of its class, where the client has one per status. */
  className: string | undefined
}

export interface Message {
  role: 'system' | 'user' | 'assistant'
  content: string
}

interface Sampling {
  model: string
  max_tokens?: number
  temperature?: number
  top_p?: number
  seed?: number
  n?: number
  stop?: string | string[]
  stream_options?: { include_usage: boolean }
}

export interface ChatBody extends Sampling {
  messages: Message[]
  store?: boolean
  metadata?: Record<string, string>
}

/** Lists go on by themselves to the end. */
export interface StoredChats {
  retrieve(id: string): Promise<StoredChat>
  update(id: string, metadata: Record<string, string>): Promise<StoredChat>
  list(query: {
    model?: string
    metadata?: Record<string, string>
    limit?: number
    order?: 'asc' | 'desc'
  }): AsyncIterable<StoredChat>
  messages(id: string, query: { limit?: number; order?: 'asc' | 'desc' }): AsyncIterable<StoredMessage>
  delete(id: string): Promise<{ id: string; object: string; deleted: boolean }>
}

export interface CompletionBody extends Sampling {
  prompt: string | string[]
}

export interface EmbeddingBody {
  model: string
  input: string | string[] | number[] | number[][]
  encoding_format?: 'float' | 'base64'
  dimensions?: number
}

export interface Model {
  id: string
  object: string
  created: number
  owned_by: string
}

export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
}

interface Reply {
  id: string
  object: string
  created: number
  model: string
}

export interface Chat extends Reply {
  choices: { index: number; message: { role: string; content: string | null }; finish_reason: string | null }[]
  usage?: Usage | undefined
}

export interface StoredChat extends Chat {
  metadata?: Record<string, string> | null
}

export interface StoredMessage {
  id: string
  role: string
  content: string | null
}

export interface ChatChunk extends Reply {
  choices: {
    index: number
    delta: { role?: string | undefined; content?: string | null | undefined }
    finish_reason: string | null
  }[]
  usage?: Usage | null | undefined
}

export interface Completion extends Reply {
  choices: { index: number; text: string; finish_reason: string | null }[]
  usage?: Usage | null | undefined
}

export interface Embeddings {
  model: string
  data: { index: number; embedding: number[] | string }[]
  usage: { prompt_tokens: number; total_tokens: number }
}
