import type { Encoding } from './encoding.ts'
import { type ImageSize, imageSizeOf, imageTokens, imageTokensMax } from './images.ts'
import { baseModel } from './models.ts'
import { encodingForModel } from './registry.ts'
import { type FunctionDefinition, functionsText } from './tool-text.ts'

/** As much of a chat request as is read here; requests of `/v1/chat/completions` fit. */
export interface ChatRequest {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly tools?: readonly { type: string; function?: FunctionDefinition | undefined }[] | null | undefined
  readonly tool_choice?: unknown
  readonly functions?: readonly FunctionDefinition[] | null | undefined
  readonly function_call?: unknown
  readonly response_format?: { type: string } | null | undefined
}

export interface ChatMessage {
  readonly role: string
  readonly content?: string | readonly ContentPart[] | null | undefined
  readonly name?: string | null | undefined
  readonly function_call?: FunctionCall | null | undefined
  readonly tool_calls?: readonly ToolCall[] | null | undefined
  readonly tool_call_id?: string | undefined
}

interface ToolCall {
  readonly id?: string | undefined
  readonly function?: FunctionCall | undefined
}

export interface ContentPart {
  readonly type: string
  readonly text?: string | undefined
  readonly refusal?: string | undefined
  readonly image_url?: { url: string; detail?: string | undefined } | undefined
}

interface FunctionCall {
  readonly name: string
  readonly arguments: string
}

export interface ChatCount {
  /** What `usage.prompt_tokens` would be. */
  readonly tokens: number
  /** Why it may not be exact, in words; empty when every rule used matches the published counts. */
  readonly assumptions: readonly string[]
}

export interface ChatOptions {
  /** For models whose own encoding is not known here. Default: that of the model. */
  encoding?: Encoding
  /** The size of an image that is not a `data:` URL. Without it such an image counts as the largest one. */
  imageSize?: (url: string) => ImageSize | undefined
}

/**
 * Counts the prompt of a chat request as OpenAI bills it. Messages, names and one call of a tool at a time follow published rules
 * and counts; where OpenAI published none, `assumptions` says so.
 *
 * Sources:
 * - messages, names, the reply's start: OpenAI cookbook, "How to count tokens with tiktoken", section 6 (gpt-3.5-turbo-0301 has its
 *   own numbers); tool definitions: section 7's counts
 * - functions, their definitions, calls and results: github.com/hmarr/openai-chat-tokens, measured on gpt-3.5-turbo
 * - `tool_choice`: github.com/pamelafox/openai-messages-token-helper, measured on Azure and OpenAI
 * - calls of tools: counts in github.com/chrisdinn/tokens, github.com/forestwanglin/openai-java issues 4 and 5, and
 *   community.openai.com topics 538914, 916758 and 1375117 (several calls in one message)
 * - images: see `images.ts`
 * @throws Fault 404 `model_not_found` when neither the model nor the options give an encoding
 */
export function countChat(request: ChatRequest, options: ChatOptions = {}): ChatCount {
  const encoding = options.encoding ?? encodingForModel(request.model)
  const bill = billOf(request, options)
  let tokens = bill.fixed
  for (const text of bill.texts) tokens += encoding.count(text)
  return { tokens, assumptions: [...bill.assumptions] }
}

/** The same for large requests: gives way to other work every few milliseconds. @throws the signal's reason when it is aborted */
export async function countChatInSlices(
  request: ChatRequest,
  options: ChatOptions & { signal?: AbortSignal } = {},
): Promise<ChatCount> {
  const encoding = options.encoding ?? encodingForModel(request.model)
  const bill = billOf(request, options)
  const slices = options.signal === undefined ? {} : { signal: options.signal }
  let tokens = bill.fixed
  for (const text of bill.texts) tokens += await encoding.countInSlices(text, slices)
  return { tokens, assumptions: [...bill.assumptions] }
}

/** Texts to be counted each by itself, and tokens known without counting. */
interface Bill {
  fixed: number
  readonly texts: string[]
  readonly assumptions: Set<string>
}

/** Every message stands between three tokens, and three more start the reply: `<|start|>assistant<|message|>`. */
const perMessage = 3
const replyStart = 3

function billOf(request: ChatRequest, options: ChatOptions): Bill {
  const bill: Bill = { fixed: replyStart, texts: [], assumptions: new Set() }
  billDefinitions(bill, request)
  const hasDefinitions = Boolean(request.tools?.length || request.functions?.length)
  const system = hasDefinitions ? systemOf(request) : undefined
  const calls = callsOf(request)
  const isFirstChat = baseModel(request.model) === 'gpt-3.5-turbo-0301'
  for (const message of request.messages) {
    // Definitions follow the first system message after a line feed.
    const ending = message === system ? '\n' : ''
    if (message.role === 'tool') billResult(bill, message, calls.get(message.tool_call_id ?? ''))
    else billMessage(bill, message, ending, request.model, options)
    // "every message follows <|start|>{role/name}\n{content}<|end|>\n", and "if there's a name, the role is omitted"
    if (isFirstChat) bill.fixed += message.name ? -1 : 1
  }
  billChoice(bill, request.function_call, 4)
  billChoice(bill, request.tool_choice, 7)
  if (request.response_format?.type === 'json_schema') {
    bill.assumptions.add('The schema in response_format is not counted: how models are shown it is not published.')
  }
  return bill
}

const systemOf = ({ messages }: ChatRequest) => messages.find(({ role }) => role === 'system' || role === 'developer')

