import type { Readable } from 'node:stream'
import { Configuration, OpenAIApi } from 'openai-v3'
import type { ChatChunk, Client, ClientKind, Completion, Connection, SeenError } from './client.ts'

/** openai-node 3.3: axios, and no help with streams, so this reads them as programs of 2023 did: line by line. */
export const node3: ClientKind = { name: 'openai-node 3.3', era: '2023-06-19', accumulates: false, open }

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
      const { data } = await api.createChatCompletion(
        { ...body, stream: true },
        { responseType: 'stream', signal: signal ?? new AbortController().signal },
      )
      yield* events<ChatChunk>(asStream(data))
    },
    async completion(body) {
      return withIndexes((await api.createCompletion(body)).data)
    },
    async *completionStream(body) {
      const { data } = await api.createCompletion({ ...body, stream: true }, { responseType: 'stream' })
      yield* events<Completion>(asStream(data))
    },
    async embed(body) {
      return (await api.createEmbedding(body)).data
    },
    accumulate: () => Promise.reject(new Error('openai-node 3.3 leaves that to the program.')),
    seen,
  }
}

/** With `responseType: 'stream'` axios hands out the body itself, which the client's types do not say. */
function asStream(data: unknown): Readable {
  if (typeof data === 'object' && data !== null && Symbol.asyncIterator in data && 'setEncoding' in data)
    return data as Readable
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
    data: { error: Pick<SeenError, 'code' | 'param' | 'type' | 'message'> }
    headers: Record<string, string>
  }
}

function seen(error: unknown): SeenError {
  if (!isAxiosFailure(error)) throw error
  const { status, data, headers } = error.response
  const { code, param, type, message } = data.error
  return { status, code, param, type, message, requestId: headers['x-request-id'], className: undefined }
}

function isAxiosFailure(error: unknown): error is AxiosFailure {
  return error instanceof Error && 'response' in error && typeof error.response === 'object' && error.response !== null
}
