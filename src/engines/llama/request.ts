import { type Fault, fault } from '../../lib/faults.ts'
import { type ChatRequest, textOf } from '../../wire/chat.ts'
import type { CompletionRequest } from '../../wire/completions.ts'
import type { Asked } from './host.ts'
import type { ChatMessage, CompleteMessage, Refusal, TemplateMessage } from './protocol.ts'

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
    messages: request.messages.map(templateMessage),
    ...generation(request, chance),
    ...(typeof maxTokens === 'number' ? { maxTokens } : {}),
  }
}

/** A completion request as the model's process takes it. @throws fault.invalidValue for too many choices */
export function completionAsked(request: CompletionRequest, chance: number): Omit<CompleteMessage, 'id'> {
  const asked = { prompts: promptsOf(request.prompt), ...generation(request, chance) }
  if (asked.prompts.length * asked.n > choicesMax)
    throw fault.invalidValue('n', `At most ${choicesMax} completions can be asked for at once, over all prompts.`)
  return { type: 'complete', ...asked, maxTokens: request.max_tokens ?? completionTokensDefault }
}

/** What the caller is told when the model's process refuses a request. */
export function faultOf(refusal: Refusal, asked: Asked, { name, limit }: { name: string; limit: number }): Fault {
  const chat = asked.type === 'chat'
  switch (refusal.kind) {
    case 'context': {
      const { prompt, completion } = refusal
      return fault.contextLengthExceeded({
        limit,
        prompt,
        subject: chat ? 'messages' : 'prompt',
        ...(completion === undefined ? {} : { completion }),
      })
    }
    case 'prompt':
      return fault.invalidValue(chat ? 'messages' : 'prompt', refusal.message)
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

function generation(request: ChatRequest | CompletionRequest, chance: number) {
  const { stop } = request
  return {
    n: request.n ?? 1,
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? 1,
    seed: typeof request.seed === 'number' ? uint32(request.seed) : chance,
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
  }
}

/** OpenAI's seeds have 64 bits, llama.cpp's 32. */
const uint32 = (seed: number) => Number(BigInt.asUintN(32, BigInt(seed)))

function promptsOf(prompt: CompletionRequest['prompt']): (string | number[])[] {
  if (prompt === undefined || prompt === null) return ['']
  if (typeof prompt === 'string') return [prompt]
  const ids = prompt.filter(item => typeof item === 'number')
  return ids.length > 0 ? [ids] : prompt.filter(item => typeof item !== 'number')
}

type WireMessage = ChatRequest['messages'][number]

/** Templates know text alone, system messages under their old name, and the arguments of a call as an object. */
function templateMessage(message: WireMessage, index: number): TemplateMessage {
  const { content = null, ...rest } = message
  const text = content === null ? '' : textOf(content)
  if (text === null)
    throw fault.unsupportedValue(`messages.${index}.content`, 'This model takes text alone, no images, audio or files.')
  const role = message.role === 'developer' ? 'system' : message.role
  if (message.role !== 'assistant' || !message.tool_calls) return { ...rest, role, content: text }
  const calls = message.tool_calls.map(call =>
    call.type === 'function'
      ? { ...call, function: { ...call.function, arguments: parsed(call.function.arguments) } }
      : call,
  )
  return { ...rest, role, content: text, tool_calls: calls }
}

/** What a model wrote need not be JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
