import { fault } from '../../lib/faults.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import type { CompletionRequest } from '../../wire/completions.ts'
import { isRecord } from '../../wire/walk.ts'
import { formatGrammar } from '../llama/constraint.ts'
import { effortSettings } from '../llama/conversing.ts'
import { type FunctionTool, toolsAsked } from '../llama/dialects/index.ts'
import { checkStrict, type GrammarCache } from '../llama/grammar/index.ts'
import { chatAsked, completionAsked } from '../llama/request.ts'
import type { Described } from './host.ts'
import { messagesFor } from './messages.ts'
import type { Settings } from './settings.ts'

/** One reply to ask for. llama-server is asked for each by itself: of several together it tells the usage of one. */
export interface Part {
  readonly body: Body
  /** prompt index * n + choice index */
  readonly choice: number
}

export type Body = Readonly<Record<string, unknown>>

/** A request in the form of llama-server. */
export interface Plan {
  readonly parts: readonly Part[]
  /** Choices per prompt. */
  readonly n: number
  readonly maxTokens: number | undefined
}

export interface ChatPlan extends Plan {
  /** `functions` instead of `tools`: calls are told in that form too. */
  readonly older: boolean
  /** A function is demanded by name. */
  readonly named: boolean
}

/** What requests are held against. */
export interface Against {
  readonly settings: Settings
  readonly description: Described
  /** Whether the chat template knows calls. */
  readonly callsTools: boolean
  readonly grammars: GrammarCache
}

/**
 * A chat request as llama-server takes it: everything that it would ignore, or understand otherwise, is refused or put in its words.
 * @param chance the seed of a request that has none
 * @throws Fault 400 naming the parameter
 */
export function chatPlan(request: ChatRequest, chance: number, against: Against): ChatPlan {
  const { settings, description } = against
  if (request.logprobs === true) throw fault.unsupportedParameter('logprobs', settings.name)
  const { n, maxTokens, seed, ...sampling } = chatAsked({ ...request, messages: [] }, chance)
  const effort = effortSettings(sampling.effort, description.template?.source ?? '')
  const tools = toolsOf(request)
  if (tools.offered > 0 && !against.callsTools)
    throw fault.unsupportedParameter(Array.isArray(request.functions) ? 'functions' : 'tools', settings.name)
  const body = {
    ...shared(request, sampling, against),
    messages: messagesFor(request.messages),
    ...tools.body,
    ...formatOf(request, against, tools.offered > 0),
    ...(Object.keys(effort).length > 0 && { chat_template_kwargs: effort }),
    max_tokens: maxTokens ?? -1,
  }
  return {
    parts: Array.from({ length: n }, (_, i) => ({ body: { ...body, seed: seedOf(seed, i) }, choice: i })),
    n,
    maxTokens,
    older: Array.isArray(request.functions),
    named: tools.named,
  }
}

/** The same for a completion. */
export function completionPlan(request: CompletionRequest, chance: number, against: Against): Plan {
  const { settings } = against
  for (const name of ['suffix', 'logprobs'] as const)
    if (request[name] !== undefined && request[name] !== null && request[name] !== '')
      throw fault.unsupportedParameter(name, settings.name)
  if (request.echo === true) throw fault.unsupportedParameter('echo', settings.name)
  const { n, maxTokens = 16, seed, prompts, best, ...sampling } = completionAsked(request, chance)
  if (best !== undefined) throw fault.unsupportedParameter('best_of', settings.name)
  const body = { ...shared(request, sampling, against), max_tokens: maxTokens }
  return {
    parts: prompts
      .map(prompt => promptFor(prompt, against))
      .flatMap((prompt, p) =>
        Array.from({ length: n }, (_, i) => ({ body: { ...body, prompt, seed: seedOf(seed, i) }, choice: p * n + i })),
      ),
    n,
    maxTokens,
  }
}

interface Sampling {
  readonly temperature: number
  readonly topP: number
  readonly stop: readonly string[]
  readonly penalties?: { readonly presence: number; readonly frequency: number }
  readonly bias?: readonly (readonly [token: number, bias: number])[]
}

/**
 * What both kinds of request have. The server's own settings (top_k 40, min_p 0.05, penalties of the last 64 tokens) would make other
 * replies than OpenAI's parameters promise.
 */
