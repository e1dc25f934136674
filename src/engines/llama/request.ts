import { type Fault, fault } from '../../lib/faults.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import type { CompletionRequest } from '../../wire/completions.ts'
import { abilityFor } from './abilities.ts'
import { toolsAsked } from './dialects/index.ts'
import type { Asked } from './host.ts'
import type { ChatMessage, CompleteMessage, Refusal } from './protocol.ts'

/** Replies of one request, over all its prompts. */
const choicesMax = 512
/** OpenAI's default for completions. */
const completionTokensDefault = 16

/**
 * A chat request as the model's process takes it.
 * @param chance the seed of a request that has none
 * @throws fault.unsupportedValue for content that is not text
 */
export function chatAsked(request: ChatRequest, chance: number): Omit<ChatMessage, 'id'> {
  const maxTokens = request.max_completion_tokens ?? request.max_tokens
  return {
    type: 'chat',
    messages: request.messages,
    ...generation(request, chance),
    ...toolsOf(request),
    ...formatOf(request),
    ...(typeof request.reasoning_effort === 'string' ? { effort: request.reasoning_effort } : {}),
    ...(typeof request.prompt_cache_key === 'string' ? { cacheKey: request.prompt_cache_key } : {}),
    ...(request.logprobs === true ? { logprobs: request.top_logprobs ?? 0 } : {}),
    ...(typeof maxTokens === 'number' ? { maxTokens } : {}),
  }
}

/** A completion request as the model's process takes it. @throws fault.invalidValue for too many choices, or parameters that do not go together */
export function completionAsked(request: CompletionRequest, chance: number): Omit<CompleteMessage, 'id'> {
  const asked = { prompts: promptsOf(request.prompt), ...generation(request, chance) }
  const best = competing(request)
  const n = best === undefined ? asked.n : (request.best_of ?? asked.n)
  if (asked.prompts.length * n > choicesMax)
    throw fault.invalidValue(
      best === undefined ? 'n' : 'best_of',
      `At most ${choicesMax} completions can be asked for at once, over all prompts.`,
    )
  const { suffix, logprobs } = request
  const fills = typeof suffix === 'string' && suffix !== ''
  if (fills && request.echo === true)
    throw fault.invalidValue('suffix', "'suffix' and 'echo' do not go together.", 'invalid_parameter_combination')
  return {
    type: 'complete',
    ...asked,
    n,
    maxTokens: request.max_tokens ?? completionTokensDefault,
    ...(best === undefined ? {} : { best }),
    ...(fills ? { suffix } : {}),
    ...(request.echo === true ? { echo: true } : {}),
    ...(typeof logprobs === 'number' ? { logprobs } : {}),
  }
}

/** How many of the choices of a prompt are kept, when more are generated than asked for. */
function competing({ n, best_of, stream }: CompletionRequest): number | undefined {
  const kept = n ?? 1
  // A default of 1 does not contradict an `n` of its own.
  if (best_of === undefined || best_of === null || best_of === kept) return undefined
  if (best_of < kept) throw fault.invalidValue('best_of', "'best_of' must not be less than 'n'.")
  if (stream === true)
    throw fault.invalidValue('best_of', "'best_of' beyond 'n' cannot be streamed.", 'invalid_parameter_combination')
  return kept
}

/** Nothing when there are none: then a choice of tools says nothing either. */
function toolsOf(request: ChatRequest): Pick<ChatMessage, 'tools'> {
  const asked = toolsAsked(request)
  const demanded = typeof asked.choice === 'object' || asked.choice === 'required'
  return asked.tools.length === 0 && !(demanded && asked.choice !== null)
    ? {}
    : { tools: { ...asked, older: Array.isArray(request.functions) } }
}

function formatOf({ response_format: format }: ChatRequest): Pick<ChatMessage, 'format'> {
  if (format === undefined || format === null || format.type === 'text') return {}
  if (format.type === 'json_object') return { format: { name: 'json_object', schema: null, strict: false } }
  const { name, schema, strict } = format.json_schema
  return { format: { name, schema: schema ?? null, strict: strict === true } }
}

/** What the caller is told when the model's process refuses a request. */
export function faultOf(refusal: Refusal, asked: Asked, { name, limit }: { name: string; limit: number }): Fault {
  const subject = subjects[abilityFor(asked)]
  switch (refusal.kind) {
    case 'context': {
      const { prompt, completion } = refusal
      return fault.contextLengthExceeded({
        limit,
        prompt,
        subject,
        ...(completion === undefined ? {} : { completion }),
      })
    }
    case 'prompt':
      return fault.invalidValue(subject, refusal.message)
    case 'parameter':
      return fault.invalidValue(refusal.parameter, refusal.message, refusal.code)
    case 'messages':
      return fault.invalidValue(
        'messages',
        `The chat template of the model '${name}' refuses these messages: ${refusal.message}`,
      )
    case 'template':
    case 'failure':
      return fault.internal(new Error(refusal.message))
  }
}

/** The parameter that holds the texts. */
const subjects = { chat: 'messages', complete: 'prompt', embed: 'input', rerank: 'documents' } as const

function generation(request: ChatRequest | CompletionRequest, chance: number) {
  const { stop, logit_bias } = request
  const presence = request.presence_penalty ?? 0
  const frequency = request.frequency_penalty ?? 0
  const bias = Object.entries(logit_bias ?? {}).map(([token, value]) => [tokenId(token), value] as const)
  return {
    n: request.n ?? 1,
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? 1,
    seed: typeof request.seed === 'number' ? uint32(request.seed) : chance,
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
    ...(presence === 0 && frequency === 0 ? {} : { penalties: { presence, frequency } }),
    ...(bias.length === 0 ? {} : { bias }),
  }
}

/** The key of a bias. @throws fault.invalidValue */
function tokenId(key: string): number {
  if (/^\d{1,9}$/.test(key)) return Number(key)
  throw fault.invalidValue('logit_bias', `Invalid key in 'logit_bias': '${key}'. Keys are the ids of tokens.`)
}

/** OpenAI's seeds have 64 bits, llama.cpp's 32. */
const uint32 = (seed: number) => Number(BigInt.asUintN(32, BigInt(seed)))

function promptsOf(prompt: CompletionRequest['prompt']): (string | number[])[] {
  if (prompt === undefined || prompt === null) return ['']
  if (typeof prompt === 'string') return [prompt]
  const ids = prompt.filter(item => typeof item === 'number')
  return ids.length > 0 ? [ids] : prompt.filter(item => typeof item !== 'number')
}