function billDefinitions(bill: Bill, request: ChatRequest): void {
  const functions = request.functions ?? []
  const tools = request.tools ?? []
  const defined = tools.flatMap(tool => tool.function ?? [])
  if (functions.length > 0) bill.texts.push(functionsText(functions, 'functions'))
  if (defined.length > 0) bill.texts.push(functionsText(defined, 'tools'))
  // The definitions stand in a system message: in the given one, or in one of their own.
  if (functions.length + defined.length > 0) bill.fixed += systemOf(request) === undefined ? 9 : 5
  if (tools.length > defined.length) bill.assumptions.add('Tools that are no functions are not counted.')
}

function billMessage(bill: Bill, message: ChatMessage, ending: string, model: string, options: ChatOptions): void {
  bill.fixed += perMessage
  if (message.name) bill.texts.push(message.name)
  // The result of a function is headed by its name alone. Every role is one token, in every encoding.
  if (message.role !== 'function') bill.fixed += message.name ? 2 : 1
  if (typeof message.content === 'string') bill.texts.push(message.content + ending)
  else {
    for (const part of message.content ?? []) billPart(bill, part, model, options)
    bill.texts.push(ending)
  }
  if (message.function_call) {
    bill.texts.push(message.function_call.name, message.function_call.arguments)
    bill.fixed += 3
  }
  billCalls(bill, message)
}

/**
 * A call is a message of its own to `functions.<name>`, with its arguments without white space. Several calls at once are one call
 * of `multi_tool_use.parallel`, with the calls as arguments.
 */
function billCalls(bill: Bill, message: ChatMessage): void {
  const toolCalls = message.tool_calls ?? []
  const calls = toolCalls.flatMap(call => call.function ?? [])
  if (toolCalls.length > calls.length) bill.assumptions.add('Calls of tools that are no functions are not counted.')
  const [first] = calls
  if (first === undefined) return
  // A message that also says something is billed as two.
  if (message.content?.length) bill.fixed += perMessage + 1
  if (calls.length === 1) {
    bill.texts.push(first.name, compact(first.arguments))
    bill.fixed += 6
    return
  }
  const uses = calls.map(call => `{"recipient_name":"functions.${call.name}","parameters":${compact(call.arguments)}}`)
  bill.texts.push(`{"tool_uses":[${uses.join(',')}]}`)
  bill.fixed += 14
  bill.assumptions.add('Several calls in one message are counted by a rule that is at or above the published counts.')
}

/** The result of a call: headed by the name of the function; of several calls, as escaped JSON. */
function billResult(bill: Bill, message: ChatMessage, call: { name: string; isOneOfMany: boolean } | undefined): void {
  const { content } = message
  const text = typeof content === 'string' ? content : (content ?? []).map(part => part.text ?? '').join('')
  bill.fixed += perMessage + (message.name ? 1 : 0)
  if (call?.isOneOfMany) {
    bill.texts.push(escaped(text))
    bill.fixed += 1
  } else bill.texts.push(call?.name ?? '', text)
}

function billPart(bill: Bill, part: ContentPart, model: string, options: ChatOptions): void {
  const text = part.text ?? part.refusal
  if (text !== undefined) bill.texts.push(text)
  else if (part.image_url !== undefined) {
    const { url, detail } = part.image_url
    const size = detail === 'low' ? { width: 512, height: 512 } : (dataSize(url) ?? options.imageSize?.(url))
    if (size === undefined) bill.assumptions.add('Images of unknown size are counted as the largest.')
    bill.fixed += size === undefined ? imageTokensMax(model, detail) : imageTokens(model, size, detail)
  } else bill.assumptions.add(`Parts of type '${part.type.slice(0, 32)}' are not counted.`)
}

/** `none` costs one token, a forced function its name and some more. */
function billChoice(bill: Bill, choice: unknown, forced: number): void {
  if (choice === 'none') bill.fixed += 1
  const name = nameIn(choice)
  if (name === undefined) return
  bill.texts.push(name)
  bill.fixed += forced
}

/** The name in `{ name }` or in `{ function: { name } }`. */
function nameIn(choice: unknown): string | undefined {
  if (typeof choice !== 'object' || choice === null) return undefined
  if ('function' in choice) return nameIn(choice.function)
  return 'name' in choice && typeof choice.name === 'string' ? choice.name : undefined
}

/** The calls of the conversation by id. */
function callsOf({ messages }: ChatRequest): Map<string, { name: string; isOneOfMany: boolean }> {
  const calls = new Map<string, { name: string; isOneOfMany: boolean }>()
  for (const { tool_calls } of messages) {
    for (const call of tool_calls ?? []) {
      const isOneOfMany = (tool_calls ?? []).length > 1
      if (call.id !== undefined) calls.set(call.id, { name: call.function?.name ?? '', isOneOfMany })
    }
  }
  return calls
}

/** Arguments are re-written without white space when they are JSON. */
function compact(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json))
  } catch {
    // A model may have written broken arguments; they are then shown as they are.
    return json
  }
}

/** JSON in ASCII, which makes one character of Chinese or Korean several tokens (topic 1375117). */
function escaped(text: string): string {
  return JSON.stringify(text).replace(
    /[\u0080-\uffff]/g,
    unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** The size of an image in a base64 `data:` URL. Its head is enough for all but JPEGs with long metadata, so no more is decoded. */
function dataSize(url: string): ImageSize | undefined {
  if (!url.startsWith('data:')) return undefined
  const comma = url.indexOf(',', 0)
  if (comma < 0 || comma > 256) return undefined
  return imageSizeOf(Buffer.from(url.slice(comma + 1, comma + 1 + headCharacters), 'base64'))
}

const headCharacters = 256 * 1024
