import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'

/** A well-behaved OpenAI-compatible server, deterministic: the same request gives the same reply. */
export interface Upstream {
  /** With `/v1`. */
  readonly baseUrl: string
  readonly key: string
  /** Requests so far but for those of its list, the oldest first. */
  readonly requests: UpstreamRequest[]
  /** What `GET /models` lists, and what answers chats beside the usual ones; undefined: it has no list. */
  models: string[] | undefined
  /** How often it was asked for its list. */
  readonly listed: number
  /** Streams that the other side left before their end. */
  readonly left: number
  /** Resolves when this many streams have been left. */
  leftBy(count: number): Promise<void>
  close(): Promise<void>
}

export interface UpstreamRequest {
  path: string
  headers: IncomingHttpHeaders
  body: Body
}

interface Body {
  model?: string
  messages?: { role: string; content: string }[]
  prompt?: string | string[]
  input?: string | string[] | number[] | number[][]
  stream?: boolean
  stream_options?: { include_usage?: boolean }
  max_tokens?: number
  n?: number
  stop?: string | string[]
  seed?: number
  temperature?: number
  encoding_format?: string
  dimensions?: number
}

/** Names of its models. `endless` streams until it is left. */
export const upstreamModels = {
  chat: 'upstream-chat-0613',
  endless: 'upstream-endless',
  embed: 'upstream-embed-002',
} as const

/** A temperature that meets the rate limit. */
export const rateLimited = 1.99

const key = 'sk-upstream-V7kTz2QyXo4Wm8Lr'
const embeddingLength = 64
const wordsMax = 24
const words = ['Every', 'stream', 'ends', 'at', 'the', 'sea', ',', 'café', '☕', '你好', 'and', 'back', 'again', '.']

