/**
 * What the engines of this product (not upstreams) do with each parameter today, as data: one row per parameter. A parameter is
 * either implemented, or it is refused by name unless its value would change nothing. None is ever ignored in silence. When an
 * engine learns a parameter, its row becomes `implemented`.
 *
 * The tables are typed by the request schemas: a parameter that gets a schema and no row does not compile.
 */
import { isDeepStrictEqual } from 'node:util'
import { fault } from '../lib/faults.ts'
import type { ChatRequest } from './chat.ts'
import type { CompletionRequest } from './completions.ts'
import type { EmbeddingRequest } from './embeddings.ts'
import { isRecord } from './walk.ts'

export type GenerationOperation = 'chat' | 'completions' | 'embeddings'

/** What one engine takes beyond the tables; the values are for the engine itself to check. */
export interface Beyond {
  /** Parts with images. */
  readonly images?: boolean
  /** Fields of the body. */
  readonly fields?: readonly string[]
}

/**
 * Throws for the first parameter of a checked `body` that a local engine would have to ignore: `unsupported_parameter` or
 * `unsupported_value` for a known one, `unknown_parameter` for an unknown one. Looks into `stream_options` and messages too.
 */
export function refuseUnsupported(
  operation: GenerationOperation,
  body: object,
  modelName: string,
  { images = false, fields = [] }: Beyond = {},
): void {
  if (!isRecord(body)) return
  refuseFields(tables[operation], body, '', modelName, fields)
  const { stream_options: options, messages } = body
  if (isRecord(options)) refuseStreamOptions(options, body, modelName)
  if (Array.isArray(messages)) refuseMessages(messages, modelName, images)
  if (operation !== 'chat') return
  refuseTwoLimits(body)
  refuseTopAlone(body)
  refuseMetadataAlone(body)
  refuseOtherTiers(body, modelName)
}

type Fields = Readonly<Record<string, unknown>>
/** Says whether a value changes nothing. */
type Rule = (value: unknown, body: Fields) => boolean
type Table<Name extends string> = Readonly<Record<Name, Rule>>

const implemented: Rule = () => true
/** Absent, null, or equal to one of these. */
const only =
  (...neutral: unknown[]): ((value: unknown) => boolean) =>
  value =>
    value === null || value === undefined || neutral.some(one => isDeepStrictEqual(value, one))
const noMetadata = only({})
const oneTier = only('auto', 'default')
const empty = (list: unknown): boolean => only([])(list)

const chat: Table<keyof ChatRequest> = {
  model: implemented,
  messages: implemented,
  stream: implemented,
  stream_options: implemented,
  max_completion_tokens: implemented,
  max_tokens: implemented,
  temperature: implemented,
  top_p: implemented,
  n: implemented,
  stop: implemented,
  seed: implemented,
  user: implemented,
  presence_penalty: implemented,
  frequency_penalty: implemented,
  logit_bias: implemented,
  logprobs: implemented,
  top_logprobs: implemented,
  response_format: implemented,
  tools: implemented,
  tool_choice: (value, body) => empty(body.functions) || only('auto')(value),
  parallel_tool_calls: implemented,
  // The older form of the same; both at once would leave one of them out.
  functions: (value, body) => empty(value) || empty(body.tools),
  function_call: (value, body) => !empty(body.functions) || only('none', 'auto')(value),
  modalities: only(['text']),
  audio: only(),
  prediction: only(),
  reasoning_effort: implemented,
  verbosity: only('medium'),
  web_search_options: only(),
  moderation: only(),
  metadata: implemented,
  store: implemented,
  service_tier: implemented,
  prompt_cache_key: implemented,
  // What is cached stays in memory as long as nothing else needs the room.
  prompt_cache_retention: only('in_memory', 'in-memory'),
  prompt_cache_options: only({}, { mode: 'implicit' }),
  safety_identifier: implemented,
}

const completions: Table<keyof CompletionRequest> = {
  model: implemented,
  prompt: implemented,
  stream: implemented,
  stream_options: implemented,
  max_tokens: implemented,
  temperature: implemented,
  top_p: implemented,
  n: implemented,
  stop: implemented,
  seed: implemented,
  user: implemented,
  suffix: implemented,
  best_of: implemented,
  logprobs: implemented,
  echo: implemented,
  presence_penalty: implemented,
  frequency_penalty: implemented,
  logit_bias: implemented,
}

const embeddings: Table<keyof EmbeddingRequest> = {
  model: implemented,
  input: implemented,
  encoding_format: implemented,
  dimensions: implemented,
  user: implemented,
}

const tables: Record<GenerationOperation, Table<string>> = { chat, completions, embeddings }

const streamOptions: Table<string> = { include_usage: implemented, include_obfuscation: only(false) }

