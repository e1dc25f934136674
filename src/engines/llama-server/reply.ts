import type { ChatChunk, ChatDelta } from '../../wire/chat.ts'
import type { CompletionChunk } from '../../wire/completions.ts'
import type { Meter } from '../engine.ts'
import type { Envelope, Tally } from '../llama/chunks.ts'
import type { ChatPlan } from './request.ts'

type ChatChoice = ChatChunk['choices'][number]
type CompletionChoice = CompletionChunk['choices'][number]

/** A chunk of one reply as a chunk of all: with the number of its choice, under one name and time, and without what the server adds. */
export const chatChunk =
  ({ older, named }: Pick<ChatPlan, 'older' | 'named'>) =>
  (envelope: Envelope, index: number, { delta, finish_reason: finish }: ChatChoice): ChatChunk | undefined => {
    const told = toldBy(delta, older)
    if (told === undefined && finish === null) return undefined
    const calls = finish === 'tool_calls'
    return {
      ...envelope,
      object: 'chat.completion.chunk',
      choices: [
        {
          index,
          delta: told ?? {},
          logprobs: null,
          // As with OpenAI: a call that was demanded by name is no reason to end.
          finish_reason: calls && named ? 'stop' : calls && older ? 'function_call' : finish,
        },
      ],
    }
  }

function toldBy(delta: ChatDelta, older: boolean): ChatDelta | undefined {
  const { role, content, reasoning_content: thought, tool_calls: calls } = delta
  if (role === 'assistant') return { role, content: '', refusal: null }
  const told: ChatDelta = {}
  if (typeof content === 'string' && content !== '') told.content = content
  if (typeof thought === 'string' && thought !== '') told.reasoning_content = thought
  if (calls !== undefined && !older) told.tool_calls = calls
  const [first] = calls ?? []
  if (older && first?.index === 0) {
    const { name, arguments: text = '' } = first.function ?? {}
    told.function_call = { ...(name !== undefined && { name }), arguments: text }
  }
  return Object.keys(told).length === 0 ? undefined : told
}

export function completionChunk(
  envelope: Envelope,
  index: number,
  { text, finish_reason: finish }: CompletionChoice,
): CompletionChunk | undefined {
  if (text === '' && finish === null) return undefined
  return {
    ...envelope,
    object: 'text_completion',
    choices: [{ index, text, logprobs: null, finish_reason: finish }],
  }
}

/** Takes what one reply has spent into the tally of all. */
export const partMeter = (tally: Tally, choice: number): Meter => ({
  input: (promptTokens, cachedTokens = 0) => tally.take({ kind: 'begun', id: 0, choice, promptTokens, cachedTokens }),
  output: tokens => tally.take({ kind: 'text', id: 0, choice, text: '', tokens }),
})
