import { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { Configuration, OpenAIApi } from 'openai-v3'
import type { ChatChunk, Client, ClientKind, Completion, Connection, SeenError } from './client.ts'

/** openai-node 3.3: axios, and no help with streams, so this reads them as programs of 2023 did: line by line. */
export const node3: ClientKind = { name: 'openai-node 3.3', era: '2023-06-19', accumulates: false, stores: false, open }

function open({ baseURL, apiKey }: Connection): Client {
  const api = new OpenAIApi(new Configuration({ basePath: baseURL, apiKey }))
  return {
    withKey: key => open({ baseURL, apiKey: key }),
    async listModels() {
      return (await api.listModels()).data.data.map(model => model.id)
    },
    async retrieveModel(name) {
      return (await api.retrieveModel(name)).data
    },
    async chat(body) {
      const { id, object, created, model, choices, usage } = (await api.createChatCompletion(body)).data
      return {
        id,
        object,
        created,
        model,
        usage,
        choices: choices.map(({ index, message, finish_reason }) => ({
          index: index!,
          message: { role: message!.role, content: message!.content ?? null },
          finish_reason: finish_reason ?? null,
        })),
      }
    },
    async *chatStream(body, signal) {
      const data = await opened(api.createChatCompletion({ ...body, stream: true }, { responseType: 'stream' }))
      signal?.addEventListener('abort', () => data.destroy()) // axios forgets its signal once the reply has begun
      yield* events<ChatChunk>(data)
    },
    async completion(body) {
      return withIndexes((await api.createCompletion(body)).data)
    },
    async *completionStream(body) {
      const options = { responseType: 'stream' } as const
      yield* events<Completion>(await opened(api.createCompletion({ ...body, stream: true }, options)))
    },
    async embed(body) {
      return (await api.createEmbedding(body)).data
    },
    accumulate: () => Promise.reject(new Error('openai-node 3.3 leaves that to the program.')),
    seen,
  }
}

/** With `responseType: 'stream'` axios hands out the body itself, of an error too, which the client's types do not say. */
async function opened(reply: Promise<{ data: unknown }>): Promise<Readable> {
  try {
    const { data } = await reply
    if (data instanceof Readable) return data
  } catch (error) {
    const body = isAxiosFailure(error) ? error.response.data : undefined
    if (isAxiosFailure(error) && body instanceof Readable) error.response.data = await json(body)
    throw error
  }
  throw new TypeError('The reply is not a stream.')
}

async function* events<Event>(body: Readable): AsyncGenerator<Event> {
  let rest = ''
  for await (const text of body.setEncoding('utf8')) {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (line === '') continue
      if (!line.startsWith('data: ')) throw new SyntaxError(`A line of the stream is no data: ${line}`)
      if (line === 'data: [DONE]') return
      yield JSON.parse(line.slice('data: '.length))
    }
  }
  throw new SyntaxError('The stream ended without [DONE].')
}

interface LooseCompletion extends Omit<Completion, 'choices'> {
  choices: { index?: number; text?: string; finish_reason?: string }[]
}

const withIndexes = (reply: LooseCompletion): Completion => ({
  ...reply,
  choices: reply.choices.map(({ index, text, finish_reason }) => ({
    index: index!,
    text: text!,
    finish_reason: finish_reason ?? null,
  })),
})

interface AxiosFailure {
  response: {
    status: number
    data: unknown
    headers: Record<string, string>
  }
}

function seen(error: unknown): SeenError {
  if (!isAxiosFailure(error)) throw error
  const { status, data, headers } = error.response
  const { code, param, type, message } = (data as { error: Pick<SeenError, 'code' | 'param' | 'type' | 'message'> })
    .error
  return { status, code, param, type, message, requestId: headers['x-request-id'], className: undefined }
}

function isAxiosFailure(error: unknown): error is AxiosFailure {
  return error instanceof Error && 'response' in error && typeof error.response === 'object' && error.response !== null
}
