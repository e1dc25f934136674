import { fault } from '../../lib/faults.ts'
import type { ChatMessage, ChatRequest, ContentPart, Tool } from '../../wire/chat.ts'
import type {
  InputCall,
  InputCallOutput,
  InputFunction,
  InputFunctionChoice,
  InputImage,
  InputItem,
  InputMessage,
  InputPart,
  InputRefusal,
  InputText,
  InputTokensRequest,
  InputTool,
} from '../../wire/tokens.ts'

/**
 * A request of the Responses API as the chat request with the same prompt.
 * @throws Fault 400 naming what has no counterpart, or whose size is not known
 */
export function chatInput(request: InputTokensRequest, model: string): ChatRequest {
  for (const name of ['previous_response_id', 'conversation', 'personality'] as const)
    if (request[name] != null) throw fault.unsupportedParameter(name, model)
  const { input, instructions, tools, tool_choice: choice, text } = request
  const messages: ChatMessage[] = []
  if (instructions != null) messages.push({ role: 'developer', content: instructions })
  if (typeof input === 'string') messages.push({ role: 'user', content: input })
  else for (const [at, item] of (input ?? []).entries()) messages.push(message(item, `input[${at}]`))
  if (messages.length === 0) throw fault.missingParameter('input')
  return {
    model,
    messages: withCallsJoined(messages),
    ...(tools?.length ? { tools: tools.map(tool) } : {}),
    ...(choice == null ? {} : { tool_choice: toolChoice(choice) }),
    // That there is a schema is all that counting asks for.
    ...(text?.format?.type === 'json_schema' && {
      response_format: { type: 'json_schema', json_schema: { name: 'schema' } },
    }),
  }
}

function message(item: InputItem, path: string): ChatMessage {
  if (isCall(item)) {
    const { call_id: id, name, arguments: args } = item
    return {
      role: 'assistant',
      content: null,
      tool_calls: [{ id, type: 'function', function: { name, arguments: args } }],
    }
  }
  if (isOutput(item))
    return { role: 'tool', tool_call_id: item.call_id, content: content(item.output, `${path}.output`) }
  if (isMessage(item)) return { role: item.role, content: content(item.content, `${path}.content`) }
  throw notCounted(`${path}.type`, item.type)
}

/** Calls that the model made at once stand in one message of a chat. */
function withCallsJoined(messages: readonly ChatMessage[]): ChatMessage[] {
  const joined: ChatMessage[] = []
  for (const next of messages) {
    const last = joined.at(-1)
    const calls = next.role === 'assistant' ? next.tool_calls : undefined
    if (last?.role === 'assistant' && calls)
      joined[joined.length - 1] = { ...last, tool_calls: [...(last.tool_calls ?? []), ...calls] }
    else joined.push(next)
  }
  return joined
}

function content(given: string | readonly InputPart[], path: string): string | ContentPart[] {
  return typeof given === 'string' ? given : given.map((part, at) => contentPart(part, `${path}[${at}]`))
}

function contentPart(part: InputPart, path: string): ContentPart {
  if (isText(part)) return { type: 'text', text: part.text }
  if (isRefusal(part)) return { type: 'refusal', refusal: part.refusal }
  if (!isImage(part)) throw notCounted(`${path}.type`, part.type)
  const { image_url: url, detail } = part
  if (url == null) throw fault.missingParameter(`${path}.image_url`)
  return { type: 'image_url', image_url: { url, ...(detail === 'low' || detail === 'high' ? { detail } : {}) } }
}

function tool(given: InputTool, at: number): Tool {
  if (!isFunction(given)) throw notCounted(`tools[${at}].type`, given.type)
  const { name, description, parameters, strict } = given
  const definition = { name, description: description ?? null, parameters: parameters ?? null, strict: strict ?? null }
  return { type: 'function', function: definition }
}

function toolChoice(choice: NonNullable<InputTokensRequest['tool_choice']>): NonNullable<ChatRequest['tool_choice']> {
  if (typeof choice === 'string') return choice
  if (isFunctionChoice(choice)) return { type: 'function', function: { name: choice.name } }
  throw notCounted('tool_choice.type', choice.type)
}

const isCall = (item: InputItem): item is InputCall => item.type === 'function_call'
const isOutput = (item: InputItem): item is InputCallOutput => item.type === 'function_call_output'
const isMessage = (item: InputItem): item is InputMessage => item.type === undefined || item.type === 'message'
const isText = (part: InputPart): part is InputText => part.type === 'input_text' || part.type === 'output_text'
const isRefusal = (part: InputPart): part is InputRefusal => part.type === 'refusal'
const isImage = (part: InputPart): part is InputImage => part.type === 'input_image'
const isFunction = (given: InputTool): given is InputFunction => given.type === 'function'
const isFunctionChoice = (choice: { type: string }): choice is InputFunctionChoice => choice.type === 'function'

const notCounted = (param: string, type: string) =>
  fault.unsupportedValue(
    param,
    `'${type.toWellFormed()}' is not supported here: how many tokens it takes is not known.`,
  )