/** Fields of a message. Clients push a reply back as they got it, so what an engine does not read is neutral when empty. */
const messageFields: Table<string> = {
  role: implemented,
  content: implemented,
  name: implemented,
  // Said instead of a content.
  refusal: (value, message) => only('')(value) || only('')(message.content),
  reasoning_content: implemented,
  tool_calls: implemented,
  function_call: implemented,
  tool_call_id: implemented,
  annotations: only([]),
  audio: only(),
  // What a client's helper read out of the content; it sends its own messages back.
  parsed: implemented,
}

const partFields: Table<string> = { type: implemented, text: implemented, prompt_cache_breakpoint: only() }
const imageFields: Table<string> = { type: implemented, image_url: implemented, prompt_cache_breakpoint: only() }

function refuseFields(
  table: Table<string>,
  body: Fields,
  prefix: string,
  modelName: string,
  beyond: readonly string[] = [],
): void {
  for (const name of Object.keys(body)) {
    if (beyond.includes(name)) continue
    const rule = Object.hasOwn(table, name) ? table[name] : undefined
    if (rule === undefined) throw fault.unknownParameter(prefix + shown(name))
    if (!rule(body[name], body)) throw fault.unsupportedParameter(prefix + name, modelName)
  }
}

function refuseStreamOptions(options: Fields, body: Fields, modelName: string): void {
  if (body.stream !== true) {
    throw fault.invalidValue(
      'stream_options',
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    )
  }
  refuseFields(streamOptions, options, 'stream_options.', modelName)
}

function refuseTwoLimits(body: Fields): void {
  if (body.max_tokens == null || body.max_completion_tokens == null) return
  throw fault.invalidValue(
    'max_tokens',
    "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
    'invalid_parameter_combination',
  )
}

function refuseTopAlone(body: Fields): void {
  const asked = typeof body.top_logprobs === 'number' && body.top_logprobs > 0
  if (!asked || body.logprobs === true) return
  throw fault.invalidValue(
    'top_logprobs',
    "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
    'invalid_parameter_combination',
  )
}

/** OpenAI's rule and words: without the stored completion nothing would hold them. */
function refuseMetadataAlone({ metadata, store }: Fields): void {
  if (store === true || noMetadata(metadata)) return
  throw fault.invalidValue(
    'metadata',
    "The 'metadata' parameter is only allowed when 'store' is enabled.",
    'invalid_parameter_combination',
  )
}

function refuseOtherTiers({ service_tier: tier }: Fields, modelName: string): void {
  if (oneTier(tier)) return
  throw fault.unsupportedValue(
    'service_tier',
    `The service tier '${String(tier)}' is not offered with the model '${modelName}'. Supported: auto, default.`,
  )
}

function refuseMessages(messages: readonly unknown[], modelName: string, images: boolean): void {
  const calls = new Set<unknown>()
  for (const [index, message] of messages.entries()) {
    if (!isRecord(message)) continue
    const path = `messages[${index}]`
    refuseFields(messageFields, message, `${path}.`, modelName)
    refuseContent(message, `${path}.content`, modelName, images)
    if (Array.isArray(message.tool_calls)) for (const call of message.tool_calls) calls.add(call?.id)
    if (message.role === 'tool' && !calls.has(message.tool_call_id))
      throw fault.invalidValue(
        `${path}.tool_call_id`,
        "Messages with role 'tool' must be a response to a preceding message with 'tool_calls' of the same id.",
      )
  }
}

/** Messages that say something else need no content. */
const wordless = ({ role, tool_calls, function_call, refusal }: Fields) =>
  role === 'function' || !empty(tool_calls) || !only()(function_call) || !only('')(refusal)

function refuseContent(message: Fields, path: string, modelName: string, images: boolean): void {
  const { content } = message
  if ((content === undefined || content === null) && wordless(message)) return
  if (content === undefined) throw fault.missingParameter(path)
  if (content === null) {
    throw fault.invalidType(
      path,
      `Invalid type for '${path}': expected one of a string or array of objects, but got null instead.`,
    )
  }
  if (!Array.isArray(content)) return
  for (const [index, part] of content.entries()) {
    if (!isRecord(part)) continue
    const here = `${path}[${index}]`
    const isImage = images && part.type === 'image_url'
    if (part.type !== 'text' && !isImage) {
      const reads = images ? 'texts and images' : 'text'
      throw fault.unsupportedValue(
        `${here}.type`,
        `Content of type '${shown(String(part.type))}' is not supported with the model '${modelName}': it reads ${reads} alone.`,
      )
    }
    refuseFields(isImage ? imageFields : partFields, part, `${here}.`, modelName)
  }
}

/** A name from outside, short enough for a message. */
function shown(name: string): string {
  return name.length <= 64 ? name : `${name.slice(0, 64).toWellFormed()}…`
}