export async function startUpstream(): Promise<Upstream> {
  const requests: UpstreamRequest[] = []
  const waiting = new Set<() => void>()
  const list: List = { models: Object.values(upstreamModels), asked: 0 }
  let left = 0
  const server = createServer((request, response) => {
    response.once('close', () => {
      if (response.writableFinished) return
      left++
      for (const look of waiting) look()
    })
    void answer(request, response, requests, list)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    key,
    requests,
    get models() {
      return list.models
    },
    set models(models) {
      list.models = models
    },
    get listed() {
      return list.asked
    },
    get left() {
      return left
    },
    leftBy: count =>
      new Promise(resolve => {
        const look = () => {
          if (left < count) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

interface List {
  models: string[] | undefined
  asked: number
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  requests: UpstreamRequest[],
  list: List,
): Promise<void> {
  const path = request.url ?? ''
  if (request.method === 'GET' && path === '/v1/models') list.asked++
  if (request.method === 'GET' && path === '/v1/models' && list.models !== undefined)
    return request.headers.authorization === `Bearer ${key}`
      ? send(response, 200, listOf(list.models))
      : refuseKey(response)
  if (request.method !== 'POST')
    return fail(response, 404, { message: `Invalid URL (${request.method} ${path})`, code: null })
  const body = (await json(request)) as Body
  requests.push({ path, headers: request.headers, body })
  if (request.headers.authorization !== `Bearer ${key}`) return refuseKey(response)
  if (path === '/v1/embeddings') return send(response, 200, embeddings(body))
  const { chat, endless } = upstreamModels
  if (body.model !== chat && body.model !== endless && !list.models?.includes(body.model ?? ''))
    return fail(response, 404, {
      message: `The model \`${body.model}\` does not exist or you do not have access to it.`,
      code: 'model_not_found',
    })
  if (body.temperature === rateLimited)
    return fail(response, 429, { message: 'Rate limit reached.', code: 'rate_limit_exceeded', type: 'requests' })
  const kind = path === '/v1/chat/completions' ? chatKind : completionKind
  if (body.stream === true) return stream(response, body, kind)
  send(response, 200, whole(body, kind))
}

const refuseKey = (response: ServerResponse) =>
  fail(response, 401, { message: 'Incorrect API key provided.', code: 'invalid_api_key' })

const listOf = (models: string[]): object => ({
  object: 'list',
  data: models.map(id => ({ id, object: 'model', created, owned_by: 'upstream' })),
})

function send(response: ServerResponse, status: number, value: object): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'req_of_the_upstream' })
    .end(JSON.stringify(value))
}

function fail(
  response: ServerResponse,
  status: number,
  { message, code, type = 'invalid_request_error' }: { message: string; code: string | null; type?: string },
): void {
  send(response, status, { error: { message, type, param: null, code } })
}

/** How chat and completions differ in their replies. */
interface Kind {
  id: string
  whole: string
  piece: string
  choice(index: number, text: string, finish: string): object
  first(index: number): object | undefined
  delta(index: number, text: string): object
  last(index: number, finish: string): object
}

const chatKind: Kind = {
  id: 'chatcmpl-UpstreamReply0000000000000001',
  whole: 'chat.completion',
  piece: 'chat.completion.chunk',
  choice: (index, content, finish_reason) => ({
    index,
    message: { role: 'assistant', content, refusal: null },
    logprobs: null,
    finish_reason,
  }),
  first: index => ({
    index,
    delta: { role: 'assistant', content: '', refusal: null },
    logprobs: null,
    finish_reason: null,
  }),
  delta: (index, content) => ({ index, delta: { content }, logprobs: null, finish_reason: null }),
  last: (index, finish_reason) => ({ index, delta: {}, logprobs: null, finish_reason }),
}

const completionKind: Kind = {
  id: 'cmpl-UpstreamReply0000000000000001',
  whole: 'text_completion',
  piece: 'text_completion',
  choice: (index, text, finish_reason) => ({ index, text, logprobs: null, finish_reason }),
  first: () => undefined,
  delta: (index, text) => ({ index, text, logprobs: null, finish_reason: null }),
  last: (index, finish_reason) => ({ index, text: '', logprobs: null, finish_reason }),
}

const created = 1_700_000_000

function whole(body: Body, kind: Kind): object {
  const choices = texts(body).map(({ pieces, finish }, index) => kind.choice(index, pieces.join(''), finish))
  return {
    id: kind.id,
    object: kind.whole,
    created,
    model: body.model,
    choices,
    usage: usage(body),
    system_fingerprint: 'fp_upstream',
  }
}

async function stream(response: ServerResponse, body: Body, kind: Kind): Promise<void> {
  const envelope = { id: kind.id, object: kind.piece, created, model: body.model, system_fingerprint: 'fp_upstream' }
  const asked = body.stream_options?.include_usage === true
  const event = (choices: (object | undefined)[]) => {
    const present = choices.filter(choice => choice !== undefined)
    if (present.length > 0)
      response.write(`data: ${JSON.stringify({ ...envelope, choices: present, ...(asked && { usage: null }) })}\n\n`)
  }
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  const all = texts(body)
  for (const index of all.keys()) event([kind.first(index)])
  while (body.model === upstreamModels.endless && !response.destroyed) {
    event([kind.delta(0, 'on and on ')])
    if (response.writableNeedDrain) await Promise.race([once(response, 'drain'), once(response, 'close')])
    await turn()
  }
  for (const [index, { pieces }] of all.entries()) for (const piece of pieces) event([kind.delta(index, piece)])
  for (const [index, { finish }] of all.entries()) event([kind.last(index, finish)])
  if (asked) response.write(`data: ${JSON.stringify({ ...envelope, choices: [], usage: usage(body) })}\n\n`)
  response.end('data: [DONE]\n\n')
}

interface Text {
  pieces: string[]
  finish: 'stop' | 'length'
}

/** The texts of all choices: words chosen by the request, cut by `max_tokens` and `stop`. */
function texts(body: Body): Text[] {
  const prompts = Array.isArray(body.prompt) ? body.prompt : [body.prompt ?? JSON.stringify(body.messages)]
  return prompts.flatMap(prompt => Array.from({ length: body.n ?? 1 }, (_, index) => text(body, `${prompt} ${index}`)))
}

function text({ max_tokens = wordsMax, stop = [], seed = 0 }: Body, about: string): Text {
  const bytes = createHash('sha256').update(`${seed} ${about}`).digest()
  const count = Math.min(max_tokens, wordsMax)
  let pieces = Array.from({ length: count }, (_, place) => ` ${words[bytes[place % bytes.length]! % words.length]}`)
  const all = pieces.join('')
  const places = [stop]
    .flat()
    .map(sequence => all.indexOf(sequence))
    .filter(place => place >= 0)
  if (places.length > 0) {
    pieces = [all.slice(0, Math.min(...places))]
    return { pieces, finish: 'stop' }
  }
  return { pieces, finish: max_tokens < wordsMax ? 'length' : 'stop' }
}

function usage(body: Body): object {
  const prompt_tokens = JSON.stringify(body.messages ?? body.prompt ?? '').split(' ').length
  const completion_tokens = texts(body).reduce((sum, { pieces }) => sum + pieces.length, 0)
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}

function embeddings({ model, input = '', encoding_format, dimensions = embeddingLength }: Body): object {
  const inputs = typeof input === 'string' || typeof input[0] === 'number' ? [input] : input
  const data = inputs.map((one, index) => {
    const vector = unit(JSON.stringify(one), dimensions)
    return {
      object: 'embedding',
      index,
      embedding: encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : Array.from(vector),
    }
  })
  return { object: 'list', data, model, usage: { prompt_tokens: inputs.length, total_tokens: inputs.length } }
}

function unit(about: string, length: number): Float32Array {
  const bytes = createHash('shake256', { outputLength: length }).update(about).digest()
  const norm = Math.hypot(...bytes)
  return Float32Array.from(bytes, byte => byte / norm)
}
