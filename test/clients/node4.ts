import OpenAI6, * as v6 from 'openai'
import OpenAI4, * as v4 from 'openai-v4'
import OpenAI420, * as v420 from 'openai-v4-20'
import OpenAI5, * as v5 from 'openai-v5'
import OpenAI7, * as v7 from 'openai-v7'
import type {
  Chat,
  ChatBody,
  ChatChunk,
  Client,
  ClientKind,
  Completion,
  CompletionBody,
  Connection,
  EmbeddingBody,
  Embeddings,
  Model,
  StoredChat,
  StoredChats,
  StoredMessage,
} from './client.ts'

/** openai-node from 4.20 to 7: one shape of calls, five packages. */
export const node4: readonly ClientKind[] = [
  kind('openai-node 4.20', '2023-11-28', v420, at => {
    const client = new OpenAI420(at)
    return { client, stream: body => client.beta.chat.completions.stream(body) }
  }),
  kind('openai-node 4.104', '2024-12-18', v4, at => {
    const client = new OpenAI4(at)
    return { client, stream: body => client.beta.chat.completions.stream(body) }
  }),
  kind('openai-node 5', '2026-08-21', v5, at => {
    const client = new OpenAI5(at)
    return { client, stream: body => client.chat.completions.stream(body), stored: client.chat.completions }
  }),
  kind('openai-node 6', '2026-08-21', v6, at => {
    const client = new OpenAI6(at)
    return { client, stream: body => client.chat.completions.stream(body), stored: client.chat.completions }
  }),
  kind('openai-node 7', '2026-08-21', v7, at => {
    const client = new OpenAI7(at)
    return { client, stream: body => client.chat.completions.stream(body), stored: client.chat.completions }
  }),
]

type Options = Connection & { maxRetries: number }

interface Opened {
  client: OpenAINode
  stream(body: ChatBody & { stream: true }): ChatStream
  stored?: StoredCalls
}

/** A kind of client of this shape. */
export function kind(
  name: string,
  era: ClientKind['era'],
  errors: ErrorClasses,
  make: (at: Options) => Opened,
): ClientKind {
  const open = (at: Connection): Client =>
    adapt(make({ ...at, maxRetries: 0 }), errors, apiKey => open({ ...at, apiKey }))
  return { name, era, accumulates: true, stores: era === '2026-08-21', open }
}

/** The part of openai-node that all versions from 4 on share. */
interface OpenAINode {
  models: {
    list(): AsyncIterable<{ id: string }> | PromiseLike<AsyncIterable<{ id: string }>>
    retrieve(name: string): PromiseLike<Model>
  }
  chat: {
    completions: {
      create(
        body: ChatBody & { stream: true },
        options?: { signal?: AbortSignal },
      ): PromiseLike<AsyncIterable<ChatChunk>>
      create(body: ChatBody): PromiseLike<Chat>
    }
  }
  completions: {
    create(body: CompletionBody & { stream: true }): PromiseLike<AsyncIterable<Completion>>
    create(body: CompletionBody): PromiseLike<Completion>
  }
  embeddings: { create(body: EmbeddingBody): PromiseLike<Embeddings> }
}

/** The part of `chat.completions` that versions from 5 on share. */
interface StoredCalls {
  retrieve(id: string): PromiseLike<StoredChat>
  update(id: string, body: { metadata: Record<string, string> }): PromiseLike<StoredChat>
  list(query: Parameters<StoredChats['list']>[0]): AsyncIterable<StoredChat>
  delete(id: string): ReturnType<StoredChats['delete']>
  messages: { list(id: string, query: Parameters<StoredChats['messages']>[1]): AsyncIterable<StoredMessage> }
}

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

function adapt({ client, stream, stored }: Opened, errors: ErrorClasses, withKey: Client['withKey']): Client {
  return {
    withKey,
    ...(stored && {
      stored: {
        retrieve: async id => stored.retrieve(id),
        update: async (id, metadata) => stored.update(id, { metadata }),
        list: query => stored.list(query),
        messages: (id, query) => stored.messages.list(id, query),
        delete: async id => stored.delete(id),
      },
    }),
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
    async accumulate(body) {
      const deltas: string[] = []
      const running = stream({ ...body, stream: true })
      running.on('content', delta => deltas.push(delta))
      return { chat: await running.finalChatCompletion(), deltas }
    },
    seen(error) {
      if (!(error instanceof errors.APIError)) throw error
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
