import { collectChat } from '../../engines/collect.ts'
import { operation } from '../../platform/operation.ts'
import { ChatChunk, ChatCompletion, ChatRequest } from '../../wire/chat.ts'
import { generate } from '../generation.ts'

export const createChatCompletion = operation<ChatRequest>({
  id: 'chat.completions.create',
  method: 'POST',
  path: '/v1/chat/completions',
  summary: 'Answers a conversation, whole or as a stream of chunks.',
  body: ChatRequest,
  reply: ChatCompletion,
  event: ChatChunk,
  scope: 'model.request',
  bills: 'tokens',
  run: ({ body }, context) =>
    generate(context, {
      body,
      operation: 'chat',
      path: '/chat/completions',
      id: 'chatcmpl',
      ability: 'chat',
      chunks: (engine, call) => engine.chat!(body, call),
      collect: collectChat,
    }),
})
