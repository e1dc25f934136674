import OpenAI6 from 'openai'
import OpenAI4, * as v4 from 'openai-v4'
import OpenAI420, * as v420 from 'openai-v4-20'
import OpenAI5, * as v5 from 'openai-v5'
import OpenAI7, * as v7 from 'openai-v7'
import * as v6 from 'openai'
import type { Chat, ChatBody, ChatChunk, Client, Completion, CompletionBody, EmbeddingBody, Embeddings, Model } from './client.ts'

/** openai-node from 4.20 to 7: one shape of calls, five packages. */
export function node4(at: { baseURL: string; apiKey: string }): Client[] {
  const options = { ...at, maxRetries: 0 }
  const make = (name: string, era: Client['era'], open: (options: Options) => OpenAINode, errors: ErrorClasses, stream?: Streams) =>
    adapt({ name, era, open, errors, stream }, options)
  return [
    make('openai-node 4.20', 'legacy', given => new OpenAI420(given), v420, (given, body) =>
      new OpenAI420(given).beta.chat.completions.stream(body),
    ),
    make('openai-node 4.104', 'newest', given => new OpenAI4(given), v4, (given, body) =>
      new OpenAI4(given).beta.chat.completions.stream(body),
    ),
    make('openai-node 5', 'newest', given => new OpenAI5(given), v5, (given, body) =>
      new OpenAI5(given).chat.completions.stream(body),
    ),
    make('openai-node 6', 'newest', given => new OpenAI6(given), v6, (given, body) =>
      new OpenAI6(given).chat.completions.stream(body),
    ),
    make('openai-node 7', 'newest', given => new OpenAI7(given), v7, (given, body) =>
      new OpenAI7(given).chat.completions.stream(body),
    ),
  ]
}

interface Options {
  baseURL: string
  apiKey: string
  maxRetries: number
}

/** The part of openai-node that all versions from 4 on share. */
interface OpenAINode {
  models: {
    list(): AsyncIterable<{ id: string }> | PromiseLike<AsyncIterable<{ id: string }>>
    retrieve(name: string): PromiseLike<Model>
  }
  chat: {
    completions: {
      create(body: ChatBody & { stream: true }, options?: { signal?: AbortSignal }): PromiseLike<AsyncIterable<ChatChunk>>
      create(body: ChatBody): PromiseLike<Chat>
    }
  }
  completions: {
    create(body: CompletionBody & { stream: true }): PromiseLike<AsyncIterable<Completion>>
    create(body: CompletionBody): PromiseLike<Completion>
  }
  embeddings: { create(body: EmbeddingBody): PromiseLike<Embeddings> }
}

type Streams = (options: Options, body: ChatBody & { stream: true }) => ChatStream

interface ChatStream {
  on(event: 'content', listener: (delta: string) => void): unknown
  finalChatCompletion(): Promise<Chat>
}

interface ErrorClasses {
  APIError: abstract new (...args: never[]) => ApiError
}

interface ApiError extends Error {
  readonly status: number | undefined
  readonly code?: string | null | undefined
  readonly param?: string | null | undefined
  readonly type?: string | null | undefined
  readonly headers?: unknown
  readonly request_id?: string | null | undefined
  readonly requestID?: string | null | undefined
}

interface Version {
  name: string
  era: Client['era']
  open: (options: Options) => OpenAINode
  errors: ErrorClasses
  stream: Streams | undefined
}

function adapt(version: Version, options: Options): Client {
  const client = version.open(options)
  const { stream } = version
  return {
    name: version.name,
    era: version.era,
    withKey: apiKey => adapt(version, { ...options, apiKey }),
    async listModels() {
      const names: string[] = []
      for await (const { id } of await client.models.list()) names.push(id)
      return names
    },
    retrieveModel: async name => client.models.retrieve(name),
    chat: async body => client.chat.completions.create(body),
    async *chatStream(body, signal) {
      yield* await client.chat.completions.create({ ...body, stream: true }, signal === undefined ? {} : { signal })
    },
    completion: async body => client.completions.create(body),
    async *completionStream(body) {
      yield* await client.completions.create({ ...body, stream: true })
    },
    embed: async body => client.embeddings.create(body),
    ...(stream !== undefined && {
      async accumulate(body: ChatBody) {
        const deltas: string[] = []
        const running = stream(options, { ...body, stream: true })
        running.on('content', delta => deltas.push(delta))
        return { chat: await running.finalChatCompletion(), deltas }
      },
    }),
    seen(error) {
      if (!(error instanceof version.errors.APIError)) throw error
      const { status, code, param, type, message } = error
      const requestId = error.requestID ?? error.request_id ?? headerOf(error.headers, 'x-request-id')
      return { status, code, param, type, message, requestId, className: error.constructor.name }
    },
  }
}

/** 4.20 keeps the headers as an object, later versions as `Headers`. */
function headerOf(headers: unknown, name: string): string | null | undefined {
  if (headers instanceof Headers) return headers.get(name)
  if (typeof headers !== 'object' || headers === null) return undefined
  const value = Object.entries(headers).find(([key]) => key === name)?.[1]
  return typeof value === 'string' ? value : undefined
}
