import { fault } from '../../lib/faults.ts'
import type { ChatMessage, ContentPart } from '../../wire/chat.ts'
import { checkImage, imageLimits } from './images.ts'

/** A message as llama-server takes it. */
type Sent = Readonly<Record<string, unknown>>
type Part = { type: 'text'; text: string } | { type: 'image_url'; image_url: { url: string } }

/**
 * OpenAI's messages for llama-server's templates: the older form of calls becomes the newer one, names of participants stand before
 * what they say (templates know none), and texts that follow one another are one, since the server would put line breaks between them.
 * @throws fault.unsupportedValue for an image that cannot be taken, or a detail that would be ignored
 */
export function messagesFor(messages: readonly ChatMessage[]): Sent[] {
  const names = new Map<string, string>()
  const open: { id: string; name: string }[] = []
  let images = 0
  const content = (message: ChatMessage, place: string): string | Part[] => {
    const parts = partsOf(message.content ?? '', place)
    images += parts.filter(part => part.type === 'image_url').length
    if (images > imageLimits.count)
      throw fault.invalidValue('messages', `At most ${imageLimits.count} images can be sent at once.`)
    const [only, other] = parts
    if (only === undefined) return ''
    return other === undefined && only.type === 'text' ? only.text : parts
  }
  return messages.map((message, index): Sent => {
    const said = content(message, `messages[${index}].content`)
    switch (message.role) {
      case 'assistant': {
        const calls = callsOf(message, index)
        for (const { id, function: called } of calls) {
          names.set(id, called.name)
          open.push({ id, name: called.name })
        }
        const thought: unknown = 'reasoning_content' in message ? message.reasoning_content : undefined
        return {
          role: 'assistant',
          // A refusal is what the assistant said then.
          content: said === '' && message.refusal ? message.refusal : said,
          ...(calls.length > 0 && { tool_calls: calls }),
          ...(typeof thought === 'string' && thought !== '' && { reasoning_content: thought }),
        }
      }
      case 'tool': {
        const name = names.get(message.tool_call_id)
        return { role: 'tool', content: said, tool_call_id: message.tool_call_id, ...(name !== undefined && { name }) }
      }
      case 'function': {
        // The older form has no ids: the first call of that name that has no result yet.
        const at = open.findIndex(({ name }) => name === message.name)
        const [call] = at < 0 ? [] : open.splice(at, 1)
        return { role: 'tool', content: said, tool_call_id: call?.id ?? `function-${index}`, name: message.name }
      }
      default:
        return { role: message.role, content: signed(said, message.name) }
    }
  })
}

type AssistantMessage = Extract<ChatMessage, { role: 'assistant' }>

function callsOf({ tool_calls, function_call }: AssistantMessage, index: number) {
  const calls = (tool_calls ?? []).map(call => ({
    id: call.id,
    type: 'function' as const,
    function:
      call.type === 'function'
        ? call.function
        : { name: call.custom.name, arguments: JSON.stringify({ input: call.custom.input }) },
  }))
  if (!function_call) return calls
  return [...calls, { id: `function-${index}`, type: 'function' as const, function: function_call }]
}

function partsOf(content: string | readonly ContentPart[], place: string): Part[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  const parts: Part[] = []
  for (const [index, part] of content.entries()) {
    const last = parts.at(-1)
    if (isText(part)) {
      if (last?.type === 'text') last.text += part.text
      else parts.push({ type: 'text', text: part.text })
    } else if (isImage(part)) parts.push(imagePart(part, `${place}[${index}]`))
    else
      throw fault.unsupportedValue(
        `${place}[${index}].type`,
        `Content of type '${part.type.slice(0, 64)}' is not supported with this model.`,
      )
  }
  return parts
}

type ImagePart = Extract<ContentPart, { image_url: unknown }>
const isText = (part: ContentPart): part is Extract<ContentPart, { type: 'text' }> => part.type === 'text'
const isImage = (part: ContentPart): part is ImagePart => part.type === 'image_url'

function imagePart({ image_url: { url, detail } }: ImagePart, place: string): Part {
  if (detail !== undefined && detail !== 'auto')
    throw fault.unsupportedValue(
      `${place}.image_url.detail`,
      `This model sees an image in one way alone: 'detail' can be 'auto', not '${detail}'.`,
    )
  checkImage(url, `${place}.image_url.url`)
  return { type: 'image_url', image_url: { url } }
}

function signed(content: string | Part[], name: string | null | undefined): string | Part[] {
  if (!name) return content
  if (typeof content === 'string') return `${name}: ${content}`
  const [first, ...others] = content
  const text = first?.type === 'text' ? { type: 'text' as const, text: `${name}: ${first.text}` } : undefined
  return text ? [text, ...others] : [{ type: 'text', text: `${name}: ` }, ...content]
}
