import { collectChat } from '../../engines/collect.ts'
import type { Call, Engine } from '../../engines/engine.ts'
import type { ChatChunk, ChatRequest } from '../../wire/chat.ts'

/** How a chat request is answered, for `generate`. */
export const chatWay = (body: ChatRequest) => ({
  body,
  operation: 'chat' as const,
  path: '/chat/completions' as const,
  id: 'chatcmpl' as const,
  ability: 'chat' as const,
  chunks: (engine: Engine, call: Call) => {
    const chunks = engine.chat!(body, call)
    // An upstream says for itself which tier it served.
    return engine.accepts === 'known' && typeof body.service_tier === 'string' ? served(chunks) : chunks
  },
  collect: collectChat,
})

/** A request that names a tier is told the one that served it (OpenAI's API description); here is only one. */
async function* served(chunks: AsyncIterable<ChatChunk>): AsyncGenerator<ChatChunk> {
  for await (const chunk of chunks) yield { ...chunk, service_tier: 'default' }
}