function shared(request: object, { temperature, topP, stop, penalties, bias = [] }: Sampling, against: Against): Body {
  const { description } = against
  const wrong = bias.find(([token]) => token >= description.vocabularySize)
  if (wrong !== undefined)
    throw fault.invalidValue(
      'logit_bias',
      `The token ${wrong[0]} is not in the vocabulary of this model, which ends at ${description.vocabularySize - 1}.`,
    )
  return {
    temperature,
    top_p: topP,
    top_k: 0,
    min_p: 0,
    stop,
    ...(penalties && {
      presence_penalty: penalties.presence,
      frequency_penalty: penalties.frequency,
      repeat_last_n: description.context,
    }),
    ...(bias.length > 0 && { logit_bias: bias }),
    ...adaptersOf(request, against.settings),
    timings_per_token: true,
  }
}

/** The server takes the greatest seed for "by chance". */
const seedOf = (seed: number, choice: number) => {
  const own = (seed + choice) >>> 0
  return own === 0xffffffff ? 0 : own
}

/** A call of functions, as far as the server is concerned: it knows `auto`, `none` and `required`, and takes anything else for `auto`. */
function toolsOf(request: ChatRequest): { body: Body; offered: number; named: boolean } {
  const { tools, choice, parallel } = toolsAsked(request)
  const nothing = { body: {}, offered: 0, named: false }
  const find = (name: string) => {
    const tool = tools.find(candidate => candidate.function.name === name)
    if (tool === undefined)
      throw fault.invalidValue('tool_choice', `The function '${name.slice(0, 256)}' is not among the tools.`)
    return tool
  }
  const offer = (offered: readonly FunctionTool[], required: boolean, named = false) => {
    if (required && offered.length === 0)
      throw fault.invalidValue('tool_choice', 'A call can only be demanded of tools that are given.')
    if (offered.length === 0) return nothing
    checkSchemas(offered, tools, Array.isArray(request.functions))
    const told = {
      tools: offered,
      tool_choice: required ? 'required' : 'auto',
      parallel_tool_calls: parallel && !named,
    }
    return { body: told, offered: offered.length, named }
  }
  if (choice === 'none') return nothing
  if (choice === undefined || choice === null || choice === 'auto') return offer(tools, false)
  if (choice === 'required') return offer(tools, true)
  if (choice.type === 'function') return offer([find(choice.function.name)], true, true)
  if (choice.type === 'custom')
    throw fault.unsupportedValue('tool_choice', 'This model calls functions alone, no custom tools.')
  const { mode, tools: allowed } = choice.allowed_tools
  return offer(
    allowed.map(tool => find(nameOf(tool))),
    mode === 'required',
  )
}

function nameOf(tool: object): string {
  const named: unknown = 'function' in tool ? tool.function : tool
  if (isRecord(named) && typeof named.name === 'string') return named.name
  throw fault.invalidValue('tool_choice', 'An allowed tool is a function with a name.')
}

