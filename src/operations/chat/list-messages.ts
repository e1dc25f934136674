import { fault } from '../../lib/faults.ts'
import { operation } from '../../platform/operation.ts'
import { list } from '../../wire/lists.ts'
import type { ContentPart, ToolCall } from '../../wire/messages.ts'
import { type StoredMessage, StoredMessageList, StoredMessageQuery } from '../../wire/stored.ts'
import { findMessages } from './rows.ts'

export const listChatCompletionMessages = operation<unknown, 'completion_id', StoredMessageQuery>({
  id: 'chat.completions.messages.list',
  method: 'GET',
  path: '/v1/chat/completions/{completion_id}/messages',
  summary: 'Lists the messages that a stored completion answered.',
  query: StoredMessageQuery,
  reply: StoredMessageList,
  scope: 'completion.read',
  bills: 'nothing',
  async run({ params, query: { after, limit = 20, order = 'asc' } }, { store, caller }) {
    const sent: Sent[] = JSON.parse(await findMessages(store, caller, params.completion_id))
    const messages = sent.map((message, place) => shown(message, `${params.completion_id}-${place}`))
    if (order === 'desc') messages.reverse()
    const start = after === undefined ? 0 : messages.findIndex(({ id }) => id === after) + 1
    if (after !== undefined && start === 0) throw fault.unknownCursor('after', after.slice(0, 80))
    const end = start + limit
    return { kind: 'json', value: list(messages.slice(start, end), end < messages.length) }
  },
})

/** A message of a request that was checked. */
interface Sent extends Pick<StoredMessage, 'role'> {
  content?: string | ContentPart[] | null
  name?: string | null
  refusal?: string | null
  tool_calls?: ToolCall[] | null
  function_call?: { name: string; arguments: string } | null
}

function shown(message: Sent, id: string): StoredMessage {
  const { content = null, name = null, refusal = null, tool_calls, function_call, ...rest } = message
  return {
    ...rest,
    id,
    content: typeof content === 'string' ? content : null,
    content_parts: Array.isArray(content) ? content : null,
    name,
    refusal,
    ...(tool_calls && { tool_calls }),
    ...(function_call && { function_call }),
  }
}
