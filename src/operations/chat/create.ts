import { operation } from '../../platform/operation.ts'
import { ChatChunk, ChatCompletion, ChatRequest } from '../../wire/chat.ts'
import { generate } from '../generation.ts'
import { chatWorst, limitedChat } from '../worst.ts'
import { generateStored } from './storing.ts'
import { chatWay } from './way.ts'

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
  batch: true,
  repeats: true,
  worst: chatWorst,
  run({ body: asked }, context) {
    const body = limitedChat(asked, context)
    return body.store === true ? generateStored(body, context) : generate(context, chatWay(body))
  },
})