/** Keywords that the server's grammar does not enforce, by the types of which it does. */
const unenforced = new Map<string, readonly string[]>(
  [
    ...['multipleOf', 'uniqueItems', 'contains', 'not', 'if', 'minProperties', 'maxProperties', 'patternProperties'],
    ...['propertyNames', 'dependentRequired', 'dependentSchemas', 'unevaluatedProperties', 'unevaluatedItems'],
  ].map(keyword => [keyword, []]),
)
for (const keyword of ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'])
  unenforced.set(keyword, ['integer'])

/** With `strict` the arguments must fit: a schema that promises more than the server keeps is refused. */
function checkSchemas(offered: readonly FunctionTool[], all: readonly FunctionTool[], older: boolean): void {
  for (const tool of offered) {
    const { strict, parameters, name } = tool.function
    if (strict !== true) continue
    const index = all.indexOf(tool)
    const param = older ? `functions.${index}.parameters` : `tools.${index}.function.parameters`
    checkStrict(parameters ?? {}, { param, subject: `function '${name}'` })
    const found = promised(parameters)
    if (found !== undefined)
      throw fault.unsupportedValue(param, `'${found}' cannot be enforced with this model: leave it out, or 'strict'.`)
  }
}

/** The first keyword of a schema that is not enforced. The depth of requests is bounded. */
function promised(schema: unknown): string | undefined {
  if (Array.isArray(schema)) {
    for (const item of schema) {
      const found = promised(item)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (!isRecord(schema)) return undefined
  for (const [key, value] of Object.entries(schema)) {
    const types = unenforced.get(key)
    if (types !== undefined && !types.includes(String(schema.type))) return key
    const inner = mapsOfSchemas.has(key) && isRecord(value) ? Object.values(value) : value
    const found = key === 'enum' || key === 'const' || key === 'default' ? undefined : promised(inner)
    if (found !== undefined) return found
  }
  return undefined
}

/** Their keys are names, not keywords. */
const mapsOfSchemas = new Set(['properties', '$defs', 'definitions'])

/** A reply in JSON is held by our own grammar: the server's ignores `json_object`, and some keywords of schemas. */
function formatOf({ response_format: format }: ChatRequest, { grammars }: Against, hasTools: boolean): Body {
  if (format === undefined || format === null || format.type === 'text') return {}
  if (hasTools)
    throw fault.invalidValue(
      'response_format',
      "'response_format' and 'tools' do not go together with this model.",
      'invalid_parameter_combination',
    )
  const { name, schema, strict } =
    format.type === 'json_object' ? { name: 'json_object', schema: null, strict: false } : format.json_schema
  const wanted = { name, schema: schema ?? null, strict: strict === true }
  return { grammar: grammars.get([wanted], () => ({ text: formatGrammar(wanted), steps: 0 })).text }
}

/**
 * Which adapters work on this request, and how strongly. All are named: of those that are not, the server keeps what it was started
 * with, and the cache of the request before.
 */
function adaptersOf(request: object, { adapter, adapters, scale }: Settings): Body {
  const always = adapter === undefined ? [] : [scale]
  const chosen = loraOf('lora' in request ? request.lora : undefined, adapters.length)
  const scales = [...always, ...adapters.map((_, id) => chosen.get(id) ?? 0)]
  return scales.length === 0 ? {} : { lora: scales.map((strength, id) => ({ id, scale: strength })) }
}

/** The scales that a request names, by the number of the adapter. @throws fault.invalidValue */
function loraOf(asked: unknown, count: number): Map<number, number> {
  const wrong = (detail: string) => fault.invalidValue('lora', `Invalid 'lora': ${detail}`)
  if (asked === undefined || asked === null) return new Map()
  if (!Array.isArray(asked)) throw wrong('expected a list of objects with an id and a scale.')
  const scales = new Map<number, number>()
  for (const item of asked) {
    const { id, scale = 1 }: Record<string, unknown> = isRecord(item) ? item : {}
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= count)
      throw wrong(`an id is a whole number from 0 to ${count - 1}.`)
    if (typeof scale !== 'number' || !(Math.abs(scale) <= 100)) throw wrong('a scale is a number from -100 to 100.')
    if (scales.has(id)) throw wrong(`the id ${id} stands there twice.`)
    scales.set(id, scale)
  }
  return scales
}

function promptFor(prompt: string | readonly number[], { settings, description }: Against): string | readonly number[] {
  const { vocabularySize, start, template } = description
  if (settings.mmproj !== undefined) return textFor(prompt, template?.bosText || template?.eosText || '')
  if (prompt === '' && start === undefined)
    throw fault.invalidValue('prompt', 'This model cannot start from an empty prompt.')
  if (typeof prompt === 'string') return prompt === '' && start !== undefined ? [start] : prompt
  const wrong = prompt.find(token => token >= vocabularySize)
  if (wrong !== undefined)
    throw fault.invalidValue(
      'prompt',
      `The token ${wrong} is not in the vocabulary of this model, which ends at ${vocabularySize - 1}.`,
    )
  return prompt
}

/** With a projector the server takes texts alone. */
function textFor(prompt: string | readonly number[], start: string): string {
  if (typeof prompt !== 'string')
    throw fault.unsupportedValue('prompt', 'This model reads images, and takes its prompt as a text, not as tokens.')
  if (prompt === '' && start === '') throw fault.invalidValue('prompt', 'This model cannot start from an empty prompt.')
  return prompt === '' ? start : prompt
}
