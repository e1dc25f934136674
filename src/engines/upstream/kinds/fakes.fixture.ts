/** For tests: a server of each kind, as far as its documents tell: what it wants, what it refuses, and in which words. */
import { chunk, completion, event, jsonAnswer, lastChunk, streamHead } from '../../../../test/hostile/scripts.ts'
import { key } from '../../../../test/hostile/setting.ts'
import type { Script } from '../../../../test/hostile/upstream.ts'
import type { KindName } from './kind.ts'

/** A prompt that is too long for all of them. */
export const tooLong = 'more than it takes'

interface Manners {
  /** How the key is read; usually as OpenAI does. */
  key?: 'api-key'
  path?: RegExp
  /** All other fields are refused. */
  knows?: readonly string[]
  /** Refuses several choices. */
  oneChoice?: true
  /** A stream has its usage beside the last choice, asked or unasked. */
  usageBeside?: true
  /** Status and body for a prompt that is too long. */
  overflow?: readonly [number, unknown]
}

const openAiOverflow = [
  400,
  {
    error: {
      message: "This model's maximum context length is 8 tokens. However, your messages resulted in 9 tokens.",
      ...{ type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' },
    },
  },
] as const

const fakes: Readonly<Record<KindName, Manners>> = {
  'openai-compatible': {},
  openai: {},
  azure: { key: 'api-key', path: /^\/v1\/openai\/deployments\/big-1\/chat\/completions\?api-version=\d{4}-\d\d-\d\d$/ },
  vllm: {},
  sglang: {
    overflow: [
      400,
      {
        object: 'error',
        message: "The input (9 tokens) is longer than the model's context length (8 tokens).",
        ...{ type: 'BadRequestError', param: null, code: 400 },
      },
    ],
  },
  'llama.cpp': {},
  ollama: { oneChoice: true },
  'lm-studio': { oneChoice: true },
  tgi: {
    oneChoice: true,
    overflow: [
      422,
      {
        error: 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8. Given: 9 and 7',
        error_type: 'validation',
      },
    ],
  },
  deepseek: { oneChoice: true },
  groq: { oneChoice: true },
  mistral: {
    usageBeside: true,
    knows: ['model', 'messages', 'max_tokens', 'random_seed', 'stream', 'n', 'temperature', 'stop', 'tools'],
  },
  openrouter: { oneChoice: true },
  together: {},
  fireworks: {},
  xai: {},
  gemini: {
    overflow: [
      400,
      [
        {
          error: {
            ...{ code: 400, status: 'INVALID_ARGUMENT' },
            message: 'The input token count (9) exceeds the maximum number of tokens allowed (8).',
          },
        },
      ],
    ],
  },
  anthropic: {
    oneChoice: true,
    overflow: [
      400,
      {
        error: {
          ...{ code: null, type: 'invalid_request_error', param: null },
          message: 'prompt is too long: 9 tokens > 8 maximum',
        },
      },
    ],
  },
}

const refusal = (status: number, message: string) =>
  jsonAnswer(status, { error: { message, type: 'invalid_request_error', param: null, code: 'refused_by_the_fake' } })

/** Answers like a server of this kind: “Hello”, for 9 tokens and 3. */
export function fakeOf(name: KindName): Script {
  const fake = fakes[name]
  return async (wire, request) => {
    const body: { n?: number; stream?: boolean; stream_options?: { include_usage?: boolean } } = JSON.parse(
      request.body,
    )
    const answered = (script: Script) => script(wire, request)
    const given = fake.key === undefined ? request.headers.authorization : `Bearer ${request.headers[fake.key]}`
    if (given !== `Bearer ${key}`) return answered(refusal(401, 'Who is there?'))
    if (!(fake.path ?? /^\/v1\/chat\/completions$/).test(request.path)) return answered(refusal(404, 'Nothing here.'))
    const strange = Object.keys(body).filter(field => fake.knows?.includes(field) === false)
    if (strange.length > 0) return answered(refusal(422, `Extra inputs are not permitted: ${strange.join()}`))
    if (fake.oneChoice && (body.n ?? 1) > 1) return answered(refusal(400, 'n must be 1'))
    if (request.body.includes(tooLong)) return answered(jsonAnswer(...(fake.overflow ?? openAiOverflow)))
    const { usage, ...reply } = completion
    const choices = Array.from({ length: body.n ?? 1 }, (_, index) => ({ ...reply.choices[0], index }))
    if (body.stream !== true) return answered(jsonAnswer(200, { ...reply, choices, usage }))
    const piece = (index: number, delta: object, finish: string | null, more: object = {}) =>
      event({
        ...{ ...reply, object: 'chat.completion.chunk', ...more },
        choices: [{ index, delta, logprobs: null, finish_reason: finish }],
      })
    await wire.send(streamHead)
    for (const { index } of choices) {
      await wire.send(chunk(piece(index, { role: 'assistant', content: 'Hel' }, null)))
      await wire.send(chunk(piece(index, { content: 'lo' }, null)))
      const last = index === choices.length - 1
      await wire.send(chunk(piece(index, {}, 'stop', fake.usageBeside && last ? { usage } : {})))
    }
    if (!fake.usageBeside && body.stream_options?.include_usage === true)
      await wire.send(chunk(event({ ...reply, object: 'chat.completion.chunk', choices: [], usage })))
    await wire.send(chunk('data: [DONE]\n\n') + lastChunk)
  }
}
